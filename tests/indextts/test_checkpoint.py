"""A checkpoint with a missing or a foreign file ends the start with an error that names the file."""

from pathlib import Path
from typing import Any

import pytest
import torch

from phonoscope.common.errors import SettingsError, VoiceFileError
from phonoscope.server.engines.indextts.loader import load_indextts

FILES = (
    "codec.pth",
    "feat1.pt",
    "feat2.pt",
    "gpt.pth",
    "hf_cache/bigvgan/bigvgan_generator.pt",
    "hf_cache/bigvgan/config.json",
    "hf_cache/campplus_cn_common.bin",
    "hf_cache/w2v-bert-2.0/config.json",
    "hf_cache/w2v-bert-2.0/model.safetensors",
    "hf_cache/w2v-bert-2.0/preprocessor_config.json",
    "multilingual_zh_ja_yue_char_del.tiktoken",
    "s2mel.pth",
    "wav2vec2bert_stats.pt",
)


@pytest.mark.parametrize("name", ["config.yaml", *FILES])
def test_a_missing_file_is_named_and_nothing_is_downloaded(folder: Path, make_loading: Any, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(VoiceFileError) as caught:
        load_indextts([folder], make_loading())
    assert str(folder) in str(caught.value)
    assert name in str(caught.value)


@pytest.mark.parametrize("name", ["config.yaml", *FILES])
@pytest.mark.parametrize(
    "content", [b"", b"version https://git-lfs.github.com/spec/v1\noid x y z\n", b"\x80\x02]q\x00."]
)
def test_a_foreign_file_is_named(folder: Path, make_loading: Any, name: str, content: bytes) -> None:
    (folder / name).unlink()
    (folder / name).write_bytes(content)
    with pytest.raises(VoiceFileError) as caught:
        load_indextts([folder], make_loading())
    assert str(folder / name) in str(caught.value)


def test_a_truncated_network_is_named(folder: Path, make_loading: Any) -> None:
    path = folder / "s2mel.pth"
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(VoiceFileError, match=r"s2mel\.pth: is not this file of IndexTTS-2\.5"):
        load_indextts([folder], make_loading())


def test_a_network_of_another_shape_is_named(folder: Path, make_loading: Any) -> None:
    path = folder / "gpt.pth"
    parameters = torch.load(path)
    path.unlink()
    torch.save({name: one for name, one in parameters.items() if name != "mel_head.bias"}, path)
    with pytest.raises(VoiceFileError, match=r"gpt\.pth: does not belong to this checkpoint .*mel_head\.bias"):
        load_indextts([folder], make_loading())
    torch.save(parameters | {"mel_head.bias": torch.zeros(3)}, path)
    with pytest.raises(VoiceFileError, match=r"gpt\.pth: does not belong to this checkpoint .*size mismatch"):
        load_indextts([folder], make_loading())


def test_a_second_checkpoint_is_refused(folder: Path, make_loading: Any) -> None:
    with pytest.raises(VoiceFileError, match=r"indextts-b: is a second checkpoint of IndexTTS, beside indextts-tiny"):
        load_indextts([folder, folder.with_name("indextts-b")], make_loading())


def test_a_bad_checkpoint_can_be_skipped(folder: Path, make_loading: Any) -> None:
    (folder / "codec.pth").unlink()
    assert load_indextts([folder], make_loading(skip_bad_voices=True)) is None


def test_a_precision_that_the_library_does_not_have_is_refused(folder: Path, make_loading: Any) -> None:
    with pytest.raises(SettingsError, match="float16 is not supported by IndexTTS"):
        load_indextts([folder], make_loading(precision="float16"))
