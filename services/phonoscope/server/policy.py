"""Which batch the engine runs next: the scheduler's judgement, without its threads.

Called by `scheduler.py` with its lock held. Earliest deadline first: a stream that has sounded is due when what it has
sent will have been played, one that has not is due a moment after it came, and a whole-reply request is due half-way
to its caller's deadline, while there is still time to make it. Windows start small, for an early first sound, and
grow, for throughput: at least to the double each time, and as far as the slack of all who wait allows. A batch takes
windows of like length only: an engine pads them to the longest, so a long one would hold up the others, and short ones
would be paid for as long ones.
"""

from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice, takewhile
from typing import Final

from phonoscope.server.engines.base import Plan, Tuning, Window
from phonoscope.server.pace import RenderCost
from phonoscope.server.types import Utterance

# A window that would leave less than this share of itself behind takes the rest along.
SMALLEST_REST: Final = 0.5
# Lengths of a window that may share a batch with the most urgent one, as ratios to that one's; the rest rule above
# makes windows of one nominal size differ by as much.
LIKE_LENGTHS: Final = (0.5, 1.5)
# Whole-reply requests are due after this share of the time that their caller gives them, and after PATIENCE_SECONDS
# at the latest: behind live streams, but never starved.
WHOLE_SHARE: Final = 0.5
PATIENCE_SECONDS: Final = 60.0
# A new stream is due after so long: soon, but not before one that sounds and would run dry meanwhile.
FIRST_SECONDS: Final = 0.2
# A player that has been sent so much should have some of it in hand.
SETTLED_SECONDS: Final = 1.0
# A reader that leaves so much audio untaken is rendered no further; a window more may lie there.
MOST_UNREAD_SECONDS: Final = 5.0
# A window may take this share of the time until the next stream runs dry.
SLACK_SHARE: Final = 0.5
# And no turn shall take longer, since whoever comes meanwhile waits for its end.
LONGEST_TURN_SECONDS: Final = 0.08


@dataclass(slots=True, eq=False)
class Work:
    """What the engine owes one request. The scheduler alone changes it, under its lock.

    Attributes:
        request: the request's number, for events.
        entered: when it was admitted, or its first text came, on the scheduler's clock, in seconds.
        deadline: when its caller gives up, on the same clock; None for never.
        is_whole: audio is wanted only once all of it is made, and not before all utterances are prepared.
        waiting: utterances to prepare, in order.
        plans: utterances to render, in order; `cursor` is the next frame of the first.
        is_text_complete: no more utterances will come.
        started: when its first utterance went to the engine.
        sounded: when the first window was delivered.
        prepared_seconds: audio of all utterances prepared so far.
        sent_seconds: audio delivered so far.
        unread, unread_seconds: windows delivered that the reader has not taken yet, and their audio.
        queued, prepared_utterances, spoken: utterances that came, that have or had a plan, that are all rendered.
        restarted_seconds: audio delivered before text last came with nothing left to say.
        window_frames: size of the next window.
    """

    entered: float
    deadline: float | None
    is_whole: bool
    window_frames: int
    request: int = 0
    waiting: deque[Utterance] = field(default_factory=deque)
    plans: deque[Plan] = field(default_factory=deque)
    cursor: int = 0
    is_text_complete: bool = False
    started: float | None = None
    sounded: float | None = None
    prepared_seconds: float = 0.0
    sent_seconds: float = 0.0
    unread: int = 0
    unread_seconds: float = 0.0
    queued: int = 0
    prepared_utterances: int = 0
    spoken: int = 0
    restarted_seconds: float = 0.0

    @property
    def due(self) -> float:
        """When this request's next audio should be there, on the scheduler's clock."""
        if self.is_whole:
            patience = PATIENCE_SECONDS
            if self.deadline is not None:
                patience = min(patience, WHOLE_SHARE * (self.deadline - self.entered))
            return self.entered + patience
        return self.entered + FIRST_SECONDS if self.sounded is None else self.sounded + self.sent_seconds

    @property
    def is_settled(self) -> bool:
        """Whether its player has been fed for a while, and should have some audio in hand."""
        return self.sent_seconds - self.restarted_seconds >= SETTLED_SECONDS

    @property
    def awaits_text(self) -> bool:
        """Whether all that came is rendered, and more text may come."""
        return not (self.is_text_complete or self.waiting or self.plans)

    def begins_again(self, now: float, window_frames: int) -> None:
        """Notes that text came when there was none to speak: the first, or after the player ran dry, is a new start.

        Either way what the player has in hand is what its writer left it, and no sign of a busy engine.
        """
        if self.is_whole:
            return
        if self.sounded is None:
            self.entered = now
            return
        self.restarted_seconds = self.sent_seconds
        if self.due <= now:
            self.sounded = now + FIRST_SECONDS - self.sent_seconds
            self.window_frames = window_frames

    @property
    def is_spoken(self) -> bool:
        """Whether its text is complete and all of it is rendered."""
        return self.is_text_complete and not self.waiting and not self.plans

    def prepared(self, plan: Plan) -> None:
        """Puts the plan of the first waiting utterance in the place of that utterance."""
        self.waiting.popleft()
        self.plans.append(plan)
        self.prepared_utterances += 1
        self.prepared_seconds += plan.audio_seconds

    def rendered(self, window: Window, now: float) -> None:
        """Moves past a window of the first plan, which was delivered at `now`."""
        plan = window.plan
        if self.sounded is None:
            self.sounded = now
        self.unread += 1
        self.unread_seconds += window.audio_seconds
        self.sent_seconds += window.audio_seconds
        self.cursor = window.stop
        if self.cursor == plan.frames:
            self.plans.popleft()
            self.cursor = 0
            self.spoken += 1


