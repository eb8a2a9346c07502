"""Which batch the engine runs next: the scheduler's judgement, without its threads.

Called by `scheduler.py` with its lock held. Earliest deadline first: a stream that has sounded is due when what it has
sent will have been played, one that has not is due as soon as an idle engine could start it, and a whole-reply request
is due half-way to its caller's deadline, while there is still time to make it.

Two rules keep streams that play from running dry. Nothing else runs before them unless the next window of each would
still be in time. And a window is as long as the time that the others leave allows: long ones cost less for a second of
audio, short ones let others come in between. While several requests are held, no turn takes much longer than a first
sound does, so that a new caller waits for its own speech rather than for somebody else's.

Windows start small, for an early first sound. A batch takes windows of like length only: an engine pads them to the
longest, so a long one would hold up the others, and short ones would be paid for as long ones.
"""

import math
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice, takewhile
from typing import Final

from phonoscope.server.engines.base import Plan, Tuning, Window
from phonoscope.server.scheduling.cost_model import CostModel
from phonoscope.server.scheduling.timeline import Step, Timeline
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
# A reader that leaves so much audio untaken is rendered no further; a window more may lie there.
MOST_UNREAD_SECONDS: Final = 5.0
# A window may take this share of the time that is left before somebody runs dry: estimates are not exact.
SLACK_SHARE: Final = 0.5
# While several requests are held, a turn takes at most this many times what a first sound takes.
MAX_TURN_OF_FIRST_AUDIO: Final = 2.0


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
        window_frames: size of the next window.
        first_audio_seconds: how soon after `entered` a stream's first window is due.
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
    first_audio_seconds: float = 0.0

    @property
    def due(self) -> float:
        """When this request's next audio should be there, on the scheduler's clock."""
        if self.is_whole:
            patience = PATIENCE_SECONDS
            if self.deadline is not None:
                patience = min(patience, WHOLE_SHARE * (self.deadline - self.entered))
            return self.entered + patience
        if self.sounded is None:
            return self.entered + self.first_audio_seconds
        return self.sounded + self.sent_seconds

    @property
    def is_starting(self) -> bool:
        """Whether it is a stream whose first window is not rendered yet."""
        return self.sounded is None and not self.is_whole

    @property
    def is_playing(self) -> bool:
        """Whether it is a stream whose player has got some audio."""
        return self.sounded is not None and not self.is_whole

    @property
    def awaits_text(self) -> bool:
        """Whether all that came is rendered, and more text may come."""
        return not (self.is_text_complete or self.waiting or self.plans)

    def begins_again(self, now: float, window_frames: int, first_audio_seconds: float) -> None:
        """Notes that text came when there was none to speak: a new start, unless its player has audio left."""
        if self.is_whole:
            return
        if self.sounded is None:
            self.entered, self.first_audio_seconds = now, first_audio_seconds
        elif self.due <= now:
            self.sounded = now + first_audio_seconds - self.sent_seconds
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
        cost: what turns cost; while it is unknown, windows double and nobody waits for those who play.
        most_unread: windows that a reader may leave untaken before its request is rendered no further.
    """

    def __init__(self, tuning: Tuning, cost: CostModel, *, most_unread: int) -> None:
        self._tuning = tuning
        self._cost = cost
        self._most_unread = most_unread

    def choose(self, works: Iterable[Work], now: float) -> PrepareTurn | RenderTurn | None:
        """Returns the next turn, taking nothing off the works; None when there is nothing to do.

        Args:
            works: what is owed to each request.
            now: on the clock of their deadlines, in seconds.
        """
        ready = sorted((w for w in works if self._wants_prepare(w) or self._wants_render(w)), key=lambda w: w.due)
        if self._cost.is_known:
            ready = self._without_those_who_can_wait(ready, now)
        if not ready:
            return None
        max_seconds = self._max_turn_seconds(ready, now) if self._cost.is_known else math.inf
        if self._wants_prepare(ready[0]):
            return self._prepare_turn([w for w in ready if self._wants_prepare(w)], max_seconds, now)
        renderable = [w for w in ready if self._wants_render(w)]
        if self._cost.is_known:
            self._size(renderable[0], ready, max_seconds, now)
        return self._render_turn(renderable)

    def _without_those_who_can_wait(self, ready: Sequence[Work], now: float) -> list[Work]:
        """Leaves out the requests whose turn would make a stream that plays run dry; all are in order of `due`."""
        timeline = Timeline(self._tuning, self._cost, now)
        playing = [work for work in ready if work.is_playing]
        others = [work for work in ready if not work.is_playing]
        if not playing:
            return list(ready)
        frames = timeline.round_frames(len(playing))
        steps = [self._step(work, frames) for work in others], [self._step(work, frames) for work in playing]
        can_wait = {id(work) for work in others[timeline.room_for(*steps) :]}
        return [work for work in ready if id(work) not in can_wait]

    def _step(self, work: Work, round_frames: int) -> Step:
        """Returns what a request needs to get its next audio; streams that play get windows of `round_frames`."""
        frames = round_frames if work.is_playing else self._tuning.first_window_frames
        if work.plans:
            frames = min(frames, work.plans[0].frames - work.cursor)
        count = (self._tuning.prepare_batch if work.is_whole else 1) if self._wants_prepare(work) else 0
        utterances = list(islice(work.waiting, count))
        return Step(
            frames,
            len(utterances),
            sum(len(utterance.phoneme_ids) for utterance in utterances),
            due=work.due if work.is_playing else None,
            plays_seconds=frames * self._cost.frame_seconds if work.is_starting else 0.0,
        )

    def _max_turn_seconds(self, ready: Sequence[Work], now: float) -> float:
        """Returns how long a turn of the first of these may take for the sake of the others, and of its own player."""
        first, others = ready[0], ready[1:]
        timeline = Timeline(self._tuning, self._cost, now)
        round_frames = timeline.round_frames(_streams(ready))
        max_seconds = timeline.spare_seconds(self._step(other, round_frames) for other in others if other.is_playing)
        if first.is_playing:
            max_seconds = min(max_seconds, first.due - now)
        max_seconds *= SLACK_SHARE
        if others:
            first_audio_seconds = self._cost.first_audio_seconds(self._tuning.first_window_frames, now)
            max_seconds = min(max_seconds, MAX_TURN_OF_FIRST_AUDIO * first_audio_seconds)
        return max_seconds

    def _size(self, work: Work, ready: Sequence[Work], max_seconds: float, now: float) -> None:
        """Makes the next window as long as a turn may be, and long enough for a round; a stream's first is small."""
        if work.is_starting:
            return
        sizes = self._tuning.sizes
        fitting = [size for size in sizes if self._cost.render_seconds(size, now) <= max_seconds]
        least = Timeline(self._tuning, self._cost, now).round_frames(_streams(ready)) if work.is_playing else sizes[0]
        work.window_frames = max([least, *fitting])

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

    def _prepare_turn(self, works: Sequence[Work], max_seconds: float, now: float) -> PrepareTurn:
        """Returns the first one's next utterance, and as many of the same voice as fit into the batch and the time."""
        voice = works[0].waiting[0].voice_id
        mates = [w for w in works if w.waiting[0].voice_id == voice]
        candidates = [(w, w.waiting[0]) for w in mates]
        for work in mates:  # whole replies, which need all of theirs first, fill the batch from their own line
            if work.is_whole:
                more = islice(work.waiting, 1, self._tuning.prepare_batch)
                candidates += [(work, u) for u in takewhile(lambda u: u.voice_id == voice, more)]
        batch, phonemes = candidates[:1], len(candidates[0][1].phoneme_ids)
        for work, utterance in candidates[1 : self._tuning.prepare_batch]:
            phonemes += len(utterance.phoneme_ids)
            if self._cost.prepare_seconds(phonemes, now) > max_seconds:
                break
            batch.append((work, utterance))
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


def _streams(works: Iterable[Work]) -> int:
    return sum(not work.is_whole for work in works)
