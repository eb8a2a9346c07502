"""The published config.json, and broken ones."""

import json

import pytest

from phonoscope.server.engines.kokoro.alphabet import VOCABULARY
from phonoscope.server.engines.kokoro.config import KokoroConfig, read_config

PUBLISHED = {
    "n_token": 178,
    "hidden_dim": 512,
    "style_dim": 128,
    "n_layer": 3,
    "max_dur": 50,
    "text_encoder_kernel_size": 5,
    "plbert": {
        "hidden_size": 768,
        "num_attention_heads": 12,
        "intermediate_size": 2048,
        "max_position_embeddings": 512,
        "num_hidden_layers": 12,
    },
    "istftnet": {
        "upsample_kernel_sizes": [20, 12],
        "upsample_rates": [10, 6],
        "gen_istft_hop_size": 5,
        "gen_istft_n_fft": 20,
        "resblock_dilation_sizes": [[1, 3, 5], [1, 3, 5], [1, 3, 5]],
        "resblock_kernel_sizes": [3, 7, 11],
        "upsample_initial_channel": 512,
    },
    "vocab": dict(VOCABULARY),
}


def test_the_published_file_says_what_is_built_in(tmp_path):
    path = tmp_path / "config.json"
    path.write_text(json.dumps(PUBLISHED))
    assert read_config(path) == KokoroConfig()


def test_a_frame_is_25_milliseconds(tmp_path):
    shape = KokoroConfig().shape
    assert shape.samples_per_frame == 600
    assert shape.max_symbols == 510


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"n_token": "many"}, "whole number"),
        ({"n_token": 100}, "not below n_token"),
        ({"style_dim": -1}, "whole number"),
        ({"plbert": []}, "expected an object"),
        ({"istftnet": {}}, "upsample_initial_channel"),
        ({"vocab": None}, "expected an object"),
    ],
)
def test_an_invalid_member_is_named(change, reason, tmp_path, refused):
    path = tmp_path / "config.json"
    path.write_text(json.dumps(PUBLISHED | change))
    assert reason in refused(lambda: read_config(path), path)


@pytest.mark.parametrize("content", [b"{", b"\xff\xfe", b"[]", b"{}"])
def test_what_is_no_configuration_is_refused(content, tmp_path, refused):
    path = tmp_path / "config.json"
    path.write_bytes(content)
    assert "not the configuration of Kokoro" in refused(lambda: read_config(path), path)
