"""The phases of a start follow each other without a gap, from the start of the process."""

from phonoscope.server.events import Event, StartupPhaseEnded
from phonoscope.server.startup import StartupTimer


def test_phases_add_up_to_the_time_since_the_process_was_started() -> None:
    now, events = 100.0, list[Event]()
    timer = StartupTimer(lambda: 1.5, lambda: now)
    now = 100.25  # settings are read and telemetry is built before anything can be emitted
    timer.end_imports(events.append)
    now = 100.5
    timer.end("listen", events.append)
    now = 102.5
    timer.end("import_engines", events.append)
    assert events == [
        StartupPhaseEnded("import", 1.5),
        StartupPhaseEnded("listen", 0.5),
        StartupPhaseEnded("import_engines", 2.0),
    ]
    assert timer.phases == {"import": 1.5, "listen": 0.5, "import_engines": 2.0}
    assert timer.total_seconds() == sum(timer.phases.values())
