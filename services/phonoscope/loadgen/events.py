"""Events of a run, as frozen records; report.py formats them."""

from dataclasses import dataclass

from phonoscope.loadgen.plan import LoadPlan
from phonoscope.loadgen.samples import Sample
from phonoscope.loadgen.tally import Tally


@dataclass(frozen=True, slots=True)
class ServerAway:
    """The server is not SERVING: `status` is its health status, or the code of the failed check."""

    status: str


@dataclass(frozen=True, slots=True)
class ServerBack:
    """The server is SERVING, after `away_seconds` without."""

    away_seconds: float


@dataclass(frozen=True, slots=True)
class Figures:
    """Results of the calls that ended within the last `seconds`; `at_seconds` counts from the start of the run."""

    at_seconds: float
    seconds: float
    in_flight: int
    tally: Tally


@dataclass(frozen=True, slots=True)
class Summary:
    """Results of a whole run, which took `seconds`; `samples` is a uniform sample when there are too many calls."""

    plan: LoadPlan
    seconds: float
    tally: Tally
    samples: tuple[Sample, ...] = ()


LoadEvent = ServerAway | ServerBack | Figures
