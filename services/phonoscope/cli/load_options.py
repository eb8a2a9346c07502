"""Flags of `phonoscope bench` for the load itself: which calls, how many, which texts, and what makes them harder."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import typer

from phonoscope.cli.load_progress import is_live
from phonoscope.cli.shared_options import MIN_TIMEOUT_SECONDS
from phonoscope.loadgen.corpus import built_in_texts, texts_of, texts_within
from phonoscope.loadgen.plan import LoadPlan, Mode

DEFAULT_CONCURRENCY: Final = 4
MAX_NEIGHBOURS: Final = 1024
LINE_SECONDS: Final = 5.0
LIVE_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadOptions:
    """The load as the command line states it; `plan` and `texts` check and interpret it."""

    mode: Annotated[
        Mode,
        typer.Option(
            help="Kind of calls: mixed is seven streams to three unary calls, bidi sends the text word by word."
        ),
    ] = Mode.STREAM
    tokens_per_second: Annotated[
        float,
        typer.Option(
            metavar="RATE", min=0.0, help="With --mode bidi: words per second; 0 is as fast as the server reads."
        ),
    ] = 0.0
    concurrency: Annotated[
        int | None,
        typer.Option("--concurrency", "-c", metavar="N", min=1, help="Closed loop: calls in flight. Default: 4."),
    ] = None
    rate: Annotated[
        float | None,
        typer.Option("--rate", "-r", metavar="PER_SECOND", min=0.001, help="Open loop: calls started per second."),
    ] = None
    ramp: Annotated[
        str,
        typer.Option(metavar="FROM:TO", help="Open loop: calls per second, from FROM to TO over the duration."),
    ] = ""
    max_in_flight: Annotated[
        int,
        typer.Option(metavar="N", min=1, help="With --rate or --ramp: maximum calls in flight; others are not sent."),
    ] = 256
    duration: Annotated[
        float,
        typer.Option("--duration", "-d", metavar="SECONDS", min=0.0, help="Length of the run; 0 is endless."),
    ] = 30.0
    requests: Annotated[
        int, typer.Option("--requests", "-n", metavar="N", min=0, help="Maximum number of calls; 0 is unlimited.")
    ] = 0
    text: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Texts to speak, one per line. Default: built-in texts.")
    ] = None
    characters: Annotated[
        str, typer.Option(metavar="MIN:MAX", help="Use only texts of this length, such as 64:235.")
    ] = ""
    voice: Annotated[str, typer.Option("--voice", "-v", help="Voice id, or voice:speaker.")] = ""
    deadline: Annotated[
        float, typer.Option(metavar="SECONDS", min=MIN_TIMEOUT_SECONDS, help="Deadline of each call.")
    ] = 30.0
    bad_ratio: Annotated[
        float,
        typer.Option(metavar="RATIO", min=0.0, max=1.0, help="Ratio of invalid requests, to be refused."),
    ] = 0.0
    cancel_ratio: Annotated[
        float,
        typer.Option(
            metavar="RATIO",
            min=0.0,
            max=1.0,
            help="Ratio of streams that the caller cancels: half before the first audio, half right after it.",
        ),
    ] = 0.0
    retry_seconds: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS",
            min=0.0,
            help="Closed loop: pause after a failure, in place of the delay that the server requests (RetryInfo).",
        ),
    ] = None
    neighbours: Annotated[
        int,
        typer.Option(
            metavar="N",
            min=0,
            max=MAX_NEIGHBOURS,
            help="Busy processes on this machine during the run; use it where the server runs here too.",
        ),
    ] = 0
    seed: Annotated[int, typer.Option(metavar="N", help="The same seed makes the same calls.")] = 0
    wait: Annotated[
        float,
        typer.Option(metavar="SECONDS", min=0.0, help="Maximum wait for the server to be SERVING; 0 is unlimited."),
    ] = 60.0
    every: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS",
            min=0.1,
            help="Interval of the progress figures. Default: 5 for lines, 1 for the live table.",
        ),
    ] = None

    def plan(self) -> LoadPlan:
        """Returns the plan of the run; raises BadParameter for options that contradict each other."""
        self._check_loop()
        plan = LoadPlan(
            mode=self.mode,
            concurrency=self.concurrency or DEFAULT_CONCURRENCY,
            arrivals_per_second=self.rate,
            ramp_per_second=parse_ramp(self.ramp, self.duration),
            max_in_flight=self.max_in_flight,
            duration_seconds=self.duration,
            calls=self.requests,
            deadline_seconds=self.deadline,
            wait_seconds=self.wait,
            line_seconds=self.every or (LIVE_SECONDS if is_live() else LINE_SECONDS),
            bad_ratio=self.bad_ratio,
            cancel_ratio=self.cancel_ratio,
            retry_seconds=self.retry_seconds,
            neighbours=self.neighbours,
            tokens_per_second=self.tokens_per_second,
            voice=self.voice,
            seed=self.seed,
        )
        check_drills(plan)
        return plan

    def texts(self) -> Sequence[Sequence[str]]:
        """Returns the texts of the file, or the built-in ones, that have the requested length.

        Raises BadParameter where there are none, and OSError where the file cannot be read.
        """
        try:
            texts = built_in_texts() if self.text is None else texts_of(self.text)
        except ValueError as error:
            raise typer.BadParameter(f"{self.text}: {error}", param_hint="--text") from None
        if not self.characters:
            return texts
        shortest, longest = parse_pair(self.characters, "--characters", example="64:235")
        try:
            return texts_within(texts, math.ceil(shortest), math.floor(longest))
        except ValueError as error:
            raise typer.BadParameter(f"{error}.", param_hint="--characters") from None

    def _check_loop(self) -> None:
        if sum((self.rate is not None, self.concurrency is not None, bool(self.ramp))) > 1:
            raise typer.BadParameter(
                "a run is either a closed loop or an open loop: use one of --concurrency, --rate and --ramp.",
                param_hint="--ramp" if self.ramp else "--rate",
            )


def parse_ramp(ramp: str, duration_seconds: float) -> tuple[float, float] | None:
    """Returns the rates of --ramp, None without it; raises BadParameter for rates that make no ramp."""
    if not ramp:
        return None
    first, last = parse_pair(ramp, "--ramp", example="1:20")
    if max(first, last) == 0:
        raise typer.BadParameter("at least one of the two rates must be above 0.", param_hint="--ramp")
    if not duration_seconds:
        raise typer.BadParameter("--ramp needs a --duration above 0.", param_hint="--duration")
    return first, last


def parse_pair(text: str, option: str, *, example: str) -> tuple[float, float]:
    """Returns two numbers separated by a colon; raises BadParameter for anything else, and for negative ones."""
    try:
        first, last = (float(number) for number in text.split(":"))
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not two numbers, such as {example}.", param_hint=option) from None
    if not (0 <= first < math.inf and 0 <= last < math.inf):
        raise typer.BadParameter(f"{text!r}: both numbers must be finite, and 0 or more.", param_hint=option)
    return first, last


def check_drills(plan: LoadPlan) -> None:
    """Raises BadParameter for a drill that the mode or the loop of the run does not support."""
    if plan.cancel_ratio > 0 and plan.mode is Mode.UNARY:
        raise typer.BadParameter(
            "only streams can be cancelled; use --mode stream, mixed or bidi.", param_hint="--cancel-ratio"
        )
    if plan.retry_seconds is not None and plan.is_open_loop:
        raise typer.BadParameter(
            "an open loop (--rate, --ramp) does not retry; use --concurrency.", param_hint="--retry-seconds"
        )
