"""What a comparison says: a line a figure, a column a way, and what transport can and cannot account for."""

import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from phonoscope.comparison.rounds import IN_FLIGHT, Compared, Figures
from phonoscope.comparison.ways import GRPC_UNARY, JSON_KEPT

MAX_LATENCY: Final = 0.4
LEAST_RATE: Final = 4.0
MAX_CPU: Final = 0.4
MANY: Final = IN_FLIGHT[-1]

ARTICLE: Final = (
    "An article on a system like the one that this began from reports for its change from HTTP with JSON to gRPC: "
    "latency 382 to 197 ms, 2.6 to 5.1 calls a second, CPU 68 to 43 %, memory ±120 to ±65 MB. The table has the same "
    "change with the engine left alone. A transport accounts for what it takes above the engine's floor, and for when "
    "the first audio leaves; it cannot make an engine faster, so a change of throughput beyond the CPU that it saves "
    "came from something else."
)


@dataclass(frozen=True, slots=True)
class Line:
    """One figure of all ways.

    Attributes:
        what, unit: of the figure, such as "latency" and "ms".
        values: medians, by the way's name.
        required: of gRPC's unary call beside JSON over a kept connection, as a ratio; None where nothing is.
        is_most: whether `required` is an upper bound.
    """

    what: str
    unit: str
    values: Mapping[str, float]
    required: float | None = None
    is_most: bool = True

    @property
    def ratio(self) -> float:
        """A unary call of gRPC's by one of JSON over a kept connection."""
        return self.values[GRPC_UNARY] / self.values[JSON_KEPT] if self.values[JSON_KEPT] > 0 else float("nan")

    @property
    def verdict(self) -> str:
        """What is required and whether it is met; "" where nothing is."""
        if self.required is None:
            return ""
        is_met = self.ratio <= self.required if self.is_most else self.ratio >= self.required
        return f"{'at most' if self.is_most else 'at least'} {self.required:g}: {'met' if is_met else 'missed'}"


def lines(compared: Compared) -> Iterator[Line]:
    """Yields the figures of one engine."""
    floor = compared.floor

    def line(what: str, unit: str, of: Callable[[Figures], float], required: float | None = None) -> Line:
        asked = required if floor is not None else None
        return Line(what, unit, {name: of(own) for name, own in compared.ways.items()}, asked)

    yield line("latency", "ms", lambda own: _median(own.latency_ms))
    if floor is not None:
        alone = _median(floor.latency_ms)
        yield line(f"latency less the engine's {alone:.2f}", "ms", _less(alone), MAX_LATENCY)
    yield line("first audio", "ms", lambda own: _median(own.first_audio_ms))
    for count in IN_FLIGHT:
        rate = line(f"calls, {count} in flight", "1/s", _rate(count))
        is_asked = floor is not None and count == MANY
        yield Line(rate.what, rate.unit, rate.values, LEAST_RATE if is_asked else None, is_most=False)
    for count in IN_FLIGHT:
        required = MAX_CPU if count == MANY else None
        yield line(f"server's CPU a call, {count} in flight", "ms", _cpu(count), required)
    if floor is not None:
        yield line(f"CPU less the engine's {floor.cpu_ms:.2f}", "ms", _cpu(MANY, floor.cpu_ms))
    yield line("server's peak memory", "MiB", lambda own: own.peak_mebibytes)


def table_of(compared: Sequence[Compared]) -> str:
    """Returns the table in Markdown, which reads as well on a terminal, and what it says."""
    names = list(compared[0].ways)
    rows = [["", *names, "unary ÷ kept", "required"]]
    for one in compared:
        for line in lines(one):
            figures = [_figure(line.values[name]) for name in names]
            rows.append([f"{one.engine}: {line.what}, {line.unit}", *figures, f"{line.ratio:.2f}", line.verdict])
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    rows.insert(1, ["-" * width for width in widths])
    written = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    return "\n".join([*written, "", ARTICLE])


def json_of(compared: Sequence[Compared]) -> dict[str, Any]:
    """Returns everything that was measured, for programs."""
    return {
        one.engine: {
            "ways": {name: asdict(figures) for name, figures in one.ways.items()},
            "floor": None if one.floor is None else asdict(one.floor),
            "figures": [
                {
                    "what": line.what,
                    "unit": line.unit,
                    "medians": line.values,
                    "ratio": line.ratio,
                    "verdict": line.verdict,
                }
                for line in lines(one)
            ],
        }
        for one in compared
    }


def _less(alone: float) -> Callable[[Figures], float]:
    return lambda own: _median(own.latency_ms) - alone


def _rate(in_flight: int) -> Callable[[Figures], float]:
    return lambda own: _median(own.calls_per_second[in_flight])


def _cpu(in_flight: int, less: float = 0.0) -> Callable[[Figures], float]:
    return lambda own: _median(own.cpu_ms[in_flight]) - less


def _median(values: Sequence[float]) -> float:
    return float(statistics.median(values))


def _figure(value: float) -> str:
    """Returns three significant digits, without an exponent."""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:#.3g}"  # noqa: PLR2004  three digits
