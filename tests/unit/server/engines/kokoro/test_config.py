"""The published config.json, and broken ones."""

import json
from pathlib import Path

import pytest

from phonoscope.server.engines.kokoro.alphabet import VOCABULARY
from phonoscope.server.engines.kokoro.config import KokoroConfig, read_config

PUBLISHED = json.loads(Path(__file__).with_name("published_config.json").read_text()) | {"vocab": dict(VOCABULARY)}


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
