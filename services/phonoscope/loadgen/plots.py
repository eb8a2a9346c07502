"""Plots of a run as SVG, from its samples. The only module that needs matplotlib, from the `bench` extra."""

import io
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Final

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from phonoscope.loadgen.samples import Sample

INCHES: Final = (8.0, 3.4)
MILLISECONDS: Final = 1000.0
MAX_DOTS: Final = 5000
BINS: Final = 40
MIN_IN_BIN: Final = 5
BLUE, RED, GREY = "#1f6feb", "#cf222e", "#57606a"
Quantity = Callable[[Sample], float | None]


def first_audio(sample: Sample) -> float | None:
    """Returns the milliseconds to first audio; None for a call that failed before it."""
    return None if sample.first_audio_seconds is None else MILLISECONDS * sample.first_audio_seconds


def whole_call(sample: Sample) -> float | None:
    """Returns the milliseconds to the end of a successful call; None for others."""
    return None if sample.error or sample.is_cancelled else MILLISECONDS * sample.seconds


def latency_over_time(samples: Sequence[Sample]) -> str:
    """Returns the plot of first audio by when a call was due; failures are ticks at the bottom."""
    axes = _axes("seconds since the start of the run", "first audio, ms")
    points = [(sample.due_seconds, value) for sample in samples if (value := first_audio(sample)) is not None]
    _dots(axes, points)
    if points:
        width = max(max(x for x, _ in points) / BINS, 1e-9)
        _percentile_lines(axes, [(width * (x // width + 0.5), y) for x, y in points])
    if failed := [sample.due_seconds for sample in samples if sample.error]:
        axes.plot(failed, [0.0] * len(failed), "|", color=RED, markersize=10, clip_on=False, label="refused or failed")
    return _svg(axes)


def latency_against_load(samples: Sequence[Sample]) -> str:
    """Returns the plot of first audio by the number of calls in flight when it was due, itself included."""
    axes = _axes("calls in flight", "first audio, ms")
    loads = in_flight(samples)
    points = [
        (float(load), value)
        for sample, load in zip(samples, loads, strict=True)
        if (value := first_audio(sample)) is not None
    ]
    _dots(axes, points)
    _percentile_lines(axes, points)
    return _svg(axes)


def distributions(samples: Sequence[Sample]) -> str:
    """Returns the plot of the cumulative distributions of first audio and of whole calls."""
    axes = _axes("milliseconds", "ratio of calls")
    for quantity, label, color in ((first_audio, "first audio", BLUE), (whole_call, "whole call", GREY)):
        values = sorted(value for sample in samples if (value := quantity(sample)) is not None)
        if values:
            shares = [(number + 1) / len(values) for number in range(len(values))]
            axes.step(values, shares, where="post", color=color, label=label)
    axes.set_ylim(0.0, 1.02)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    return _svg(axes)


def in_flight(samples: Sequence[Sample]) -> list[int]:
    """Returns, for each call, the number in flight when it was due, itself included."""
    moves = [(sample.due_seconds + sample.seconds, 0, -1) for sample in samples]  # an end comes before a start
    moves += [(sample.due_seconds, 1, number) for number, sample in enumerate(samples)]
    loads, now = [0] * len(samples), 0
    for _, is_start, number in sorted(moves):
        now += 1 if is_start else -1
        if is_start:
            loads[number] = now
    return loads


def _axes(x: str, y: str) -> Axes:
    axes = Figure(figsize=INCHES, layout="constrained").add_subplot()
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.grid(visible=True, color="#d0d7de", linewidth=0.5)
    axes.spines[["top", "right"]].set_visible(False)
    return axes


def _dots(axes: Axes, points: Sequence[tuple[float, float]]) -> None:
    """Draws one dot per call; with many calls, one for every n-th."""
    shown = points[:: len(points) // MAX_DOTS + 1]
    axes.plot([x for x, _ in shown], [y for _, y in shown], ".", color=BLUE, alpha=0.35, markersize=4, label="a call")
    axes.set_ylim(bottom=0.0)


def _percentile_lines(axes: Axes, points: Sequence[tuple[float, float]]) -> None:
    """Draws p50 and p95 for each x with enough calls."""
    groups: dict[float, list[float]] = defaultdict(list)
    for x, y in points:
        groups[x].append(y)
    enough = sorted((x, sorted(ys)) for x, ys in groups.items() if len(ys) >= MIN_IN_BIN)
    for share, style in ((0.5, "-"), (0.95, "--")):
        ys = [values[min(len(values) - 1, int(share * len(values)))] for _, values in enough]
        axes.plot([x for x, _ in enough], ys, style, color="black", linewidth=1.2, label=f"p{share:.0%}".rstrip("%"))


def _svg(axes: Axes) -> str:
    if axes.get_legend_handles_labels()[0]:
        axes.legend(frameon=False, fontsize="small")
    text = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "phonoscope"}):
        axes.figure.savefig(text, format="svg", metadata={"Date": None})  # type: ignore[union-attr]  # never a subfigure
    svg = text.getvalue()
    return svg[svg.index("<svg") :]
