"""What some options of `phonoscope bench` mean: rates of a ramp, texts of a length, and drills that fit the run."""

import math
from collections.abc import Sequence
from pathlib import Path

import typer

from phonoscope.loadgen.corpus import built_in_texts, texts_of, texts_within
from phonoscope.loadgen.plan import LoadPlan, Mode


def ramp_of(ramp: str, duration_seconds: float) -> tuple[float, float] | None:
    """Returns the rates of --ramp, None without it; raises BadParameter where they make no ramp."""
    if not ramp:
        return None
    first, last = pair_of(ramp, "--ramp", such_as="1:20")
    if max(first, last) == 0:
        raise typer.BadParameter("one of the two rates must be above 0.", param_hint="--ramp")
    if not duration_seconds:
        raise typer.BadParameter("a ramp ends with the duration: give one above 0.", param_hint="--duration")
    return first, last


def texts_to_say(file: Path | None, characters: str) -> Sequence[Sequence[str]]:
    """Returns the texts of the file, or the built-in ones, of the range of characters where one is given.

    Raises BadParameter for a file that has none, and a range that has none.
    """
    try:
        texts = built_in_texts() if file is None else texts_of(file)
    except ValueError as error:
        raise typer.BadParameter(f"{file}: {error}", param_hint="--text") from None
    if not characters:
        return texts
    shortest, longest = pair_of(characters, "--characters", such_as="64:235")
    try:
        return texts_within(texts, math.ceil(shortest), math.floor(longest))
    except ValueError as error:
        raise typer.BadParameter(f"{error}.", param_hint="--characters") from None


def check_drills(plan: LoadPlan) -> None:
    """Raises BadParameter for a drill that does not go with the mode or the loop of the run."""
    if plan.cancel_ratio > 0 and plan.mode is Mode.UNARY:
        raise typer.BadParameter(
            "only streams are cancelled, and --mode unary has none; use --mode stream, mixed or bidi.",
            param_hint="--cancel-ratio",
        )
    if plan.retry_seconds is not None and plan.is_open_loop:
        raise typer.BadParameter(
            "an open loop (--rate, --ramp) does not retry: its calls start when they are due; use --concurrency.",
            param_hint="--retry-seconds",
        )


def pair_of(text: str, option: str, *, such_as: str) -> tuple[float, float]:
    """Returns two numbers with a colon between them; raises BadParameter for anything else, and below 0."""
    try:
        first, last = (float(number) for number in text.split(":"))
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not two numbers, such as {such_as}.", param_hint=option) from None
    if not (0 <= first < math.inf and 0 <= last < math.inf):
        raise typer.BadParameter(f"{text!r}: neither may be below 0, or without end.", param_hint=option)
    return first, last
