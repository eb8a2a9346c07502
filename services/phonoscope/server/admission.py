"""⑤ Who is let in: bounds on the requests held, on the audio owed to them, and on what the engine can make in time.

Called by `scheduler.py`. What would fail anyway is refused before any work: a caller that hears so at once can go
elsewhere, and those who were let in keep their sound.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from phonoscope.common.errors import DeadlineUnreachable, Overloaded

# What a full server asks callers to wait before they come back.
RETRY_SECONDS: Final = 1.0
LONGEST_RETRY_SECONDS: Final = 30.0
# Share of the engine's time that may be promised to players; with more, one that falls behind never catches up.
PROMISED_SHARE: Final = 0.6
# While a player that has been fed for a while is nearer to running dry than this, nobody else is let in.
SETTLED_SLACK_SECONDS: Final = 1.0
# A deadline is out of reach if the estimate passes it by this factor: estimates from characters are rough.
DEADLINE_FACTOR: Final = 1.25


@dataclass(frozen=True, slots=True)
class Owed:
    """Audio owed to one request.

    Attributes:
        audio_seconds: still to be made.
        slack_seconds: until its player runs dry, or its whole reply is due; past if negative.
        deadline_seconds: until its caller gives up; None for never.
        is_settled: it has had audio for a while, and should have some in hand.
        waits_for_caller: the engine has nothing to do for it until its caller writes or reads.
    """

    audio_seconds: float
    slack_seconds: float
    deadline_seconds: float | None = None
    is_settled: bool = False
    waits_for_caller: bool = False


@dataclass(frozen=True, slots=True)
class Admission:
    """The bounds of one server.

    Attributes:
        most_requests: held at once.
        most_audio_seconds: owed at once, all requests together.
    """

    most_requests: int
    most_audio_seconds: float

    def check(self, new: Owed, held: Sequence[Owed], pace: float | None) -> None:
        """Refuses a request that would pass a bound; an idle engine takes any, whatever it believes of its pace.

        An estimate can be wrong, and only work corrects it. So an estimate never keeps an idle engine idle.

        Args:
            new: what the request will want.
            held: what is owed to those that are here.
            pace: engine seconds per second of audio; None while unknown.

        Raises:
            Overloaded: a bound would be passed, or players would run dry.
            DeadlineUnreachable: the request's deadline comes before its audio can be made.
        """
        if len(held) >= self.most_requests:
            raise Overloaded(
                f"the server already speaks for {len(held)} requests, its limit; call again after the delay",
                reason="QUEUE_FULL",
                retry_after_seconds=RETRY_SECONDS,
            )
        self.check_owed([owed.audio_seconds for owed in held], new.audio_seconds)
        is_idle = all(owed.waits_for_caller for owed in held)
        if pace is not None and not is_idle:
            _check_deadline(new, held, pace)
            _check_players(new, held, pace)

    def check_owed(self, held_seconds: Sequence[float], audio_seconds: float) -> None:
        """Refuses audio that would pass the bound on what is owed; an idle server owes any length.

        Args:
            held_seconds: owed to each of the other requests.
            audio_seconds: what one request wants.

        Raises:
            Overloaded: the bound would be passed.
        """
        owed_seconds = sum(held_seconds)
        if owed_seconds > 0 and owed_seconds + audio_seconds > self.most_audio_seconds:
            raise Overloaded(
                f"{owed_seconds:.0f} s of audio are owed and this request would add {audio_seconds:.0f} s, over "
                f"the limit of {self.most_audio_seconds:.0f} s; call again after the delay",
                reason="AUDIO_OWED_FULL",
                retry_after_seconds=RETRY_SECONDS,
            )


def _check_deadline(new: Owed, held: Sequence[Owed], pace: float) -> None:
    """Refuses what cannot be made before its deadline, after everything that is due before it."""
    if new.deadline_seconds is None:
        return
    before = sum(owed.audio_seconds for owed in held if owed.slack_seconds <= new.slack_seconds)
    needed = pace * (before + new.audio_seconds)
    if needed > DEADLINE_FACTOR * new.deadline_seconds:
        raise DeadlineUnreachable(
            f"about {needed:.1f} s of work come before the end of this request, whose deadline is in "
            f"{new.deadline_seconds:.1f} s; allow more time, send less text, or call another replica"
        )


def _check_players(new: Owed, held: Sequence[Owed], pace: float) -> None:
    """Refuses one more request when somebody's player would run dry, or a whole reply be late.

    First by what shows already: audio that is late, or players that live from hand to mouth. Then by the demand test
    of earliest deadline first (Baruah, Rosier and Howell 1990), with audio that is due as it is played: by any time,
    the audio due by then must take no longer than that. It is enough to look where somebody's audio ends.
    """
    if not held:
        return
    short = max((SETTLED_SLACK_SECONDS if owed.is_settled else 0.0) - owed.slack_seconds for owed in held)
    if short > 0:
        raise _busy(len(held), short)
    everyone = [*held, new]
    if pace * len(everyone) <= PROMISED_SHARE:
        return  # all can play at once for ever
    late = max(_late_seconds(_start(owed) + owed.audio_seconds, everyone, pace) for owed in everyone)
    if late > 0:
        raise _busy(len(held), late)


def _busy(requests: int, late_seconds: float) -> Overloaded:
    return Overloaded(
        f"the engine is busy with {requests} requests and could not feed one more in time; call again after the "
        "delay, or call another replica",
        reason="CAPACITY_FULL",
        retry_after_seconds=min(max(RETRY_SECONDS, late_seconds), LONGEST_RETRY_SECONDS),
    )


def _late_seconds(end: float, everyone: Sequence[Owed], pace: float) -> float:
    """Returns how long after a time the audio that is due by then would be made; negative if before."""
    due_seconds = sum(min(owed.audio_seconds, max(0.0, end - _start(owed))) for owed in everyone)
    return pace * due_seconds / PROMISED_SHARE - end


def _start(owed: Owed) -> float:
    """Returns in how many seconds a player needs the next audio: one that has none yet, or has run dry, at once."""
    return max(0.0, owed.slack_seconds)
