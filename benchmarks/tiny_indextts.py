"""Writes a checkpoint of IndexTTS-2.5 in its published form, tiny and random, made by the library's own classes.

It speaks noise, but every part of the library runs on it: tests and `benchmarks/indextts.py` do so on a CPU. Sizes
that the library fixes stay as they are: 1024 features and 17 layers of w2v-bert, all of CAMPPlus.
"""

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import torch
from indextts25.codec.models import EnhancedCodec
from indextts25.gpt.model_v2 import UnifiedVoice
from indextts25.s2mel.modules.bigvgan.bigvgan import BigVGAN
from indextts25.s2mel.modules.bigvgan.env import AttrDict
from indextts25.s2mel.modules.campplus.DTDNN import CAMPPlus
from indextts25.s2mel.modules.commons import MyModel
from omegaconf import OmegaConf
from safetensors.torch import save_file
from torch import nn
from transformers import SeamlessM4TFeatureExtractor, Wav2Vec2BertConfig, Wav2Vec2BertModel

TOKENIZER: Final = "multilingual_zh_ja_yue_char_del.tiktoken"
EMOTION_ROWS: Final = (1, 2, 1, 2, 1, 1, 2, 1)
_FEATURES: Final = 1024
_MODEL: Final = 32
_STYLE: Final = 192
_MEL: Final = 80
# A twelfth of what the model may choose ends a segment: it lasts half a second on average.
_CODES: Final = 12
_TEXT_TOKENS: Final = 2_000

CONFIG: Final[Mapping[str, Any]] = {
    "gpt": {
        "model_dim": _MODEL,
        "max_mel_tokens": 1600,
        "max_text_tokens": 300,
        "heads": 2,
        "layers": 1,
        "number_text_tokens": _TEXT_TOKENS,
        "number_mel_codes": _CODES,
        "start_mel_token": _CODES - 2,
        "stop_mel_token": _CODES - 1,
        "start_text_token": 0,
        "stop_text_token": 1,
        "emo_condition_module": {
            "output_size": 16,
            "linear_units": 16,
            "attention_heads": 2,
            "num_blocks": 1,
            "input_layer": "conv2d2",
            "perceiver_mult": 1,
        },
    },
    "semantic_codec": {
        "codebook_size": _CODES,
        "hidden_size": _FEATURES,
        "codebook_dim": 4,
        "vocos_dim": 16,
        "vocos_intermediate_dim": 16,
        "vocos_num_layers": 1,
    },
    "s2mel": {
        "preprocess_params": {
            "sr": 22_050,
            "spect_params": {
                "n_fft": 1024,
                "win_length": 1024,
                "hop_length": 256,
                "n_mels": _MEL,
                "fmin": 0,
                "fmax": "None",
            },
        },
        "dit_type": "DiT",
        "style_encoder": {"dim": _STYLE},
        "length_regulator": {
            "channels": 16,
            "in_channels": _FEATURES,
            "content_codebook_size": 8,
            "sampling_ratios": [1, 1],
        },
        "DiT": {
            "hidden_dim": 16,
            "num_heads": 2,
            "depth": 2,
            "class_dropout_prob": 0.1,
            "in_channels": _MEL,
            "style_condition": True,
            "final_layer_type": "wavenet",
            "content_dim": 16,
            "content_codebook_size": 8,
            "content_type": "discrete",
            "is_causal": False,
            "long_skip_connection": True,
            "time_as_token": False,
            "style_as_token": False,
            "uvit_skip_connection": True,
        },
        "wavenet": {
            "hidden_dim": 16,
            "num_layers": 1,
            "kernel_size": 5,
            "dilation_rate": 1,
            "p_dropout": 0.2,
            "style_condition": True,
        },
    },
    "gpt_checkpoint": "gpt.pth",
    "s2mel_checkpoint": "s2mel.pth",
    "w2v_stat": "wav2vec2bert_stats.pt",
    "emo_matrix": "feat2.pt",
    "spk_matrix": "feat1.pt",
    "emo_num": list(EMOTION_ROWS),
    "version": 2.5,
}
VOCODER: Final[Mapping[str, Any]] = {
    "num_mels": _MEL,
    "resblock": "1",
    "upsample_rates": [8, 8, 4],
    "upsample_kernel_sizes": [16, 16, 8],
    "upsample_initial_channel": 32,
    "resblock_kernel_sizes": [3],
    "resblock_dilation_sizes": [[1, 3, 5]],
    "activation": "snakebeta",
    "snake_logscale": True,
}


