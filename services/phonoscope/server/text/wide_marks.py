"""Marks of Chinese and Japanese text, and the phonemes that they are for voices trained on misaki.

Called by the phonemizers of these languages. Quotes, dashes and ellipses are letters of Kokoro, which the voices were
trained with; round brackets only in Mandarin.
"""

from typing import Final

CLOSERS: Final = "\"'”’»›)\\]}」』）】》〉"
"""Closing quotes and brackets, for a character class."""

MARK: Final = rf"(?:[。！？、，；：．｡､!?,;:]+|\.(?=[\s{CLOSERS}]|$))[{CLOSERS}]*"
"""Pattern of marks that end a clause, with what closes there."""

TERMINATORS: Final = {
    **dict.fromkeys("。．｡.", "."), **dict.fromkeys("，、､,", ","), **dict.fromkeys("！!", "!"),
    **dict.fromkeys("？?", "?"), **dict.fromkeys("；;", ";"), **dict.fromkeys("：:", ":"),
}  # fmt: skip
"""The phoneme of each mark."""

STOPS: Final = frozenset(".!?;")
"""Phonemes of marks that end a sentence."""

DASHES: Final = "—–―"
DOTS: Final = r"…+|\.\.+"
OPEN_QUOTES: Final = '“"「『《〈【«'
CLOSE_QUOTES: Final = "”」』》〉】»"

SOUNDS: Final = {
    "open": dict.fromkeys(OPEN_QUOTES, "“"),
    "close": dict.fromkeys(CLOSE_QUOTES, "” "),
    "dash": dict.fromkeys(DASHES, "— "),
    "dots": dict.fromkeys("….", "… "),
}
"""Phonemes of other marks, by kind."""
