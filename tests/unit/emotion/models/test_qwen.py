"""IndexTTS2's text-emotion model: its answers, and a tiny checkpoint of its class, run by transformers."""

from pathlib import Path

import pytest

from phonoscope.common.errors import ModelFileError
from phonoscope.emotion.models.qwen import QwenModel, estimate_of
from phonoscope.emotion.types import CLASSES, NEUTRAL_ESTIMATE, Sentence

TEMPLATE = "{% for one in messages %}{{ one['role'] }} {{ one['content'] }} {% endfor %}"


def test_an_answer_has_weights_by_chinese_name() -> None:
    estimate = estimate_of('{"高兴": 0.9, "愤怒": 0.0, "惊讶": 0.3, "自然": 0.0}')
    weights = dict(zip(CLASSES, estimate.weights, strict=True))
    assert weights["happy"] == pytest.approx(0.75)
    assert weights["surprised"] == pytest.approx(0.25)
    assert estimate.confidence == 0.9


@pytest.mark.parametrize("answer", ["", "I cannot say.", '{"高兴": "very"}', "{" * 1000])
def test_nonsense_is_neutral(answer: str) -> None:
    assert estimate_of(answer) == NEUTRAL_ESTIMATE


def test_weights_beyond_the_range_are_cut() -> None:
    estimate = estimate_of("高兴:99999, 悲伤：1.2")
    assert estimate.weights[0] == estimate.weights[2] == 0.5
    assert estimate.confidence == 1.0


def test_a_directory_without_a_checkpoint_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"has no config\.json; give the directory of qwen0\.6bemo4-merge"):
        QwenModel(tmp_path)


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    transformers = pytest.importorskip("transformers")
    tokenizers = pytest.importorskip("tokenizers")
    words = {word: number for number, word in enumerate(["<unk>", "<eos>", "system", "user", "hello", '"高兴":0.9'])}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordLevel(words, unk_token="<unk>"))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    fast = transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<eos>", unk_token="<unk>")
    fast.chat_template = TEMPLATE
    fast.save_pretrained(tmp_path)
    config = transformers.Qwen3Config(
        vocab_size=len(words),
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=8,
        eos_token_id=1,
        pad_token_id=1,
    )
    transformers.Qwen3ForCausalLM(config).save_pretrained(tmp_path)
    return tmp_path


def test_a_checkpoint_of_its_class_is_loaded_and_asked(checkpoint: Path) -> None:
    model = QwenModel(checkpoint)
    estimates = model.estimate([Sentence("hello", "en"), Sentence("hello", "en")])
    assert estimates[0] == estimates[1]  # greedy: the same text, the same answer
    assert sum(estimates[0].weights) == pytest.approx(1.0)


def test_a_checkpoint_with_damaged_weights_is_refused(checkpoint: Path) -> None:
    (checkpoint / "model.safetensors").write_bytes(b"nothing")
    with pytest.raises(ModelFileError, match="cannot be loaded as a text-emotion model"):
        QwenModel(checkpoint)
