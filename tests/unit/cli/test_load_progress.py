"""What is shown while a run goes on."""

import io

from rich.console import Console

from phonoscope.cli.load_progress import LiveFigures, is_live, progress, rows_of
from phonoscope.loadgen.events import Figures, ServerAway
from phonoscope.loadgen.plan import CallResult, PlannedCall
from phonoscope.loadgen.tally import Tally

STREAM = PlannedCall("Hello.", {}, is_stream=True)


def tally_of(*first_audios: float, error: str = "") -> Tally:
    tally = Tally()
    for seconds in first_audios:
        tally.add(CallResult(call=STREAM, seconds=1.0, first_audio_seconds=seconds, audio_seconds=2.0))
    if error:
        tally.add(CallResult(call=STREAM, seconds=0.1, error=error))
    return tally


def figures(at_seconds: float, tally: Tally) -> Figures:
    return Figures(at_seconds=at_seconds, seconds=2.0, in_flight=3, tally=tally)


def terminal() -> Console:
    return Console(file=io.StringIO(), force_terminal=True, width=100, color_system=None)


def text_of(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def row(table: str, name: str) -> list[str]:
    (line,) = [line for line in table.splitlines() if line.startswith(name)]
    return line.removeprefix(name).split()


def test_elsewhere_than_on_a_terminal_there_is_a_line_for_each_event(capsys):
    with progress("here:1") as tell:
        tell(figures(2.0, tally_of(0.1)))
        tell(ServerAway("NOT_SERVING"))
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert "first audio p50" in lines[0]
    assert not is_live()


def test_the_table_has_the_last_seconds_beside_the_whole_run():
    console, live = terminal(), LiveFigures("here:1")
    live.table(figures(2.0, tally_of(0.1, 0.1, 0.1)))
    last = tally_of(0.3, error="UNAVAILABLE")
    last.add(CallResult(call=STREAM, seconds=0.01, is_cancelled=True))
    console.print(live.table(figures(4.0, last)))
    table = text_of(console)
    assert "here:1   4 s   3 in flight" in table
    assert row(table, "calls ok") == ["1", "4"]
    assert row(table, "calls failed") == ["1", "1"]
    assert row(table, "cancelled") == ["1", "1"]
    assert row(table, "calls/s") == ["1.5", "1.5"]
    assert row(table, "audio seconds/s") == ["1.0", "2.0"]
    assert row(table, "first audio of streams, p50/p95/p99 ms")[:3] == ["300", "/", "300"]
    assert "UNAVAILABLE 1" in table


def test_a_terminal_sees_the_table_and_what_happened_to_the_server():
    console = terminal()
    with progress("here:1", console) as tell:
        tell(ServerAway("NOT_SERVING"))
        tell(figures(2.0, tally_of(0.1)))
    assert "no server is SERVING at here:1 (NOT_SERVING)" in text_of(console)
    assert "calls ok" in text_of(console)


def test_without_measurements_there_is_no_figure():
    assert dict(rows_of(Tally(), 0.0))["first audio of streams, p50/p95/p99 ms"] == "- / - / -"
