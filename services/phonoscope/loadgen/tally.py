"""What came of many calls, in bounded memory: one tally for the last seconds, one for the whole run."""

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
"""What has percentiles, and how people call it."""
MOST_ERRORS_NAMED: Final = 30
OTHER_ERRORS: Final = "others"
ACCEPTED: Final = "BAD_REQUEST_ACCEPTED"


class Tally:
    """Counts of calls, and histograms of what was measured on them; all seconds count from when a call was due."""

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
        """Calls that failed, and were not meant to."""
        return self.errors.total()

    @property
    def ended(self) -> int:
        """Calls that ended before the run was stopped, those that their callers cancelled included."""
        return self.ok + self.refused_as_meant + self.cancelled + self.failed

    def add(self, made: CallResult) -> None:
        """Counts one call that has ended."""
        self._judge(made)
        self._listen(made)
        if made.error:
            self.measured["failure_seconds"].add(made.seconds)
            return
        if made.is_cancelled:  # how long it took is up to its caller
            return
        self.measured["stream_seconds" if made.call.is_stream else "unary_seconds"].add(made.seconds)
        if made.audio_seconds:
            self.measured["real_time_factor"].add(made.seconds / made.audio_seconds)

    def merge(self, other: Self) -> None:
        """Adds what `other` has counted."""
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

    def _judge(self, made: CallResult) -> None:
        if made.call.is_bad and made.is_refused:
            self.refused_as_meant += 1
        elif made.error or made.call.is_bad:
            self._count_error(made.error or ACCEPTED, 1)
        elif made.is_cancelled:
            self.cancelled += 1
        else:
            self.ok += 1

    def _listen(self, made: CallResult) -> None:
        """Counts what was heard; of a call that failed later too."""
        self.audio_seconds += made.audio_seconds
        if not made.call.is_stream or made.first_audio_seconds is None:
            return
        self.streams += 1
        self.underruns += made.underruns
        self.streams_with_underruns += made.underruns > 0
        self.measured["first_audio_seconds"].add(made.first_audio_seconds)
        for gap in made.gaps_seconds:
            self.measured["gap_seconds"].add(gap)

    def _count_error(self, error: str, count: int) -> None:
        """Counts under the error's own name; names are few, but they come from the network: there is a bound."""
        is_named = error in self.errors or len(self.errors) < MOST_ERRORS_NAMED
        self.errors[error if is_named else OTHER_ERRORS] += count
