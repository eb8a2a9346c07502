"""A random network of Kokoro's family of shapes, small enough for unit tests, as a checkpoint and as style packs."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog
import torch
from structlog.testing import CapturingLogger

from phonoscope.server.engines.kokoro.config import AlbertShape, GeneratorShape, KokoroConfig, KokoroShape
from phonoscope.server.engines.kokoro.model import DecoderInput, Kokoro, PlanInput
from phonoscope.server.engines.loading import Loading
from phonoscope.server.settings import ServerSettings

SHAPE = KokoroShape(
    hidden_channels=16,
    style_channels=4,
    layers=2,
    max_duration=8,
    decoder_channels=12,
    residual_channels=4,
    albert=AlbertShape(8, 16, 24, heads=2, layers=2, positions=34),
    generator=GeneratorShape(16, block_kernel_sizes=(3, 5), block_dilations=((1, 3), (1, 3))),
)


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """Small convolutions lose more to waiting threads than they gain."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def shape() -> KokoroShape:
    return SHAPE


@pytest.fixture(scope="session")
def network() -> Kokoro:
    """A network of random parameters."""
    made = Kokoro(SHAPE).eval().requires_grad_(False)
    source = torch.Generator().manual_seed(7)
    for name, parameter in made.named_parameters():
        deviation = 0.02 if "conv_post" in name else 0.2  # samples are exponentials of its outputs
        mean = 1.0 if ".alpha" in name else 0.0
        parameter.copy_(torch.randn(parameter.shape, generator=source) * deviation + mean)
    return made


@pytest.fixture(scope="session")
def plan(network: Kokoro) -> Callable[..., list[tuple[torch.Tensor, DecoderInput]]]:
    """Plans utterances of the tiny network together: each by its number of phonemes, with its own style and noise."""

    def make(*counts: int, speed: float = 1.0, on: Kokoro = network) -> list[tuple[torch.Tensor, DecoderInput]]:
        batch = [
            PlanInput(
                torch.arange(count) * 7 % SHAPE.symbols,
                torch.randn(2 * SHAPE.style_channels, generator=torch.Generator().manual_seed(count)),
                torch.full((count,), speed),
            )
            for count in counts
        ]
        with torch.inference_mode():
            return on.plan(batch, [torch.Generator().manual_seed(count) for count in counts])

    return make


@pytest.fixture(scope="session")
def checkpoint(network: Kokoro) -> dict[str, dict[str, torch.Tensor]]:
    """The network in the form of the published checkpoint: parts, wrapped names, weight-normalised convolutions."""
    parts: dict[str, dict[str, torch.Tensor]] = {}
    for name, tensor in network.state_dict().items():
        part, _, inside = name.partition(".")
        held = parts.setdefault(part, {})
        if tensor.ndim != 4:
            held[f"module.{inside}"] = tensor
            continue
        weight = tensor.squeeze(2).contiguous()
        if any(plain in name for plain in ("noise_convs", "F0_proj", "N_proj")):
            held[f"module.{inside}"] = weight
        else:
            magnitude = weight.flatten(1).norm(dim=1).view(-1, 1, 1)
            held[f"module.{inside}_g"] = magnitude
            held[f"module.{inside}_v"] = 3 * weight  # only its direction counts
    parts["bert"]["module.pooler.weight"] = torch.zeros(2, 2)
    return parts


@pytest.fixture
def pack() -> torch.Tensor:
    """A style pack of the tiny network, as it is published."""
    source = torch.Generator().manual_seed(3)
    return torch.randn(SHAPE.max_symbols, 1, 2 * SHAPE.style_channels, generator=source)


@pytest.fixture
def folder(
    tmp_path: Path,
    checkpoint: dict[str, dict[str, torch.Tensor]],
    pack: torch.Tensor,
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """A folder of the tiny network with two voices, and no installed model."""
    made = tmp_path / "kokoro-tiny"
    (made / "voices").mkdir(parents=True)
    torch.save(checkpoint, made / "kokoro-v1_0.pth")
    for name in ("af_one", "im_two"):
        (made / "voices" / f"{name}.bin").write_bytes(pack.numpy().tobytes())
    loading = "phonoscope.server.engines.kokoro.loading"
    monkeypatch.setattr(f"{loading}.KokoroConfig", lambda: KokoroConfig(SHAPE))
    monkeypatch.setattr(f"{loading}.packaged_parts", list)
    return made


@pytest.fixture
def log() -> CapturingLogger:
    return CapturingLogger()


@pytest.fixture
def loading(tmp_path: Path, log: CapturingLogger) -> Callable[..., Loading]:
    """Makes what loaders need, with settings."""

    def make(**settings: object) -> Loading:
        # The class, too, as a server in another test sets one that leaves out what is below its level.
        logger = structlog.wrap_logger(
            log, processors=[lambda _logger, _name, event: ((), event)], wrapper_class=structlog.BoundLogger
        )
        chosen = ServerSettings(voices_dir=tmp_path, device="cpu", **settings)
        return Loading(chosen, logger, lambda _event: None, lambda _voice: None)

    return make
