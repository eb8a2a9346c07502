"""`phonoscope voices`: lists the voices of a server or of the voice hub, and downloads voices from the hub."""

import contextlib
import dataclasses
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from typer.core import TyperGroup

from phonoscope.cli.error_reporting import report_errors
from phonoscope.cli.shared_options import MIN_TIMEOUT_SECONDS, ServerOption, plain_app
from phonoscope.client import Client, Gender, Voice
from phonoscope.client.channel import DEFAULT_TARGET
from phonoscope.common.paths import DEFAULT_VOICES_DIR

if TYPE_CHECKING:
    from phonoscope.common.indextts_hub import IndexTtsHub
    from phonoscope.common.kokoro_hub import KokoroHub
    from phonoscope.common.voice_hub import VoiceHub

COLUMN_TITLES: Final = {
    "id": "VOICE",
    "language": "LANGUAGE",
    "gender": "GENDER",
    "grade": "GRADE",
    "sample_rate_hz": "HZ",
    "speakers": "SPEAKERS",
    "is_default": "DEFAULT",
    "engine": "ENGINE",
    "quality": "QUALITY",
    "precision": "PRECISION",
    "emotion_rendering": "EMOTIONS",
    "reference_use": "RECORDINGS",
    "aliases": "ALIASES",
    "total_bytes": "MEGABYTES",
}
MAX_SPEAKERS: Final = 4
PIPE_COLUMNS: Final = 200
"""Width of the table when stdout is not a terminal, so that grep sees complete rows."""

HUB_HELP: Final = "URL of the voice hub. Default: the hub of the Piper voices, or of Kokoro-82M."
TimeoutOption = Annotated[
    float, typer.Option(metavar="SECONDS", min=MIN_TIMEOUT_SECONDS, help="Deadline of the request.")
]


def voices_app() -> typer.Typer:
    """Returns the command group; without a command it lists voices."""
    app = plain_app(
        help="List the voices of a server, or download new ones. Default command: list.", cls=ListByDefault
    )
    app.command("list")(list_voices)
    app.command("pull")(pull_voices)
    return app


class ListByDefault(TyperGroup):
    """A group whose command is `list` where none is named; its options may stand alone."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 - a context of click or of Typer's copy
        """Inserts the command before options that are not the group's own."""
        if not args or (args[0].startswith("-") and args[0] not in ctx.help_option_names):
            args = ["list", *args]
        return super().parse_args(ctx, args)


