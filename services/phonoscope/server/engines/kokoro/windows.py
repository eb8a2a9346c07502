"""The last stage of the generator over windows of an utterance. Used by `engine.py`.

Its norms average over the whole utterance, so a window alone would have other averages and another sound. `measure`
estimates them from a sample, which `sampling.py` chooses; `render_windows` takes them as given. Windows then join
without a seam: apart from the norms, an output reads a few milliseconds to each side, which every window computes too.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812  the usual name

from phonoscope.server.engines.kokoro.generator import Generator
from phonoscope.server.engines.kokoro.layers import Given
from phonoscope.server.engines.kokoro.model import Decoded
from phonoscope.server.engines.kokoro.moments import GatheredMoments, KnownMoments, MomentPair
from phonoscope.server.engines.kokoro.sampling import MARGIN, Sample, choose_sample
from phonoscope.server.engines.mask import SpanMask


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """An utterance whose last stage can be computed in windows.

    Attributes:
        decoded: the utterance.
        source_moments: of the norms of the source's blocks, in order.
        block_moments: of the norms of the other blocks, in order.
    """

    decoded: Decoded
    source_moments: Sequence[MomentPair]
    block_moments: Sequence[MomentPair]


@dataclass(frozen=True, slots=True)
class Window:
    """Points `start` to `stop` (excluded) of an utterance; a point is a value of F0, 12.5 ms."""

    measured: Measured
    start: int
    stop: int


def measure(generator: Generator, decoded: Decoded) -> Measured:
    """Returns an utterance with moments estimated from a sample of it."""
    sample = choose_sample(decoded.x, decoded.source, decoded.points)
    sources, blocks = (GatheredMoments(sample.weights, MARGIN) for _ in range(2))
    x = _cut(decoded.x, sample)
    x = x + generator.last_source(_cut(decoded.source, sample), Given(decoded.style, sources))
    generator.last_blocks(x, Given(decoded.style, blocks))
    return Measured(decoded, sources.gathered, blocks.gathered)


def _cut(x: Tensor, sample: Sample) -> Tensor:
    """Returns the sample's parts of x (1, channels, 1, time), one in each row."""
    parts = [x[..., start : start + sample.length] for start in sample.starts]
    return torch.cat(parts).contiguous(memory_format=torch.channels_last)


def render_windows(generator: Generator, windows: Sequence[Window]) -> list[Tensor]:
    """Returns the samples (time,) of windows, each of the same number of points."""
    per_point = generator.positions_per_point
    size = (windows[0].stop - windows[0].start) * per_point + 1
    reach, source_reach = generator.reach, generator.source_reach
    style = torch.cat([window.measured.decoded.style for window in windows])
    sources = [window.measured.decoded.source for window in windows]
    source, mask = _slices(sources, windows, per_point, size, reach + source_reach)
    moments = KnownMoments([window.measured.source_moments for window in windows])
    added = generator.last_source(source, Given(style, moments, mask))
    x, mask = _slices([one.measured.decoded.x for one in windows], windows, per_point, size, reach)
    x = x + added[..., source_reach : source_reach + x.shape[3]]
    moments = KnownMoments([window.measured.block_moments for window in windows])
    spectra = generator.last_blocks(x, Given(style, moments, mask))
    return [_samples(generator, row, window, per_point, reach) for row, window in zip(spectra, windows, strict=True)]


def silent_window(generator: Generator, style: Tensor, points: int) -> Window:
    """Returns a window in the middle of a made-up utterance, to prepare the network for windows of its length."""
    channels, spectra = generator.last_channels, generator.fft_size + 2
    per_point = generator.positions_per_point
    time = 3 * points * per_point + 1
    style = style[None, : style.shape[0] // 2]

    def silence(count: int, dtype: torch.dtype) -> Tensor:
        made = torch.zeros(1, count, 1, time, dtype=dtype, device=style.device)
        return made.contiguous(memory_format=torch.channels_last)

    decoded = Decoded(silence(channels, generator.dtype), silence(spectra, torch.float32), style, 3 * points)
    return Window(measure(generator, decoded), points, 2 * points)


def _slices(
    wholes: Sequence[Tensor], windows: Sequence[Window], per_point: int, size: int, reach: int
) -> tuple[Tensor, SpanMask | None]:
    """Returns the positions of windows with `reach` more on each side, zeros beyond the ends, and their mask."""
    rows, spans = [], []
    for whole, window in zip(wholes, windows, strict=True):
        left = window.start * per_point - reach
        right = left + size + 2 * reach
        real_left, real_right = max(left, 0), min(right, whole.shape[3])
        rows.append(F.pad(whole[..., real_left:real_right], (real_left - left, right - real_right)))
        spans.append((real_left - left, real_right - left))
    batch = torch.cat(rows).contiguous(memory_format=torch.channels_last)
    return batch, SpanMask.of(spans, batch.shape[3])


def _samples(generator: Generator, spectra: Tensor, window: Window, per_point: int, reach: int) -> Tensor:
    """Returns a window's samples of the spectra (channels, 1, time) of it and its surroundings."""
    whole = window.measured.decoded.x.shape[3]
    left = window.start * per_point - reach
    real = slice(max(0, -left), min(spectra.shape[2], whole - left))
    samples = generator.samples(spectra[None, ..., real])[0]
    skipped = (window.start * per_point - max(left, 0)) * generator.hop
    return samples[skipped : skipped + (window.stop - window.start) * per_point * generator.hop]
