"""The plan of a run, and the result of one call: the records that all other modules here use."""

import enum
from dataclasses import dataclass

from phonoscope.client import SpeechOptions


class Mode(enum.Enum):
    """Which method is called; MIXED is 70 % streams, BIDI sends the text word by word."""

    STREAM = "stream"
    UNARY = "unary"
    MIXED = "mixed"
    BIDI = "bidi"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadPlan:
    """Plan of one run.

    Attributes:
        mode: which method is called.
        concurrency: calls in flight in a closed loop: the end of one starts the next.
        arrivals_per_second: rate of an open loop, whose calls start when they are due.
        ramp_per_second: first and last rate of an open loop whose rate changes linearly over the duration, which is
            then required. Without either rate the loop is closed.
        max_in_flight: maximum calls in flight in an open loop; further ones are counted, not sent.
        duration_seconds: how long calls are started; 0 means without end.
        calls: maximum number of calls; 0 means no limit.
        deadline_seconds: deadline of each call.
        wait_seconds: maximum wait for the server to be SERVING at the start; 0 means no limit.
        line_seconds: interval of the progress figures.
        bad_ratio: ratio of invalid requests, which a server must refuse.
        cancel_ratio: ratio of streams that their callers cancel: half before the first audio, half after it.
        retry_seconds: pause of a caller of a closed loop after a failure; None means the delay that the server
            requests.
        neighbours: busy processes on this machine during the run.
        tokens_per_second: rate of the words of BIDI; 0 means as fast as the server reads.
        voice: voice to request; "" is the server's default.
        seed: random seed of texts, kinds of calls, arrivals and speech.
    """

    mode: Mode = Mode.STREAM
    concurrency: int = 4
    arrivals_per_second: float | None = None
    ramp_per_second: tuple[float, float] | None = None
    max_in_flight: int = 256
    duration_seconds: float = 30.0
    calls: int = 0
    deadline_seconds: float = 30.0
    wait_seconds: float = 60.0
    line_seconds: float = 5.0
    bad_ratio: float = 0.0
    cancel_ratio: float = 0.0
    retry_seconds: float | None = None
    neighbours: int = 0
    tokens_per_second: float = 0.0
    voice: str = ""
    seed: int = 0

    @property
    def is_open_loop(self) -> bool:
        """Whether calls start when they are due; otherwise the end of one starts the next."""
        return self.arrivals_per_second is not None or self.ramp_per_second is not None

    @property
    def slots(self) -> int:
        """Maximum calls in flight."""
        return self.max_in_flight if self.is_open_loop else self.concurrency


@dataclass(frozen=True, slots=True)
class Cancellation:
    """When the caller of a stream cancels it.

    Attributes:
        delay_seconds: time after the call was sent, or its first audio if that is earlier. None means right after the
            first audio.
    """

    delay_seconds: float | None = None

    @property
    def is_after_audio(self) -> bool:
        """Whether the caller waits for the first audio."""
        return self.delay_seconds is None


@dataclass(frozen=True, slots=True)
class PlannedCall:
    """A call to make.

    Attributes:
        is_bad: whether the request is invalid, so that the server must refuse it.
        tokens_per_second: rate of its words in incremental input, 0 for as fast as the server reads; None when the
            text is sent as a whole.
        cancellation: when its caller cancels it; None for never.
    """

    text: str
    options: SpeechOptions
    is_stream: bool
    is_bad: bool = False
    tokens_per_second: float | None = None
    cancellation: Cancellation | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallResult:
    """Result of one call, as its caller sees it. Times count from when it was due, which may be before it was sent.

    Attributes:
        seconds: until its end, successful or not.
        error: "" for a call that succeeded or that its caller cancelled; otherwise the code, and the server's reason,
            if any.
        is_refused: whether the server refused the request as invalid.
        first_audio_seconds: until the first audio; None when there was none.
        gaps_seconds: between the chunks of a stream.
        underruns: how often a player that starts with the first chunk would have run out of audio.
        retry_after_seconds: delay that the server requests; None when it requests none.
        is_away: whether no server was reachable.
        is_cancelled: whether its caller cancelled it, as planned.
    """

    call: PlannedCall
    seconds: float
    error: str = ""
    is_refused: bool = False
    first_audio_seconds: float | None = None
    audio_seconds: float = 0.0
    gaps_seconds: tuple[float, ...] = ()
    underruns: int = 0
    retry_after_seconds: float | None = None
    is_away: bool = False
    is_cancelled: bool = False
