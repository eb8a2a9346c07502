"""Loads the model that the settings select. Called by `__main__.py`, on the model's thread."""

import os

import torch

from phonoscope.emotion.models.base import EmotionModel
from phonoscope.emotion.models.embedded import EmbeddedModel
from phonoscope.emotion.models.minilm import SentenceEncoder, package_dir
from phonoscope.emotion.models.qwen import QwenModel
from phonoscope.emotion.settings import EmotionSettings
from phonoscope.emotion.types import Sentence

WARM_UP_TEXTS = ("Warm up.", "This is a longer sentence, so that the first caller does not wait for anything.")


def load_model(settings: EmotionSettings) -> EmotionModel:
    """Returns the model, warmed up.

    Raises:
        ModelFileError: it cannot be loaded.
    """
    torch.set_num_threads(settings.threads or len(os.sched_getaffinity(0)))
    model: EmotionModel
    if settings.backend == "qwen" and settings.model_dir is not None:
        model = QwenModel(settings.model_dir)
    else:
        model = EmbeddedModel(SentenceEncoder(package_dir()))
    for language in model.languages:
        model.estimate([Sentence(text, language) for text in WARM_UP_TEXTS])
    return model
