"""Starts of a server with Kokoro's voices and the embedded one: `python -m benchmarks.kokoro_starts --voices-dir DIR`.

Prints the medians of the time from the start of the process to SERVING, and of its memory: when it is SERVING, and
after a sentence by either engine. Starts with all packs and with one of them take turns.
"""

import argparse
import tempfile
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from benchmarks.machine import neighbours, this_machine
from benchmarks.served import MEBIBYTE, serving
from benchmarks.texts import TEXTS
from benchmarks.turns import median
from phonoscope.server.engines.kokoro.loader import KOKORO
from phonoscope.server.engines.kokoro.packs import FOLDER, find_packs

SENTENCE: Final = TEXTS[64]
VITS_VOICE: Final = "en_US-joe-medium"
MAX_SECONDS: Final = 8.0
MAX_BYTES: Final = 1.6 * 2**30


@dataclass(frozen=True, slots=True)
class Start:
    """One start of a server.

    Attributes:
        ready_seconds: from the start of the process to SERVING.
        ready_cpu_seconds: CPU time until then, which other processes change little.
        idle_bytes: memory of the process in RAM once it is warm.
        spoken_bytes: and after a sentence by each engine.
    """

    ready_seconds: float
    ready_cpu_seconds: float
    idle_bytes: float
    spoken_bytes: float


def main() -> None:
    """Runs the benchmark and prints its table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--voices-dir", type=Path, required=True, help="with a folder kokoro*/ of style packs")
    parser.add_argument("--voice", default="af_heart")
    parser.add_argument("--starts", type=int, default=5)
    parser.add_argument("--threads", type=int, default=0, help="of the engines; 0: one per core")
    arguments = parser.parse_args()
    console = Console()
    console.print(this_machine().line)
    console.print(neighbours().line)
    [folder, *_] = sorted(arguments.voices_dir.glob(KOKORO.pattern))
    packs = find_packs(folder)
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as cache:
        _link_one(folder, packs[arguments.voice], Path(one))
        places = {f"{len(packs)} packs": arguments.voices_dir, "1 pack": Path(one)}
        flags = {name: [f"--voices-dir={place}", f"--cache-dir={cache}"] for name, place in places.items()}
        starts: dict[str, list[Start]] = {name: [] for name in places}
        for number in range(arguments.starts + 1):
            for name, found in starts.items():
                start = _start(arguments.threads, arguments.voice, flags[name])
                if number:  # the first fills the cache folder
                    found.append(start)
    console.print(_table(starts))


def _link_one(folder: Path, pack: Path, place: Path) -> None:
    """Makes a voices folder with the same model and one pack."""
    other = place / folder.name
    (other / FOLDER).mkdir(parents=True)
    for path in folder.iterdir():
        if path.is_file() and path != pack:
            (other / path.name).symlink_to(path.resolve())
    (other / FOLDER / pack.name).symlink_to(pack.resolve())


def _start(threads: int, voice: str, flags: list[str]) -> Start:
    with serving(threads, *flags) as served:
        idle_bytes = served.resident_bytes()
        for one in (VITS_VOICE, voice):
            for _ in served.client.stream(SENTENCE, voice=one):
                pass
        return Start(served.ready_seconds, served.ready_cpu_seconds, idle_bytes, served.resident_bytes())


def _table(starts: dict[str, list[Start]]) -> Table:
    columns = ("SERVING, s", "CPU, s", "RSS, MiB", "RSS after speech, MiB", "each start, s", "met")
    table = Table("", *columns, title=f"Start with Kokoro and {VITS_VOICE}, medians")
    for name, found in starts.items():
        seconds, cpu_seconds, idle, spoken = (
            median([getattr(one, field.name) for one in found]) for field in fields(Start)
        )
        is_met = seconds <= MAX_SECONDS and spoken <= MAX_BYTES
        table.add_row(
            name,
            f"{seconds:.2f}",
            f"{cpu_seconds:.2f}",
            f"{idle / MEBIBYTE:.0f}",
            f"{spoken / MEBIBYTE:.0f}",
            " ".join(f"{one.ready_seconds:.2f}" for one in sorted(found, key=lambda one: one.ready_seconds)),
            "yes" if is_met else "no",
        )
    return table


if __name__ == "__main__":
    main()
