"""Makes tiny Piper voices with random weights: NAME.onnx and NAME.onnx.json, as Piper's own tools write them.

The embedded voice has one speaker and medium quality. These cover the rest: x_low, high (the other residual block) and
voices of several speakers. The network and its inference graph are piper-tts's training classes, used as a black box
and exported by torch as piper-tts exports them, so they are a reference that shares no code with ours. Loaded by path
from the conftest files, since pytest's importlib mode keeps test folders off sys.path.
"""

import fcntl
import hashlib
import importlib.metadata
import json
import math
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

KEPT = Path(__file__).parents[2] / ".cache" / "made-voices"
SYMBOLS = 40
EXAMPLE_LENGTH = 50


@dataclass(frozen=True, slots=True)
class Recipe:
    """A voice to make: Piper's hyperparameters of a quality, with few channels."""

    quality: str
    sample_rate_hz: int
    latent_channels: int
    hidden_channels: int
    resblock: str
    resblock_kernel_sizes: tuple[int, ...]
    resblock_dilations: tuple[tuple[int, ...], ...]
    upsample_rates: tuple[int, ...]
    upsample_kernel_sizes: tuple[int, ...]
    upsample_channels: int
    speakers: int = 1
    speaker_channels: int = 0
    phoneme_type: str = "espeak"

    @property
    def samples_per_frame(self) -> int:
        return math.prod(self.upsample_rates)


def _type_2(quality: str, **changes: Any) -> Recipe:
    shape = {
        "sample_rate_hz": 22050,
        "latent_channels": 20,
        "hidden_channels": 24,
        "resblock": "2",
        "resblock_kernel_sizes": (3, 5, 7),
        "resblock_dilations": ((1, 2), (2, 6), (3, 12)),
        "upsample_rates": (8, 8, 4),
        "upsample_kernel_sizes": (16, 16, 8),
        "upsample_channels": 32,
    }
    return Recipe(quality=quality, **(shape | changes))


def _type_1(quality: str, **changes: Any) -> Recipe:
    shape = {
        "sample_rate_hz": 22050,
        "latent_channels": 20,
        "hidden_channels": 24,
        "resblock": "1",
        "resblock_kernel_sizes": (3, 7, 11),
        "resblock_dilations": ((1, 3, 5), (1, 3, 5), (1, 3, 5)),
        "upsample_rates": (8, 8, 2, 2),
        "upsample_kernel_sizes": (16, 16, 4, 4),
        "upsample_channels": 48,
    }
    return Recipe(quality=quality, **(shape | changes))


RECIPES = {
    "xx_XX-made-x_low": _type_2(
        "x_low", sample_rate_hz=16000, latent_channels=12, hidden_channels=12, phoneme_type="text"
    ),
    "xx_XX-made-medium": _type_2("medium"),
    "xx_XX-choir-medium": _type_2("medium", speakers=5, speaker_channels=32),
    "xx_XX-made-high": _type_1("high"),
    "xx_XX-choir-high": _type_1("high", speakers=5, speaker_channels=512),
}


