"""One utterance in progress in the Kokoro engine.

`prepare` plans it. A streamed sentence that is long is then decoded and measured, and rendered window by window; any
other is rendered in one step. An utterance is one part. Only one of more phonemes than the network reads at once is
cut, at spaces, into several, which are spoken one after the other.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from phonoscope.server.engines.base import Job, Step
from phonoscope.server.engines.kokoro.config import CURVE_RATE, SAMPLE_RATE_HZ, KokoroShape
from phonoscope.server.engines.kokoro.model import Decoded, DecoderInput
from phonoscope.server.engines.kokoro.windows import Measured, Window
from phonoscope.server.engines.windows import nearest_size, window_stops
from phonoscope.server.types import Utterance

PREPARE: Final = "prepare"
DECODE: Final = "decode"
MEASURE: Final = "measure"
RENDER: Final = "render"
# Streamed sentences from this length on are rendered in windows. Below it, measuring takes as long as the rest.
LONG_SECONDS: Final = 4.0
# Lengths of windows in points of 12.5 ms. A window's context is a fifth of the first and a sixteenth of the last.
WINDOW_POINTS: Final = (20, 40, 80, 160)
# A part that is rendered in one step is decoded in it, too: the cost of its points relative to those of a window.
WHOLE_COST: Final = 1.7
# The network begins a sentence with a pad of 0.3 to 0.5 s, silent but for its last 0.12 s at most. This much is kept.
LEAD_SECONDS: Final = 0.15


@dataclass(slots=True, eq=False)
class Part:
    """A part of an utterance whose length is known.

    Attributes:
        frames: that each of its phonemes lasts in the audio, with the pads at both ends.
        given: the decoder's input.
        cursor, stop: the next point to render, and the end of the last one.
        is_windowed: whether it is rendered in windows.
        decoded, measured: None until these steps have run.
    """

    frames: tuple[int, ...]
    given: DecoderInput
    cursor: int
    stop: int
    is_windowed: bool
    decoded: Decoded | None = None
    measured: Measured | None = None


def made_part(frames: Sequence[int], given: DecoderInput, shape: KokoroShape, *, is_streamed: bool) -> Part:
    """Returns a part of which nothing is rendered, without most of the silence at its start."""
    frame_seconds = shape.samples_per_frame / SAMPLE_RATE_HZ
    lead = min(frames[0], round(LEAD_SECONDS / frame_seconds))
    kept = (lead, *frames[1:])
    start = CURVE_RATE * (frames[0] - lead)
    is_long = sum(kept) * frame_seconds >= LONG_SECONDS
    return Part(kept, given, start, start + CURVE_RATE * sum(kept), is_streamed and is_long)


@dataclass(frozen=True, slots=True, eq=False)
class PartStep(Step):
    """A step of one part: points up to `stop`, for `render`."""

    part: Part
    stop: int = 0


class KokoroJob:
    """An utterance's state between steps.

    Args:
        utterance: what to say.
        network: identifies the network that its steps run on.
        point_seconds: duration of a value of F0.

    Attributes:
        parts: None until `prepare` has run.
        current: number of parts that are rendered.
        symbol_samples: of each symbol of the utterance; empty until `prepare` has run.
    """

    def __init__(self, utterance: Utterance, network: str, point_seconds: float) -> None:
        self.utterance = utterance
        self.parts: Sequence[Part] | None = None
        self.current = 0
        self.symbol_samples: tuple[int, ...] = ()
        self._network = network
        self._point_seconds = point_seconds

    def next_step(self, audio_seconds: float) -> Step | None:
        """Returns the utterance's `prepare`, then the next step of its part; None at its end."""
        if self.parts is None:
            return Step(self, PREPARE, self._network, cost=len(self.utterance.symbols), audio_seconds=0.0)
        if self.current == len(self.parts):
            return None
        part = self.parts[self.current]
        points = part.stop - part.cursor
        if not part.is_windowed:
            return self._rendering(part, part.stop, id(part), WHOLE_COST * points)  # by itself
        if part.decoded is None:
            return PartStep(self, DECODE, self._network, part.given.points, 0.0, part)
        if part.measured is None:
            return PartStep(self, MEASURE, self._network, part.given.points, 0.0, part)
        size = nearest_size(WINDOW_POINTS, audio_seconds / self._point_seconds)
        [stop] = window_stops(part.cursor, size, part.stop)
        return self._rendering(part, stop, stop - part.cursor, stop - part.cursor)

    def _rendering(self, part: Part, stop: int, size: int, cost: float) -> PartStep:
        seconds = (stop - part.cursor) * self._point_seconds
        return PartStep(self, RENDER, (self._network, size), cost, seconds, part, stop)


def own_job(job: Job) -> KokoroJob:
    """Returns a job of this engine. Raises TypeError for any other."""
    if not isinstance(job, KokoroJob):
        raise TypeError(f"{type(job).__name__} is not a job of the Kokoro engine")
    return job


def own_step(step: Step) -> PartStep:
    """Returns a step of a part. Raises TypeError for any other."""
    if not isinstance(step, PartStep):
        raise TypeError(f"a step of kind {step.kind!r} has no part")
    return step


def decoded_of(part: Part) -> Decoded:
    """Returns the result of a part's `decode`."""
    assert part.decoded is not None  # noqa: S101  `next_step` decodes first
    return part.decoded


def window_of(step: PartStep) -> Window:
    """Returns the window of a step of `render`."""
    assert step.part.measured is not None  # noqa: S101  `next_step` measures first
    return Window(step.part.measured, step.part.cursor, step.stop)


def cut_symbols(symbols: Sequence[int], limit: int, space: int) -> Iterator[Sequence[int]]:
    """Yields the phonemes between the pads of an utterance, at most `limit` at a time, cut after spaces."""
    inner = symbols[1:-1]
    start = 0
    while len(inner) - start > limit:
        stop = next((at for at in range(start + limit, start, -1) if inner[at - 1] == space), start + limit)
        yield inner[start:stop]
        start = stop
    yield inner[start:]


def joined_frames(parts: Sequence[Part]) -> tuple[int, ...]:
    """Returns the frames of an utterance's symbols: pads between parts belong to the phonemes beside them."""
    joined: list[int] = []
    for part in parts:
        frames = list(part.frames)
        if joined:
            last, first = joined.pop(), frames.pop(0)
            joined[-1] += last
            frames[0] += first
        joined += frames
    return tuple(joined)
