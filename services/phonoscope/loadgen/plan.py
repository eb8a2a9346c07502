"""What a run is to do, and what came of one call. Every other file here speaks of these records."""

import enum
from dataclasses import dataclass

from phonoscope.client import SpeechOptions


class Mode(enum.Enum):
    """Which method is called; MIXED is mostly streams, BIDI sends the text word by word."""

    STREAM = "stream"
    UNARY = "unary"
    MIXED = "mixed"
    BIDI = "bidi"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadPlan:
    """One run.

    Attributes:
        mode: which method is called.
        concurrency: calls in flight at once, of a closed loop: each end starts the next call.
        arrivals_per_second: rate of an open loop, whose calls start when they are due, answered or not.
        ramp_per_second: rates at the start and at the end of an open loop whose rate changes evenly over the
            duration, which it needs. With neither of the two the loop is closed.
        max_in_flight: calls in flight at once, of an open loop; what is due beyond them is counted, not sent.
        duration_seconds: when no more calls are started; 0 means never.
        calls: how many calls are started at most; 0 means no limit.
        deadline_seconds: of each call.
        wait_seconds: how long the server may take to be SERVING at the start; 0 means for ever.
        line_seconds: between two lines of figures.
        bad_ratio: share of requests that a server must refuse.
        cancel_ratio: share of streams that their callers cancel, half of them before the first audio and half after.
        retry_seconds: pause of a caller of a closed loop after a failure, whatever the server asks for. None: callers
            wait as long as the server asks.
        neighbours: busy processes on this machine during the run.
        tokens_per_second: pace of the words of BIDI; 0 means as fast as the server reads.
        voice: what to ask for; "" is the server's default.
        seed: of texts, kinds of calls, arrivals and speech.
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
        """Whether calls start when they are due; otherwise each end starts the next."""
        return self.arrivals_per_second is not None or self.ramp_per_second is not None

    @property
    def slots(self) -> int:
        """Calls that can be in flight at once."""
        return self.max_in_flight if self.is_open_loop else self.concurrency


@dataclass(frozen=True, slots=True)
class Cancellation:
    """When the caller of a stream cancels it.

    Attributes:
        delay_seconds: from when the call was sent; a call whose first audio comes earlier is cancelled then. None: the
            call is cancelled as soon as its first audio is there.
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
        is_bad: whether the server must refuse it.
        tokens_per_second: pace of its words when they are sent one by one, 0 as fast as they are read; None when the
            text is sent as a whole.
        cancellation: when its caller cancels it; None for a call that is heard to its end.
    """

    text: str
    options: SpeechOptions
    is_stream: bool
    is_bad: bool = False
    tokens_per_second: float | None = None
    cancellation: Cancellation | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallResult:
    """What a call was to its caller. All seconds count from when it was due, which may be before it was sent.

    Attributes:
        seconds: until it ended, however it did.
        error: "" for a call that succeeded, or that its caller cancelled; otherwise the code, and the server's reason
            where it gave one.
        is_refused: whether the server refused the request itself, as it must with a bad one.
        first_audio_seconds: until the first audio; None when there was none.
        gaps_seconds: between the chunks of a stream.
        underruns: how often a player that started with the first chunk ran dry.
        retry_after_seconds: when the server asks to come back; None when it does not say.
        is_away: whether no server answered.
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
