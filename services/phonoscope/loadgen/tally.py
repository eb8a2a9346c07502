"""Counts and histograms of many calls, in constant memory: one for the last seconds, one for the whole run."""

from collections import Counter
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Self

from phonoscope.loadgen.histogram import Histogram
from phonoscope.loadgen.plan import CallResult

MEASURED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "first_audio_seconds": "first audio of streams",
        "stream_seconds": "whole streams",
        "gap_seconds": "between chunks",
        "unary_seconds": "unary replies",
        "failure_seconds": "refused or failed",
        "real_time_factor": "real-time factor",
    }
)
"""Measurements with percentiles, and their labels."""
MAX_ERROR_NAMES: Final = 30
OTHER_ERRORS: Final = "others"
ACCEPTED: Final = "BAD_REQUEST_ACCEPTED"


class Tally:
    """Counts of calls, and histograms of their measurements; times count from when a call was due."""

    def __init__(self) -> None:
        self.ok = 0
        self.refused_as_meant = 0
        self.cancelled = 0
        self.cut_off = 0
        self.no_room = 0
        self.server_away = 0
        self.streams = 0
        self.underruns = 0
        self.streams_with_underruns = 0
        self.audio_seconds = 0.0
        self.errors: Counter[str] = Counter()
        self.measured: Mapping[str, Histogram] = {name: Histogram() for name in MEASURED}

    @property
    def failed(self) -> int:
        """Calls that failed unexpectedly."""
        return self.errors.total()

    @property
    def ended(self) -> int:
        """Calls that ended before the run was stopped, including those that their callers cancelled."""
        return self.ok + self.refused_as_meant + self.cancelled + self.failed

    def add(self, result: CallResult) -> None:
        """Counts one call that has ended."""
        self._count_outcome(result)
        self._count_audio(result)
        if result.error:
            self.measured["failure_seconds"].add(result.seconds)
            return
        if result.is_cancelled:  # its duration depends on the caller
            return
        self.measured["stream_seconds" if result.call.is_stream else "unary_seconds"].add(result.seconds)
        if result.audio_seconds:
            self.measured["real_time_factor"].add(result.seconds / result.audio_seconds)

    def merge(self, other: Self) -> None:
        """Adds the counts of `other`."""
        self.ok += other.ok
        self.refused_as_meant += other.refused_as_meant
        self.cancelled += other.cancelled
        self.cut_off += other.cut_off
        self.no_room += other.no_room
        self.server_away += other.server_away
        self.streams += other.streams
        self.underruns += other.underruns
        self.streams_with_underruns += other.streams_with_underruns
        self.audio_seconds += other.audio_seconds
        for error, count in other.errors.items():
            self._count_error(error, count)
        for name, histogram in other.measured.items():
            self.measured[name].merge(histogram)

    def _count_outcome(self, result: CallResult) -> None:
        if result.call.is_bad and result.is_refused:
            self.refused_as_meant += 1
        elif result.error or result.call.is_bad:
            self._count_error(result.error or ACCEPTED, 1)
        elif result.is_cancelled:
            self.cancelled += 1
        else:
            self.ok += 1

    def _count_audio(self, result: CallResult) -> None:
        """Counts the audio, also of a call that failed later."""
        self.audio_seconds += result.audio_seconds
        if not result.call.is_stream or result.first_audio_seconds is None:
            return
        self.streams += 1
        self.underruns += result.underruns
        self.streams_with_underruns += result.underruns > 0
        self.measured["first_audio_seconds"].add(result.first_audio_seconds)
        for gap in result.gaps_seconds:
            self.measured["gap_seconds"].add(gap)

    def _count_error(self, error: str, count: int) -> None:
        """Counts an error by its name; names come from the network, so their number is limited."""
        is_named = error in self.errors or len(self.errors) < MAX_ERROR_NAMES
        self.errors[error if is_named else OTHER_ERRORS] += count