def list_voices(
    *,
    server: ServerOption = DEFAULT_TARGET,
    language: Annotated[str, typer.Option(help="Only voices of this BCP 47 tag; en matches en-US.")] = "",
    gender: Annotated[Gender | None, typer.Option(help="Only voices of this gender.")] = None,
    engine: Annotated[str, typer.Option(help="Only voices of this engine, such as kokoro.")] = "",
    from_hub: Annotated[bool, typer.Option("--hub", help="List the voices of the hub instead of a server.")] = False,
    hub_url: Annotated[str | None, typer.Option(metavar="URL", help=HUB_HELP)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    timeout: TimeoutOption = 10.0,
) -> None:
    """List the voices that a server has loaded, the default voice (*) first; with --hub, those to download."""
    if (from_hub or hub_url) and (gender or engine):
        raise typer.BadParameter("The hub states languages only.", param_hint="--gender" if gender else "--engine")
    with report_errors():
        if from_hub or hub_url:
            rows = hub_rows(hub_url, language) + ([] if hub_url else kokoro_rows(language))
        else:
            with Client(server, timeout_seconds=timeout) as client:
                rows = [server_row(voice) for voice in client.voices(language, gender=gender, engine=engine)]
        if as_json:
            typer.echo(json.dumps(rows, indent=2, ensure_ascii=False))
        else:
            print_table(rows)


def pull_voices(
    *,
    names: Annotated[
        list[str],
        typer.Argument(
            metavar="NAME",
            help="Voice to download, such as en_US-amy-medium or kokoro-82m/af_heart; kokoro-82m is all of Kokoro's, "
            "indextts-2.5 the model that speaks like recordings.",
        ),
    ],
    voices_dir: Annotated[
        Path, typer.Option(metavar="DIR", envvar="PHONOSCOPE_VOICES_DIR", help="Directory for the voices.")
    ] = DEFAULT_VOICES_DIR,
    hub_url: Annotated[str | None, typer.Option("--hub", "--hub-url", metavar="URL", help=HUB_HELP)] = None,
    without_model: Annotated[
        bool,
        typer.Option("--without-model", help="Of Kokoro, the voices alone: phonoscope[kokoro] has an 8-bit model."),
    ] = False,
) -> None:
    """Download voices into a directory that a server reads when it starts (`phonoscope serve --voices-dir DIR`).

    Prints the path of each. Files are verified by checksums; an interrupted download is resumed. Kokoro's voices share
    one model of 327 MB, which comes with the first. `phonoscope voices list --hub` lists the available voices.
    """
    from phonoscope.common.indextts_hub import LICENCE_NOTE  # noqa: PLC0415 - httpx is slow to load
    from phonoscope.common.indextts_hub import MODEL as INDEXTTS  # noqa: PLC0415 - likewise
    from phonoscope.common.kokoro_hub import MODEL, is_kokoro  # noqa: PLC0415 - likewise

    with report_errors():
        if INDEXTTS in names:
            typer.echo(LICENCE_NOTE, err=True)
        of_kokoro = [name for name in names if is_kokoro(name)]
        hub = voice_hub(hub_url)
        directory = voices_dir.expanduser()
        for name in dict.fromkeys(MODEL if is_kokoro(name) else name for name in names):
            with download_bar(name) as on_progress:
                if name == INDEXTTS:
                    path = indextts_hub(hub_url).pull(directory, on_progress=on_progress)
                elif name == MODEL:
                    path = kokoro_hub(hub_url).pull(
                        of_kokoro, directory, has_model=not without_model, on_progress=on_progress
                    )
                else:
                    path = hub.pull(name, directory, on_progress=on_progress)
            typer.echo(path)


def server_row(voice: Voice) -> dict[str, object]:
    """Returns the row of a voice of the server, in the order of the table's columns."""
    members = dataclasses.asdict(voice)
    return {key: members[key] for key in COLUMN_TITLES if key in members}


def hub_rows(hub_url: str | None, language: str) -> list[dict[str, object]]:
    """Returns the rows of the hub's voices of one language; "" means all."""
    return [
        {"id": voice.name, "language": voice.language, "quality": voice.quality, "total_bytes": voice.total_bytes}
        for voice in voice_hub(hub_url).catalogue()
        if is_of_language(voice.language, language)
    ]


def kokoro_rows(language: str) -> list[dict[str, object]]:
    """Returns the rows of Kokoro's published voices of one language; "" means all. Their bytes leave out the model."""
    from phonoscope.common.kokoro_hub import catalogue  # noqa: PLC0415 - httpx is slow to load

    return [
        {"id": voice.name, "language": voice.language, "quality": "", "total_bytes": voice.total_bytes}
        for voice in catalogue()
        if is_of_language(voice.language, language)
    ]


def is_of_language(tag: str, wanted: str) -> bool:
    """Whether a BCP 47 tag is, or begins with, the wanted one; "" is every language."""
    return not wanted or f"{tag.lower()}-".startswith(f"{wanted.replace('_', '-').lower()}-")


def voice_hub(url: str | None) -> "VoiceHub":
    """Returns the hub at `url`, or the default hub."""
    from phonoscope.common.voice_hub import DEFAULT_HUB_URL, VoiceHub  # noqa: PLC0415 - httpx is slow to load

    return VoiceHub(url or DEFAULT_HUB_URL)


def kokoro_hub(url: str | None) -> "KokoroHub":
    """Returns the hub of Kokoro-82M at `url`, or the default one."""
    from phonoscope.common.kokoro_hub import DEFAULT_KOKORO_HUB_URL, KokoroHub  # noqa: PLC0415 - likewise

    return KokoroHub(url or DEFAULT_KOKORO_HUB_URL)


def indextts_hub(url: str | None) -> "IndexTtsHub":
    """Returns the hub of IndexTTS-2.5 and the models that it needs at `url`, or the default one."""
    from phonoscope.common.indextts_hub import DEFAULT_MODEL_HUB_URL, IndexTtsHub  # noqa: PLC0415 - likewise

    return IndexTtsHub(url or DEFAULT_MODEL_HUB_URL)


def print_table(rows: Sequence[Mapping[str, object]]) -> None:
    """Prints one line per voice; all rows have the same keys."""
    if not rows:
        typer.echo("no voices found", err=True)
        return
    from rich.console import Console  # noqa: PLC0415 - slow to load, and `health` shares this program
    from rich.table import Table  # noqa: PLC0415 - likewise

    table = Table(box=None, pad_edge=False, header_style="bold")
    keys = [key for key in rows[0] if key in COLUMN_TITLES]  # JSON has all
    for key in keys:
        table.add_column(COLUMN_TITLES[key], no_wrap=key == "id", overflow="fold")
    for row in rows:
        table.add_row(*(cell(key, row[key]) for key in keys))
    Console(width=None if sys.stdout.isatty() else PIPE_COLUMNS, highlight=False, markup=False).print(table)


def cell(key: str, value: object) -> str:
    """Returns a value as displayed in the table."""
    if key == "is_default":
        return "*" if value else ""
    if key == "total_bytes" and isinstance(value, int):
        return f"{value / 1e6:.1f}"
    if isinstance(value, tuple):
        shown = ", ".join(value[:MAX_SPEAKERS])
        return f"{len(value)}: {shown}, …" if len(value) > MAX_SPEAKERS else shown
    return str(value)


@contextlib.contextmanager
def download_bar(name: str) -> Iterator[Callable[[int, int], None]]:
    """Yields a function that takes bytes done and total bytes; shows a bar on stderr if that is a terminal."""
    if not sys.stderr.isatty():
        yield lambda *_: None
        return
    from rich.console import Console  # noqa: PLC0415 - slow to load, and `health` shares this program
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn  # noqa: PLC0415

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(name, total=None)
        yield lambda done_bytes, total_bytes: bar.update(task, completed=done_bytes, total=total_bytes)
