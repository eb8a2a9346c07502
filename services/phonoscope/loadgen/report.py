"""Text and JSON of a run: the progress lines, the closing table, the JSON document. Called by the CLI."""

import math
import os
import platform
from collections.abc import Iterator
from dataclasses import asdict
from typing import Final

import phonoscope
from phonoscope.loadgen.events import Figures, LoadEvent, ServerAway, ServerBack, Summary
from phonoscope.loadgen.histogram import RELATIVE_ERROR, Histogram
from phonoscope.loadgen.plan import LoadPlan
from phonoscope.loadgen.tally import MEASURED, Tally

PERCENTS: Final = (50.0, 90.0, 95.0, 99.0, 99.9)
MAX_ERRORS_IN_LINE: Final = 3
MILLISECONDS: Final = 1000.0


def line_of(event: LoadEvent, address: str) -> str:
    """Returns the line for an event of a run against `address`."""
    match event:
        case ServerAway(status):
            return f"no server is SERVING at {address} ({status}); checking until one is"
        case ServerBack(away_seconds):
            return f"{address} is SERVING, after {away_seconds:.1f} s"
        case Figures():
            return figures_line(event)


def figures_line(figures: Figures) -> str:
    """Returns the line of the last seconds."""
    tally, seconds = figures.tally, max(figures.seconds, 1e-9)
    parts = [
        f"{figures.at_seconds:6.0f} s",
        f"{tally.ended / seconds:6.1f} calls/s",
        f"ok {tally.ok}",
        f"in flight {figures.in_flight}",
    ]
    for name, called in (("first_audio_seconds", "first audio"), ("unary_seconds", "unary reply")):
        if (histogram := tally.measured[name]).count:
            parts.append(f"{called} p50 {milliseconds(histogram, 50)} p95 {milliseconds(histogram, 95)} ms")
    parts.append(f"audio {tally.audio_seconds / seconds:.1f} s/s")
    if (factor := tally.measured["real_time_factor"]).count:
        parts.append(f"RTF {factor.percentile(50):.3f}")
    parts.append(f"underruns {tally.underruns}")
    parts.extend(f"{called} {count}" for called, count in unusual_counts(tally) if count)
    if tally.errors:
        parts.append(f"errors {errors_text(tally, max_kinds=MAX_ERRORS_IN_LINE)}")
    return "  ".join(parts)


def unusual_counts(tally: Tally) -> tuple[tuple[str, int], ...]:
    """Returns the counts that are 0 in most runs, with their labels."""
    return (
        ("refused as meant", tally.refused_as_meant),
        ("cancelled", tally.cancelled),
        ("no room", tally.no_room),
        ("not sent while away", tally.server_away),
        ("cut off", tally.cut_off),
    )


def errors_text(tally: Tally, *, max_kinds: int) -> str:
    """Returns the errors, the most frequent first, and the number of kinds left out."""
    shown = [f"{error} {count}" for error, count in tally.errors.most_common(max_kinds)]
    left_out = len(tally.errors) - len(shown)
    return ", ".join(shown) + (f", and {left_out} more kinds" if left_out else "")


def milliseconds(histogram: Histogram, percent: float) -> str:
    """Returns a percentile of seconds in milliseconds, with three digits."""
    return three_digits(MILLISECONDS * histogram.percentile(percent))


def three_digits(value: float) -> str:
    """Returns a value with about three significant digits."""
    if math.isnan(value):
        return "-"
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"  # noqa: PLR2004


def table_of(summary: Summary, address: str) -> str:
    """Returns the closing table."""
    tally = summary.tally
    counts = "   ".join(f"{called} {count}" for called, count in unusual_counts(tally))
    rates = (
        f"{tally.ended / max(summary.seconds, 1e-9):.2f} calls/s   "
        f"{tally.audio_seconds / max(summary.seconds, 1e-9):.1f} audio seconds/s"
    )
    rows = [
        header_of(summary, address),
        f"calls      ok {tally.ok}   failed {tally.failed}   {counts}",
        f"rates      {rates}",
        f"underruns  {tally.underruns} in {tally.streams_with_underruns} of {tally.streams} streams",
    ]
    if tally.errors:
        rows.append(f"errors     {errors_text(tally, max_kinds=len(tally.errors))}")
    return "\n".join([*rows, "", *percentile_rows(tally)])