def write_checkpoint(folder: Path, seed: int = 5) -> None:
    """Writes every file of a checkpoint into a folder, which is created."""
    auxiliary = folder / "hf_cache"
    for made in (auxiliary / "w2v-bert-2.0", auxiliary / "bigvgan"):
        made.mkdir(parents=True, exist_ok=True)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        _write_config(folder)
        _write_networks(folder)
        _write_matrices(folder)
        _write_w2v_bert(auxiliary / "w2v-bert-2.0")
        _write_campplus(auxiliary / "campplus_cn_common.bin")
        _write_vocoder(auxiliary / "bigvgan")


def _write_config(folder: Path) -> None:
    (folder / "config.yaml").write_text(OmegaConf.to_yaml(OmegaConf.create(dict(CONFIG))), encoding="utf-8")
    tokens = (base64.b64encode(bytes([value])).decode() for value in range(256))
    lines = (f"{token} {rank}\n" for rank, token in enumerate(tokens))
    (folder / TOKENIZER).write_text("".join(lines), encoding="ascii")


def _write_networks(folder: Path) -> None:
    config = OmegaConf.create(dict(CONFIG))
    gpt = UnifiedVoice(**config.gpt)
    _scatter(gpt)
    torch.save(gpt.state_dict(), folder / "gpt.pth")
    torch.save({"model": EnhancedCodec(**config.semantic_codec).state_dict()}, folder / "codec.pth")
    parts = MyModel(config.s2mel).models
    torch.save({"net": {name: part.state_dict() for name, part in parts.items()}}, folder / "s2mel.pth")


def _scatter(network: nn.Module) -> None:
    """Makes matrices larger than they are before training, so that what goes in shows in what comes out."""
    for parameter in network.parameters():
        if parameter.ndim > 1:
            nn.init.normal_(parameter, std=0.3)


def _write_matrices(folder: Path) -> None:
    rows = sum(EMOTION_ROWS)
    torch.save({"mean": torch.zeros(_FEATURES), "var": torch.ones(_FEATURES)}, folder / "wav2vec2bert_stats.pt")
    torch.save(torch.randn(rows, _MODEL), folder / "feat2.pt")
    torch.save(torch.randn(rows, _STYLE), folder / "feat1.pt")


def _write_w2v_bert(folder: Path) -> None:
    config = Wav2Vec2BertConfig(
        hidden_size=_FEATURES,
        num_hidden_layers=17,
        num_attention_heads=16,
        intermediate_size=16,
        conv_depthwise_kernel_size=3,
    )
    config.save_pretrained(folder)
    extractor: Any = SeamlessM4TFeatureExtractor  # without types
    extractor().save_pretrained(folder)
    network = Wav2Vec2BertModel(config)
    halves = {name: tensor.to(torch.bfloat16).contiguous() for name, tensor in network.state_dict().items()}
    save_file(halves, folder / "model.safetensors")


def _write_campplus(path: Path) -> None:
    torch.save(CAMPPlus(feat_dim=_MEL, embedding_size=_STYLE).state_dict(), path)


def _write_vocoder(folder: Path) -> None:
    (folder / "config.json").write_text(json.dumps(VOCODER), encoding="utf-8")
    network = BigVGAN(AttrDict(VOCODER))
    torch.save({"generator": network.state_dict()}, folder / "bigvgan_generator.pt")
