"""Texts of many lengths, built in or from a file, and the calls made of them, valid and invalid.

generator.py takes one call after the other; the same seed gives the same calls.
"""

import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Final

from phonoscope.client import SpeechOptions
from phonoscope.loadgen.plan import Cancellation, LoadPlan, Mode, PlannedCall

SHORT: Final = (
    "Yes, of course.",
    "Your table is ready.",
    "Turn left at the bridge.",
    "No new messages.",
    "The kettle has boiled.",
    "Please hold the line.",
    "Platform nine, in four minutes.",
    "I did not catch that. Could you say it again?",
    "Good morning, Ada!",
    "Door three is open.",
)
MEDIUM: Final = (
    (
        "The ferry to the island leaves at half past seven, and the café on the upper deck opens as soon as we "
        "are out of the harbour."
    ),
    "Somebody left a green umbrella in the reading room; it is waiting at the front desk until Friday.",
    (
        "Rain is expected along the coast this afternoon, with gusts of up to 60 kilometres an hour; further "
        "inland it stays dry."
    ),
    "Your parcel was handed to a neighbour, Mrs. Okafor at number 12, because nobody answered the bell.",
    "Set the oven to 180 degrees. While it warms up, butter the tin and dust it with flour.",
    "The disk on the second node is 91 percent full. Nothing is lost yet, but the nightly copy will not fit.",
    "We have moved your appointment with Dr. Lindqvist to Tuesday, the 3rd of March, at a quarter to ten.",
    "Thanks for calling. All our colleagues are busy, and the next of them will be free in about two minutes.",
    "The library closes in ten minutes; please bring your books to the desk.",
    "Your taxi is on its way. A blue estate car, and the driver's name is Marta.",
    "Add the onions first, and the garlic only when they have turned soft and golden.",
    (
        "The night train to Vienna is running about fifty minutes late, because a tree has fallen across the line "
        "near the border. Hot drinks are free of charge in the dining car until we move again."
    ),
    (
        "I found three flights for Thursday. The earliest leaves at six, which is cheap but cruel; the one at noon "
        "has a stop in Zurich, and the last, at eight in the evening, goes straight there."
    ),
    (
        "Your water meter was read on the 14th of October. You used 31 cubic metres since the spring, a little less "
        "than a year ago, so the monthly payment stays as it is."
    ),
    (
        "Before you start the engine, check that the drain is closed and the tank is open. Pull the cord slowly until "
        "you feel it catch, let it run back, and then pull hard. If it coughs and dies, half choke will do."
    ),
    (
        "The museum's oldest clock has no hands at all. It strikes once an hour, and whoever wanted the minutes had "
        "to guess, or to walk down to the harbour, where a boy with a sandglass sold them for a penny."
    ),
    (
        "Two of the five backups failed last night, both with the same message: no space left on the device. The "
        "other three are whole and were tested this morning, so nothing is lost, but please make room by midnight."
    ),
)
LONG: Final = (
    (
        "When the old lighthouse was switched off, nobody in the village could sleep. For sixty years the beam "
        "had crossed the bedroom ceilings every eleven seconds, and now the dark stood still. On the third night "
        "the baker carried a lantern up the stairs, and sat there, turning it by hand until the morning. Nobody "
        "ever asked her to stop."
    ),
    (
        "A compiler reads a program three times before it says a word. First it cuts the text into pieces, then "
        "it finds out how the pieces hang together, and at last it asks what they mean. Most mistakes are found "
        "in the second reading; the worst ones are found by the customer. That is why we test: not to show that "
        "it works, but to learn how it fails."
    ),
    (
        "To reach the hut, follow the red marks from the car park for about forty minutes. Where the path meets "
        "the stream, do not cross; stay on the near bank until you see a wall of grey stones. The key hangs "
        "behind the third shutter. There is wood for the stove, tea in the tin, and water from the spring behind "
        "the house. Please leave the place as you would like to find it, and write your name in the book."
    ),
)
WEIGHTS: Final = (5, 4, 1)
"""Weights of short, medium and long texts: spoken texts are mostly short."""

