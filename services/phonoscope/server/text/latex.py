"""Takes the delimiters of LaTeX from formulas, and names its most frequent commands: `$x^2$` is x^2.

Called by `front_end.py` before numbers are put into words, so that the dollar of a formula is not money. A formula
between single dollars has a sign that prose has not; prices, such as "$5 and $10", have none. The commands become
characters, which `characters.py` reads in the voice's language. Source: the LaTeX Project's guide "LaTeX2e for
authors" for the delimiters, and the Unicode names of the characters.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from phonoscope.server.text.passage import Passage, covering
from phonoscope.server.text.rewriting import Replacement, rewritten

_BEGUN: Final = re.compile(r"\$\S|\\[(\[]")
FORMULA: Final = re.compile(
    r"""
    \$\$(?P<display>[^$]{1,1000}?)\$\$
    | (?<![\w$\\])\$(?P<inline>
        [A-Za-z](?:[ ]?[-+*/<>][ ]?\w{1,10}){0,4}
        | (?=[^$\n]*[\\^_=])[^\s$](?:[^$\n]{0,300}[^\s$\\])?
    )\$(?![\w$])
    | \\\((?P<round>[^\n]{1,300}?)\\\)
    | \\\[(?P<square>.{1,1000}?)\\\]
    """,
    re.VERBOSE | re.DOTALL,
)
"""A formula with its delimiters; the group that matches is its content."""
LONGEST: Final = 304
"""Of a formula within a line, in characters."""
_SIGN: Final = re.compile(r"[\\^_=+<>]")
_TOKEN: Final = re.compile(
    r"""
    \\[dt]?frac[ ]?\{(?P<top>[^{}\\]{1,60})\}[ ]?\{(?P<bottom>[^{}\\]{1,60})\}
    | \\(?:text|mathrm|mathbf|mathbb|mathcal|mathit|operatorname)[ ]?\{(?P<text>[^{}\\]{0,100})\}
    | \\(?P<name>[A-Za-z]+)[ ]?
    | \\(?P<space>[,;:!> ])
    | (?P<low>_)
    """,
    re.VERBOSE,
)
_OVER: Final[Mapping[str, str]] = {"en": "over", "de": "durch", "fr": "sur", "es": "entre"}
_COMMANDS: Final[Mapping[str, str]] = {
    "times": "×", "cdot": "×", "div": "÷", "pm": "±", "mp": "∓", "sqrt": "√", "infty": "∞", "approx": "≈", "neq": "≠",
    "ne": "≠", "leq": "≤", "le": "≤", "geq": "≥", "ge": "≥", "lt": "<", "gt": ">", "to": "→", "rightarrow": "→",
    "leftarrow": "←", "Rightarrow": "⇒", "implies": "⇒", "iff": "⇔", "equiv": "≡", "propto": "∝", "in": "∈",
    "notin": "∉", "sum": "∑", "prod": "∏", "int": "∫", "partial": "∂", "nabla": "∇", "emptyset": "∅", "cup": "∪",
    "cap": "∩", "subset": "⊂", "land": "∧", "lor": "∨", "neg": "¬", "forall": "∀", "exists": "∃", "therefore": "∴",
    "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "epsilon": "ε", "zeta": "ζ", "eta": "η", "theta": "θ",
    "iota": "ι", "kappa": "κ", "lambda": "λ", "mu": "μ", "nu": "ν", "xi": "ξ", "pi": "π", "rho": "ρ", "sigma": "σ",
    "tau": "τ", "phi": "φ", "chi": "χ", "psi": "ψ", "omega": "ω", "Gamma": "Γ", "Delta": "Δ", "Theta": "Θ",
    "Lambda": "Λ", "Pi": "Π", "Sigma": "Σ", "Phi": "Φ", "Psi": "Ψ", "Omega": "Ω", "dots": "…", "ldots": "…",
    "cdots": "…", "left": "", "right": "", "quad": "", "qquad": "", "displaystyle": "",
}  # fmt: skip


def without_latex(passage: Passage, language: str) -> Passage:
    """Returns a passage whose formulas have no delimiters; any other passage is returned after one scan."""
    text = passage.text
    if _BEGUN.search(text) is None:
        return passage
    found = [one for one in _replacements(text, language) if covering(passage.overrides, one.start, one.stop) is None]
    return rewritten(passage, found) if found else passage


def _replacements(text: str, language: str) -> Iterator[Replacement]:
    for formula in FORMULA.finditer(text):
        start, stop = formula.span(formula.lastgroup or 0)
        if formula["display"] and _SIGN.search(text, start, stop) is None and text[start:stop].strip() != formula[1]:
            continue  # "$$ and $$" are prices
        yield Replacement(formula.start(), start, ())
        for token in _TOKEN.finditer(text, start, stop):
            is_last = text[token.end()] in " .,;:!?)" or token.end() == stop
            yield Replacement(token.start(), token.end(), ((_read(token, language) + ("" if is_last else " "), ""),))
        yield Replacement(stop, formula.end(), ())


def _read(token: re.Match[str], language: str) -> str:
    """Returns what stands for a command: words, a character, its name, or nothing."""
    if token["top"] is not None:
        return f" {token['top']} {_OVER.get(language, '/')} {token['bottom']}"
    if token["text"] is not None:
        return f" {token['text']}"
    if token["name"] is None:
        return ""
    sign = _COMMANDS.get(token["name"], token["name"])
    return sign and f" {sign}"
