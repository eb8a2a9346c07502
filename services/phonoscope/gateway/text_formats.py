"""Whether a text is Markdown, for requests that do not say so. Called by openai_routes.py.

Only marks that are rare in plain text count: reading Markdown as plain text speaks every asterisk, and reading plain
text as Markdown changes next to nothing, so that a doubtful text is Markdown.
"""

import re
from typing import Final

_MARKS: Final = (
    r"^ {0,3}#{1,6} +\S",  # a heading
    r"^ {0,3}(?:```|~~~)",  # a fence
    r"^ {0,3}(?:-{3,}|\*{3,}|_{3,}) *$",  # a rule
    r"^\s*[-*+•] +\S",  # an item of a list
    r"^ {0,3}> ?\S",  # a block quote
    r"^\s*\|.*\|\s*$",  # a row of a table
    r"\*\*[^\s*](?:[^*\n]*[^\s*])?\*\*|(?<!\w)__[^\s_](?:[^_\n]*[^\s_])?__(?!\w)",
    r"(?<![\w*])\*[^\s*](?:[^*\n]*[^\s*])?\*(?![\w*])|(?<!\w)_[^\s_](?:[^_\n]*[^\s_])?_(?!\w)",
    r"~~[^\s~][^~\n]*~~",
    r"`[^`\n]+`",
    r"\[[^\]\n]*\]\((?:\w+:|[/#.])|!\[[^\]\n]*\]\(",  # a link, an image
    r"\[\^\w+\]|(?<=[\w.,;:!?)”\"]) ?\[[1-9]\d?\](?![\w(])|【[^】\n]*†[^】\n]*】",  # a citation
)
_MARKDOWN: Final = re.compile("|".join(_MARKS), re.MULTILINE)


def is_markdown(text: str) -> bool:
    """Returns whether a text has marks of Markdown: headings, items, emphasis, code, links, tables, citations."""
    return _MARKDOWN.search(text) is not None