STREAMS: Final = MappingProxyType({Mode.STREAM: 1.0, Mode.UNARY: 0.0, Mode.MIXED: 0.7, Mode.BIDI: 1.0})
"""Ratio of streams among the calls."""
MAX_CANCEL_DELAY_SECONDS: Final = 0.02
"""Maximum delay of a cancellation before the first audio, while the call is still in a busy server's queue."""
MAX_SEED: Final = 2**64 - 1
REFUSED: Final[tuple[tuple[str, SpeechOptions], ...]] = (
    ("", {}),
    ("   ", {}),
    ("This is much too fast.", {"speed": 40.0}),
    ("There is no such rate.", {"sample_rate_hz": 7}),
    ("Nobody speaks like this.", {"voice": "xx_XX-nobody-high"}),
)
"""Texts and options that a Phonoscope server refuses with INVALID_ARGUMENT."""


def built_in_texts() -> Sequence[Sequence[str]]:
    """Returns the groups of texts, in the order of WEIGHTS."""
    return (SHORT, MEDIUM, LONG)


def texts_of(file: Path) -> Sequence[Sequence[str]]:
    """Returns the texts of a UTF-8 file, one per line; blank lines are ignored.

    Raises OSError when it cannot be read, ValueError when it is not UTF-8 or has no text.
    """
    texts = [line.strip() for line in file.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    if not texts:
        raise ValueError("the file contains no text")
    return (texts,)


def texts_within(groups: Sequence[Sequence[str]], shortest: int, longest: int) -> Sequence[Sequence[str]]:
    """Returns the groups with only the texts of a length in the range; a group may become empty.

    Raises ValueError when no text is left.
    """
    within = tuple(tuple(text for text in group if shortest <= len(text) <= longest) for group in groups)
    if not any(within):
        lengths = [len(text) for group in groups for text in group]
        raise ValueError(
            f"no text has {shortest} to {longest} characters: the shortest has {min(lengths)}, the longest "
            f"{max(lengths)}"
        )
    return within


def planned_calls(plan: LoadPlan, groups: Sequence[Sequence[str]]) -> Iterator[PlannedCall]:
    """Yields calls without end; their texts are those of `groups`, drawn by WEIGHTS; empty groups are skipped."""
    weights = [weight if group else 0 for weight, group in zip(WEIGHTS, groups, strict=False)]
    word_rate = plan.tokens_per_second if plan.mode is Mode.BIDI else None
    rng = random.Random(f"calls {plan.seed}")  # noqa: S311 - a load, not a secret
    # A separate generator, so that the texts of a seed are the same with any cancel ratio.
    cancel_rng = random.Random(f"cancellations {plan.seed}")  # noqa: S311 - likewise
    while True:
        is_stream = rng.random() < STREAMS[plan.mode]
        is_bad = rng.random() < plan.bad_ratio
        options = SpeechOptions(voice=plan.voice, seed=rng.randint(0, MAX_SEED))
        if is_bad:
            text, wrong = rng.choice(REFUSED)
            yield PlannedCall(text, options | wrong, is_stream, is_bad=True, tokens_per_second=word_rate)
        else:
            (group,) = rng.choices(groups, weights)
            text = rng.choice(group)
            cancellation = next_cancellation(cancel_rng, plan.cancel_ratio) if is_stream else None
            yield PlannedCall(text, options, is_stream, tokens_per_second=word_rate, cancellation=cancellation)


def next_cancellation(rng: random.Random, ratio: float) -> Cancellation | None:
    """Returns when the next stream is cancelled, None for never; a higher ratio cancels further streams only."""
    is_cancelled = rng.random() < ratio
    is_before_audio = rng.random() < 0.5  # noqa: PLR2004 - half of them
    delay_seconds = rng.uniform(0.0, MAX_CANCEL_DELAY_SECONDS)
    if not is_cancelled:
        return None
    return Cancellation(delay_seconds if is_before_audio else None)