def voice_path(name: str) -> Path:
    """Returns NAME.onnx, its .json beside it; made once for this file and these versions. Do not write to them."""
    directory = KEPT / _made_of()
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"{name}.onnx"
    with (directory / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # other test processes need the voice, too
        if not path.exists():
            _make(name, path)
    return path


def _made_of() -> str:
    """Returns a digest of what decides how the voices are: this file, and the packages that make them."""
    digest = hashlib.sha256(Path(__file__).read_bytes())
    for package in ("onnx", "piper-tts", "torch"):
        digest.update(f"{package} {importlib.metadata.version(package)}".encode())
    return digest.hexdigest()[:16]


def _make(name: str, path: Path) -> None:
    """Writes the two files of a voice; the path exists once both are complete."""
    recipe = RECIPES[name]
    path.with_name(f"{name}.onnx.json").write_text(json.dumps(voice_json(recipe)), encoding="utf-8")
    unfinished = path.with_suffix(".unfinished")
    with warnings.catch_warnings(), torch.random.fork_rng(), torch.no_grad():
        warnings.simplefilter("ignore")  # of the tracer, the old exporter, and piper-tts's old weight norm
        torch.manual_seed(sorted(RECIPES).index(name))
        network = _network(recipe)
        _randomise(network)
        _export(network, unfinished)
    unfinished.rename(path)


def voice_json(recipe: Recipe) -> dict[str, Any]:
    """Returns what stands in NAME.onnx.json."""
    letters = dict(zip("abcdefghijklmnopqrstuvwxyz .,!?-ˈˌːə", range(3, SYMBOLS), strict=False))
    return {
        "audio": {"sample_rate": recipe.sample_rate_hz, "quality": recipe.quality},
        "espeak": {"voice": "en-us"},
        "inference": {"noise_scale": 0.5, "length_scale": 1.1, "noise_w": 0.7},
        "phoneme_type": recipe.phoneme_type,
        "phoneme_map": {},
        "phoneme_id_map": {"_": [0], "^": [1], "$": [2]} | {letter: [i] for letter, i in letters.items()},
        "num_symbols": SYMBOLS,
        "num_speakers": recipe.speakers,
        "speaker_id_map": {f"singer-{i}": i for i in range(recipe.speakers)} if recipe.speakers > 1 else {},
        "language": {"code": "en_US"},
    }


def _network(recipe: Recipe) -> Any:
    from piper.train.vits.models import SynthesizerTrn  # here, where its warnings are silenced

    network = SynthesizerTrn(
        n_vocab=SYMBOLS,
        spec_channels=4,  # of the posterior encoder, which only training has
        segment_size=32,
        inter_channels=recipe.latent_channels,
        hidden_channels=recipe.hidden_channels,
        filter_channels=2 * recipe.hidden_channels,
        n_heads=2,
        n_layers=2,
        kernel_size=3,
        p_dropout=0.1,
        resblock=recipe.resblock,
        resblock_kernel_sizes=recipe.resblock_kernel_sizes,
        resblock_dilation_sizes=recipe.resblock_dilations,
        upsample_rates=recipe.upsample_rates,
        upsample_initial_channel=recipe.upsample_channels,
        upsample_kernel_sizes=recipe.upsample_kernel_sizes,
        n_speakers=recipe.speakers,
        gin_channels=recipe.speaker_channels,
    ).eval()
    network.dec.remove_weight_norm()
    return network


def _randomise(network: Any) -> None:
    """Gives every layer something to do: a fresh VITS starts with identity flows and a nearly silent generator."""
    for name, parameter in network.named_parameters():
        if name.endswith(("gamma", "beta")):
            parameter.add_(0.2 * torch.randn_like(parameter))
        elif name.startswith("dp.flows.") and ".proj." in name:  # the splines' bins and slopes
            parameter.copy_(0.7 * torch.randn_like(parameter))
        elif name.startswith("flow.") and ".post." in name:
            parameter.copy_(0.2 * torch.randn_like(parameter))
        elif name.startswith("dec.") and name.endswith("weight"):
            inputs = parameter[0].numel() if "ups" not in name else parameter.shape[0] * 2  # taps that meet a sample
            parameter.copy_(torch.randn_like(parameter) * (1 if "resblocks" not in name else 0.7) / inputs**0.5)
    network.dp.flows[0].logs.copy_(torch.tensor([[1.2], [-0.3]]))
    _set_pace(network)


def _set_pace(network: Any) -> None:
    """Shifts the log durations so that two frames a phoneme are usual."""
    ids = torch.arange(EXAMPLE_LENGTH).remainder(SYMBOLS).unsqueeze(0)
    x, _, _, mask = network.enc_p(ids, torch.tensor([EXAMPLE_LENGTH]))
    speaker = network.emb_g(torch.tensor([0])).unsqueeze(-1) if network.n_speakers > 1 else None
    log_durations = network.dp(x, mask, g=speaker, reverse=True, noise_scale=0)
    affine = network.dp.flows[0]  # log duration = (z - m) / exp(logs)
    affine.m[0] += (log_durations.mean() - 0.7) * affine.logs[0].exp()


def _export(network: Any, path: Path) -> None:
    def speak(ids: Any, lengths: Any, scales: Any, speaker: Any = None) -> Any:
        audio, *_ = network.infer(
            ids, lengths, sid=speaker, noise_scale=scales[0], length_scale=scales[1], noise_scale_w=scales[2]
        )
        return audio.unsqueeze(1)

    network.forward = speak
    ids = torch.randint(0, SYMBOLS, (1, EXAMPLE_LENGTH))
    speaker = torch.tensor([0]) if network.n_speakers > 1 else None
    torch.onnx.export(
        network,
        (ids, torch.tensor([EXAMPLE_LENGTH]), torch.tensor([0.667, 1.0, 0.8]), speaker),
        path,
        dynamo=False,
        opset_version=15,
        input_names=["input", "input_lengths", "scales", "sid"],
        output_names=["output"],
        dynamic_axes={
            "input": {0: "batch_size", 1: "phonemes"},
            "input_lengths": {0: "batch_size"},
            "output": {0: "batch_size", 2: "time"},
        },
    )
