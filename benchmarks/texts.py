"""The texts that are spoken: ordinary prose of exactly 12, 64 and 235 characters, and a page of 2000.

The text of 235 characters has three sentences. That is the harder case for first audio: piper-tts gives audio after
its first sentence, so one long sentence makes it wait longer. `ONE_SENTENCE` is that easier case, shown beside it.
"""

from typing import Final

_LINE: Final = "The harbour bell rang twice before the fog swallowed the lights."
_PASSAGE: Final = (
    "Every morning the baker opens her shop one hour before sunrise. She checks the ovens, sweeps the doorstep and "
    "sets out trays of warm rolls for the drivers on the early buses. By noon the shelves are empty, and she "
    "wanders home smiling."
)
_PAGE: Final = """\
The lighthouse at Carrick Point was built in 1871, after three ships were lost on the same reef in a single \
winter. It stands on a shelf of black rock that the sea covers twice a day. To reach it on foot, you must leave \
the village at low tide and walk quickly; the causeway is dry for little more than two hours.

Anna Brennan was the last keeper. She came to the island with her father when she was nine, and she stayed for \
forty-one years. "People ask whether I was lonely," she told me. "I had the gulls, the seals and the radio. I \
had the light. You are never alone with a machine that needs you every six hours."

Her day began before dawn. She climbed the stairs, one hundred and twelve of them, wound the clockwork, trimmed \
the wick and polished the great lens with a cloth that nobody else was allowed to touch. Then she wrote down the \
wind, the visibility and the height of the barometer. Those books are now in the county museum, in a glass case \
next to her boots.

In the autumn of 1964 a storm broke every window on the seaward side. Water ran down the stairs like a stream. \
She nailed blankets over the frames, lit the lamp by hand and turned the lens herself, all night, counting \
seconds under her breath. Five fishing boats came home because of it. The captain of the last one sent her a \
crate of oranges every Christmas until he died.

The light was made automatic in 1990. A man arrived with a grey box, two cables and a form to sign. He was \
polite, she said, and he did not stay for tea. She moved to a small white house at the end of the harbour, with \
a kitchen window that faces the point. The lamp still turns, and she still counts.

Visitors may climb the tower on Saturdays from May to September. Bring strong shoes, a warm coat and some \
patience: the weather decides, not the timetable. If you are lucky, the guide will let you touch the old \
clockwork. It still works. Listen closely when it starts: Anna used to say that it sounds like a dear old friend \
clearing his throat."""

TEXTS: Final = {12: "Good evening", 64: _LINE, 235: _PASSAGE, 2000: _PAGE}
ONE_SENTENCE: Final = (
    "Every morning the baker opens her shop one hour before sunrise, checks the ovens, sweeps the doorstep and sets "
    "out trays of warm rolls for the drivers on the early buses, and by noon the shelves are empty, and she wanders "
    "home smiling."
)


def check_lengths() -> None:
    """Raises ValueError when a text has not the length that it is named by."""
    for characters, text in (*TEXTS.items(), (235, ONE_SENTENCE)):
        if len(text) != characters:
            raise ValueError(f"benchmarks/texts.py: the text of {characters} characters has {len(text)}")
