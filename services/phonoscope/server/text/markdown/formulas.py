"""Tells formulas from marks of Markdown: LaTeX between its delimiters, and asterisks that multiply.

Called by `inline.py`.
"""

from phonoscope.server.text.latex import FORMULA, LONGEST
from phonoscope.server.text.markdown.buffer import Buffer


def formula_stop(buffer: Buffer, at: int, closing: str) -> int | None:
    r"""Returns the end of the LaTeX formula at `at`; -1 if there is none, None while more text may change it.

    A formula within a line ends in that line; only `$$` and `\[` may begin a longer one.
    """
    text = buffer.text
    stop, is_known = buffer.window(at, LONGEST)
    formula = FORMULA.match(text, at, stop)
    if formula is not None:
        return formula.end() if formula.end() < len(text) or buffer.is_complete else None
    is_closed = text.find(closing, at + 2, stop - 1) >= 0
    is_of_one_line = not text.startswith(("$$", "\\["), at)
    is_none = is_known or is_closed or (is_of_one_line and text.find("\n", at, stop) >= 0)
    return -1 if is_none else None


def is_operator(run: str, before: str, after: str) -> bool:
    """Returns whether asterisks between two letters or digits multiply, as in x*y and 2**8.

    Chinese and Japanese put no spaces around emphasis; there, letters say nothing.
    """
    if not (before.isascii() and after.isascii()):
        return False
    return len(run) == 1 or (len(run) == 2 and (before.isdigit() or after.isdigit()))  # noqa: PLR2004  "**"