def header_of(summary: Summary, address: str) -> str:
    """Returns the first row of the table: target, load, duration and seed."""
    plan = summary.plan
    parts = [address, load_text(plan), f"{summary.seconds:.1f} s", f"seed {plan.seed}"]
    if plan.neighbours:
        parts.append(f"busy neighbours {plan.neighbours}")
    return "   ".join(parts)


def load_text(plan: LoadPlan) -> str:
    """Returns mode and load of a run."""
    if not plan.is_open_loop:
        retries = "" if plan.retry_seconds is None else f", retries after {plan.retry_seconds:g} s"
        return f"{plan.mode.value}, closed loop of {plan.concurrency}{retries}"
    rates = (plan.arrivals_per_second,) if plan.ramp_per_second is None else plan.ramp_per_second
    rates_text = " to ".join(f"{rate:g}" for rate in rates)
    return f"{plan.mode.value}, open loop of {rates_text}/s, up to {plan.max_in_flight} in flight"


def percentile_rows(tally: Tally) -> Iterator[str]:
    """Yields the rows of percentiles: milliseconds since a call was due, and the real-time factor."""
    titles = ("count", *(f"p{percent:g}" for percent in PERCENTS), "max")
    yield f"{'milliseconds':<26}" + "".join(f"{title:>9}" for title in titles)
    for name, called in MEASURED.items():
        histogram = tally.measured[name]
        if histogram.count:
            values = [*(histogram.percentile(percent) for percent in PERCENTS), histogram.largest]
            shown = [f"{v:.3f}" if name == "real_time_factor" else three_digits(MILLISECONDS * v) for v in values]
            yield f"{called:<26}" + "".join(f"{cell:>9}" for cell in (str(histogram.count), *shown))


def json_of(summary: Summary, address: str) -> dict[str, object]:
    """Returns all figures of a run as a JSON document; `relative_error` is that of its percentiles."""
    tally = summary.tally
    return {
        "target": address,
        "plan": plan_document(summary.plan),
        "client": {
            "phonoscope": phonoscope.__version__,
            "python": platform.python_version(),
            "platform": platform.platform(),
            "cores": os.cpu_count(),
        },
        "seconds": summary.seconds,
        "calls": {"ok": tally.ok, "failed": tally.failed}
        | {called.replace(" ", "_"): count for called, count in unusual_counts(tally)},
        "errors": dict(tally.errors.most_common()),
        "calls_per_second": tally.ended / max(summary.seconds, 1e-9),
        "audio_seconds": tally.audio_seconds,
        "audio_seconds_per_second": tally.audio_seconds / max(summary.seconds, 1e-9),
        "streams": tally.streams,
        "streams_with_underruns": tally.streams_with_underruns,
        "underruns": tally.underruns,
        "relative_error": RELATIVE_ERROR,
        "measured": {name: figures_of(histogram) for name, histogram in tally.measured.items() if histogram.count},
        "samples": [asdict(sample) for sample in summary.samples],
    }


def figures_of(histogram: Histogram) -> dict[str, float]:
    """Returns count, mean, percentiles and maximum of a measurement."""
    percentiles = {f"p{percent:g}": histogram.percentile(percent) for percent in PERCENTS}
    return {"count": histogram.count, "mean": histogram.mean, **percentiles, "max": histogram.largest}


def plan_document(plan: LoadPlan) -> dict[str, object]:
    """Returns a plan as JSON members."""
    return asdict(plan) | {"mode": plan.mode.value}
