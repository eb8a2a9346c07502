"""IndexTTS2's text-emotion model, qwen0.6bemo4-merge: Qwen3 0.6B, tuned to answer a text with weights as JSON.

For use where its files are; `transformers` runs it, greedily, from local files only. It is much slower than the
embedded model. The conversation is the one that it was tuned on: the system message 文本情感分类, the text, and an
answer with a weight of 0 to 1.2 for each of eight names. 自然, natural, is neutral here; no name means calm, and the
model is known to answer 悲伤 (sad) where 低落 (melancholic) would fit.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError

from phonoscope.common.errors import ModelFileError
from phonoscope.emotion.types import Estimate, Sentence, estimate_from_weights

SYSTEM: Final = "文本情感分类"
MAX_NEW_TOKENS: Final = 128
NAMES: Final[Mapping[str, str]] = {
    "高兴": "happy",
    "愤怒": "angry",
    "悲伤": "sad",
    "恐惧": "afraid",
    "反感": "disgusted",
    "低落": "melancholic",
    "惊讶": "surprised",
    "自然": "neutral",
}
MAX_WEIGHT: Final = 1.2
_PAIR: Final = re.compile(rf'"?({"|".join(NAMES)})"?\s*[:：]\s*([0-9]+(?:\.[0-9]+)?)')


class QwenModel:
    """Asks the model about each sentence.

    Args:
        directory: of the checkpoint: config, tokenizer and weights.

    Raises:
        ModelFileError: transformers or a file is missing, or the checkpoint is not a causal language model.
    """

    name = "qwen"
    languages: Sequence[str] = ("en", "zh")

    def __init__(self, directory: Path) -> None:
        if not (directory / "config.json").is_file():
            raise ModelFileError(
                f"{directory}: has no config.json; give the directory of qwen0.6bemo4-merge, which is part of "
                "IndexTTS2's checkpoints"
            )
        try:
            from transformers import AutoModelForCausalLM, AutoTokenizer  # noqa: PLC0415  slow, and for this model only
        except ImportError as error:
            raise ModelFileError(
                f"the qwen emotion model needs transformers ({error}); install it: pip install 'phonoscope[emotion]'"
            ) from None
        try:
            self._tokenizer: Any = AutoTokenizer.from_pretrained(directory, local_files_only=True)
            model: Any = AutoModelForCausalLM.from_pretrained(directory, local_files_only=True)
        except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
            first = str(error).strip().splitlines()[0]
            raise ModelFileError(f"{directory}: cannot be loaded as a text-emotion model: {first}") from error
        self._model: Any = model.eval()

    def estimate(self, sentences: Sequence[Sentence]) -> list[Estimate]:
        """Returns the estimates of the sentences, one after the other: padding would change the answers."""
        return [estimate_of(self._answer(one.text)) for one in sentences]

    @torch.inference_mode()
    def _answer(self, text: str) -> str:
        messages = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": text}]
        prompt = self._tokenizer.apply_chat_template(
            messages, tokenize=False, add_generation_prompt=True, enable_thinking=False
        )
        inputs = self._tokenizer([prompt], return_tensors="pt")
        answer = self._model.generate(
            input_ids=inputs["input_ids"],
            attention_mask=inputs["attention_mask"],
            max_new_tokens=MAX_NEW_TOKENS,
            do_sample=False,
            pad_token_id=self._tokenizer.eos_token_id,
        )
        new = answer[0, inputs["input_ids"].shape[1] :]
        return str(self._tokenizer.decode(new, skip_special_tokens=True))


def estimate_of(answer: str) -> Estimate:
    """Returns the estimate that an answer states; neutral for one without weights.

    Weights are at most MAX_WEIGHT; the confidence is the largest one, at most 1.
    """
    weights = {NAMES[name]: min(float(value), MAX_WEIGHT) for name, value in _PAIR.findall(answer)}
    return estimate_from_weights(weights, min(1.0, max(weights.values(), default=1.0)))