@dataclass(frozen=True, slots=True)
class PrepareTurn:
    """One `prepare`: the next waiting utterances of these requests; a whole-reply request may have several."""

    works: tuple[Work, ...]
    batch: tuple[Utterance, ...]

    @property
    def owners(self) -> list[tuple[int, int]]:
        """The request's number and the utterance's index, for each of the batch."""
        before = Counter[int]()
        owners = []
        for work in self.works:
            owners.append((work.request, work.prepared_utterances + before[id(work)]))
            before[id(work)] += 1
        return owners


@dataclass(frozen=True, slots=True)
class RenderTurn:
    """One `render`: the next window of each of these requests."""

    works: tuple[Work, ...]
    batch: tuple[Window, ...]

    @property
    def owners(self) -> list[tuple[int, int]]:
        """The request's number and the utterance's index, for each of the batch."""
        return [(work.request, work.spoken) for work in self.works]


class EarliestDueFirst:
    """Chooses turns for an engine of that tuning.

    Args:
        tuning: what the engine does best.
        most_unread: windows that a reader may leave untaken before its request is rendered no further.
    """

    def __init__(self, tuning: Tuning, *, most_unread: int) -> None:
        self._tuning = tuning
        self._most_unread = most_unread
        self.cost = RenderCost()

    def choose(self, works: Iterable[Work], now: float) -> PrepareTurn | RenderTurn | None:
        """Returns the next turn, taking nothing off the works; None when there is nothing to do.

        Args:
            works: what is owed to each request.
            now: on the clock of their deadlines, in seconds.
        """
        ready = sorted((w for w in works if self._wants_prepare(w) or self._wants_render(w)), key=lambda w: w.due)
        if not ready:
            return None
        if self._wants_prepare(ready[0]):
            return self._prepare_turn([w for w in ready if self._wants_prepare(w)])
        renderable = [w for w in ready if self._wants_render(w)]
        self._grow(renderable[0], slack=min(w.due for w in ready) - now)
        return self._render_turn(renderable)

    def _grow(self, work: Work, slack: float) -> None:
        """Lets the next window of a request that has sounded be as large as the tightest slack allows."""
        if work.sounded is None and not work.is_whole:
            return
        most = LONGEST_TURN_SECONDS if work.is_whole else min(LONGEST_TURN_SECONDS, SLACK_SHARE * slack)
        for size in self._tuning.sizes:
            if size > work.window_frames and (cost := self.cost.seconds(size)) is not None and cost <= most:
                work.window_frames = size

    def _wants_prepare(self, work: Work) -> bool:
        """Whether the next utterance should be prepared now: its turn to sound is at most one window away.

        Nothing comes before a stream's first sound, however short its first utterance is.
        """
        if not work.waiting:
            return False
        if work.is_whole or not work.plans:
            return True
        if work.sounded is None:
            return False
        return len(work.plans) == 1 and self._next_window(work).stop == work.plans[0].frames

    def is_held_up(self, work: Work) -> bool:
        """Whether a request's reader must take some of what lies there before more is made."""
        return work.unread >= self._most_unread or work.unread_seconds >= MOST_UNREAD_SECONDS

    def taken(self, work: Work, audio_seconds: float, now: float) -> None:
        """Notes that a reader took a window; what a slow one left lying it cannot have played meanwhile."""
        if self.is_held_up(work) and work.sounded is not None:
            work.sounded = max(work.sounded, now + work.unread_seconds - work.sent_seconds)
        work.unread -= 1
        work.unread_seconds = work.unread_seconds - audio_seconds if work.unread else 0.0

    def _wants_render(self, work: Work) -> bool:
        if not work.plans or self.is_held_up(work):
            return False
        return not work.is_whole or (work.is_text_complete and not work.waiting)

    def _prepare_turn(self, works: Sequence[Work]) -> PrepareTurn:
        voice = works[0].waiting[0].voice_id
        mates = [w for w in works if w.waiting[0].voice_id == voice][: self._tuning.prepare_batch]
        batch = [(w, w.waiting[0]) for w in mates]
        for work in mates:  # whole replies, which need all of theirs first, fill the batch from their own line
            if work.is_whole:
                more = islice(work.waiting, 1, 1 + self._tuning.prepare_batch - len(batch))
                batch += [(work, u) for u in takewhile(lambda u: u.voice_id == voice, more)]
        return PrepareTurn(tuple(w for w, _ in batch), tuple(utterance for _, utterance in batch))

    def _render_turn(self, works: Sequence[Work]) -> RenderTurn:
        voice = works[0].plans[0].voice_id
        shortest, longest = (ratio * self._next_window(works[0]).frames for ratio in LIKE_LENGTHS)
        windows = ((w, self._next_window(w)) for w in works if w.plans[0].voice_id == voice)
        like = ((w, window) for w, window in windows if shortest <= window.frames <= longest)
        batch = list(islice(like, self._tuning.render_batch))
        if len(works) == 1:
            batch += self._following(works[0], batch[0][1], self._tuning.render_batch - 1)
        return RenderTurn(tuple(w for w, _ in batch), tuple(window for _, window in batch))

    def _next_window(self, work: Work) -> Window:
        plan, frames = work.plans[0], work.window_frames
        rest = plan.frames - work.cursor - frames
        stop = plan.frames if rest < frames * SMALLEST_REST else work.cursor + frames
        return Window(plan, work.cursor, stop)

    def _following(self, work: Work, window: Window, most: int) -> list[tuple[Work, Window]]:
        """Returns the windows that follow one in a whole reply's plan, for a batch that has nobody else in it."""
        if not work.is_whole:
            return []
        plan, frames = window.plan, window.frames
        rests = ((stop, plan.frames - stop) for stop in range(window.stop + frames, plan.frames + 1, frames))
        stops = [stop for stop, rest in rests if rest == 0 or rest >= frames * SMALLEST_REST]
        return [(work, Window(plan, stop - frames, stop)) for stop in stops[:most]]

    def next_window_frames(self, work: Work) -> int:
        """Returns the least size of the window after the one just rendered: the next that is its double."""
        sizes = self._tuning.sizes
        return next((size for size in sizes if size >= 2 * work.window_frames), sizes[-1])

    def first_window_frames(self, *, is_whole: bool) -> int:
        """Returns the size of a request's first window."""
        return self._tuning.largest_window_frames if is_whole else self._tuning.first_window_frames
