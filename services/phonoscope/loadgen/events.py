"""What a run tells while it goes on, as frozen records; report.py makes lines of them."""

from dataclasses import dataclass

from phonoscope.loadgen.plan import LoadPlan
from phonoscope.loadgen.samples import Sample
from phonoscope.loadgen.tally import Tally


@dataclass(frozen=True, slots=True)
class ServerAway:
    """The server is not SERVING: `status` is what its health says, or the code of the failed check."""

    status: str


@dataclass(frozen=True, slots=True)
class ServerBack:
    """The server is SERVING again, or at last, after so many seconds."""

    away_seconds: float


@dataclass(frozen=True, slots=True)
class Figures:
    """What came of the calls that ended within the last `seconds`; `at_seconds` counts from the start of the run."""

    at_seconds: float
    seconds: float
    in_flight: int
    tally: Tally


@dataclass(frozen=True, slots=True)
class Summary:
    """What came of a whole run, which took `seconds`; of very many calls `samples` has an even choice."""

    plan: LoadPlan
    seconds: float
    tally: Tally
    samples: tuple[Sample, ...] = ()


LoadEvent = ServerAway | ServerBack | Figures
