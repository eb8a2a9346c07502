"""Checks the files of a checkpoint before the library loads them, so that each error names a file.

Called by `loading.py`. The library downloads what it misses and reports what it cannot read in torch's words. Here
nothing is downloaded.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch
from omegaconf import DictConfig, OmegaConf
from safetensors import safe_open

from phonoscope.common.errors import VoiceFileError

CONFIG: Final = "config.yaml"
TOKENIZER: Final = "multilingual_zh_ja_yue_char_del.tiktoken"
W2V_BERT: Final = "hf_cache/w2v-bert-2.0"
CAMPPLUS: Final = "hf_cache/campplus_cn_common.bin"
BIGVGAN: Final = "hf_cache/bigvgan"
_NAMED: Final = ("gpt_checkpoint", "s2mel_checkpoint", "w2v_stat", "emo_matrix", "spk_matrix")
_SECTIONS: Final = ("gpt", "semantic_codec", "s2mel", "emo_num")
_ADVICE: Final = "download IndexTTS-2.5 again"
# How torch names the network whose parameters do not fit, and the file that they are from.
_NETWORKS: Final[Mapping[str, str]] = {
    "UnifiedVoice": "gpt_checkpoint",
    "CFM": "s2mel_checkpoint",
    "InterpolateRegulator": "s2mel_checkpoint",
    "EnhancedCodec": "codec.pth",
    "Wav2Vec2BertModel": f"{W2V_BERT}/model.safetensors",
    "CAMPPlus": CAMPPLUS,
    "BigVGAN": f"{BIGVGAN}/bigvgan_generator.pt",
}


@dataclass(frozen=True, slots=True)
class _File:
    """One file of a checkpoint: its path in the folder, and a check that raises if it is none of its kind."""

    path: str
    check: Callable[[Path], None]


def check_checkpoint(folder: Path) -> DictConfig:
    """Returns the configuration of a folder that has every file of a checkpoint, each of its kind.

    Raises:
        VoiceFileError: a file is missing, or of another kind; the message names it.
    """
    config = _read_config(folder / CONFIG)
    files = list(_files(config))
    if missing := [file.path for file in files if not (folder / file.path).is_file()]:
        raise VoiceFileError(
            f"{folder}: has no {', '.join(missing)}; put every file of IndexTTS-2.5 there, and "
            "w2v-bert-2.0, CAMPPlus and BigVGAN into hf_cache, as docs/indextts.md shows"
        )
    for file in files:
        try:
            file.check(folder / file.path)
        except Exception as error:  # torch.load raises pickle's own errors, and what archives cause
            raise VoiceFileError(_foreign(folder / file.path, error)) from error
    return config


def file_of(error: Exception, folder: Path, config: DictConfig) -> Path:
    """Returns the file that an error of the library is about, as far as its message tells; else the folder."""
    message = str(error)
    for network, name in _NETWORKS.items():
        if f"for {network}:" in message:
            return folder / (str(config[name]) if name in _NAMED else name)
    named = re.match(r"(\S+\.(?:pth|pt|bin)): missing", message)
    if named:
        return Path(named[1])
    return folder / "codec.pth" if message.startswith("codec checkpoint") else folder


def _read_config(path: Path) -> DictConfig:
    try:
        config = OmegaConf.load(path)
    except FileNotFoundError:
        raise VoiceFileError(
            f"{path}: no such file; a folder indextts*/ holds the files of IndexTTS-2.5, as docs/indextts.md shows"
        ) from None
    except Exception as error:
        raise VoiceFileError(_foreign(path, error)) from error
    if not isinstance(config, DictConfig):
        raise VoiceFileError(f"{path}: is not the configuration of IndexTTS-2.5; {_ADVICE}")
    if missing := [name for name in (*_SECTIONS, *_NAMED) if name not in config]:
        raise VoiceFileError(f"{path}: has no {', '.join(missing)}, which IndexTTS-2.5 has; {_ADVICE}")
    return config


def _files(config: DictConfig) -> Iterator[_File]:
    yield _File(str(config.gpt_checkpoint), _check_parameters)
    yield _File("codec.pth", _holding("model"))
    yield _File(str(config.s2mel_checkpoint), _holding("net", ("cfm", "length_regulator")))
    yield _File(str(config.w2v_stat), _holding("mean", other="var"))
    yield _File(str(config.emo_matrix), _check_matrix)
    yield _File(str(config.spk_matrix), _check_matrix)
    yield _File(TOKENIZER, _check_tokens)
    yield _File(f"{W2V_BERT}/config.json", _check_json)
    yield _File(f"{W2V_BERT}/preprocessor_config.json", _check_json)
    yield _File(f"{W2V_BERT}/model.safetensors", _check_safetensors)
    yield _File(CAMPPLUS, _check_parameters)
    yield _File(f"{BIGVGAN}/config.json", _check_json)
    yield _File(f"{BIGVGAN}/bigvgan_generator.pt", _holding("generator"))


def _load(path: Path) -> object:
    """Returns what torch saved; memory-mapped where its format allows, so that little is read."""
    with path.open("rb") as file:
        is_archive = file.read(2) == b"PK"
    return torch.load(path, map_location="cpu", mmap=is_archive, weights_only=True)


def _check_parameters(path: Path) -> None:
    loaded = _load(path)
    parameters = loaded.get("model", loaded) if isinstance(loaded, dict) else None
    if not isinstance(parameters, dict) or not all(isinstance(one, torch.Tensor) for one in parameters.values()):
        raise TypeError("holds no network's parameters")


def _holding(key: str, parts: tuple[str, ...] = (), other: str = "") -> Callable[[Path], None]:
    def check(path: Path) -> None:
        loaded = _load(path)
        if not isinstance(loaded, dict) or not {key, other or key} <= set(loaded):
            raise ValueError(f"holds no {key!r}")
        if missing := [part for part in parts if part not in loaded[key]]:
            raise ValueError(f"holds no {missing[0]!r}")

    return check


def _check_matrix(path: Path) -> None:
    matrix = _load(path)
    if not isinstance(matrix, torch.Tensor) or matrix.ndim != 2:  # noqa: PLR2004
        raise TypeError("holds no matrix")


def _check_tokens(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    if not lines:
        raise ValueError("holds no tokens")
    for number, line in enumerate(lines, 1):
        if line and len(line.split()) != 2:  # noqa: PLR2004  a token in base64, and its rank
            raise ValueError(f"line {number} is not a token and its rank")


def _check_json(path: Path) -> None:
    if not isinstance(json.loads(path.read_text(encoding="utf-8")), dict):
        raise TypeError("is not a JSON object")


def _check_safetensors(path: Path) -> None:
    with safe_open(path, "pt") as file:
        if not list(file.keys()):
            raise ValueError("holds no parameters")


def _foreign(path: Path, error: Exception) -> str:
    reason = " ".join(str(error).split())[:200] or type(error).__name__
    return f"{path}: is not this file of IndexTTS-2.5: {reason}; {_ADVICE}"
