"""Each kind of engine loads the voice files that are its own; the registry lists the kinds, and nothing else does."""

import re
from collections.abc import Sequence
from pathlib import Path

import pytest
import structlog
from structlog.testing import CapturingLogger

from phonoscope.common.errors import VoiceFileError
from phonoscope.server.engines import registry
from phonoscope.server.engines.loading import EngineKind, LoadedEngine, Loading
from phonoscope.server.engines.tone import ToneEngine, tone_voice
from phonoscope.server.events import Event, VoiceLoaded
from phonoscope.server.settings import ServerSettings
from phonoscope.server.types import Voice


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with voices of two kinds, and no embedded voice."""
    monkeypatch.setattr("phonoscope.server.engines.voice_files.EMBEDDED_PACKAGE", "nowhere_to_be_found")
    for name in ("b.sine", "a.sine", "c.saw", "notes.txt"):
        (tmp_path / name).touch()
    return tmp_path


def kind_of(pattern: str) -> EngineKind:
    def load(paths: Sequence[Path], loading: Loading) -> LoadedEngine | None:
        voices = list(loading.each(paths, "cpu", _voice))
        return LoadedEngine(ToneEngine(voices), lambda _logger: None) if voices else None

    return EngineKind(pattern, load)


def _voice(path: Path) -> tuple[Voice, Voice]:
    if path.read_text() == "bad":
        raise VoiceFileError(f"{path}: is bad")
    return (voice := tone_voice(path.stem)), voice


def loading(folder: Path, events: list[Event] | None = None, **settings: object) -> Loading:
    emit = (lambda _event: None) if events is None else events.append
    logger = structlog.wrap_logger(CapturingLogger())
    return Loading(ServerSettings(voices_dir=folder, **settings), logger, emit, _check)


def _check(voice: Voice) -> None:
    if voice.id == "klingon":
        raise VoiceFileError("nobody can read that")


def test_each_kind_gets_its_own_files(folder: Path) -> None:
    events: list[Event] = []
    loaded = registry.load_engines(loading(folder, events), (kind_of("*.sine"), kind_of("*.saw")))
    assert [[voice.id for voice in one.engine.voices] for one in loaded] == [["a", "b"], ["c"]]
    assert [event.voice for event in events if isinstance(event, VoiceLoaded)] == ["a", "b", "c"]


def test_a_kind_without_files_loads_nothing(folder: Path) -> None:
    [loaded] = registry.load_engines(loading(folder), (kind_of("*.noise"), kind_of("*.saw")))
    assert [voice.id for voice in loaded.engine.voices] == ["c"]


def test_a_file_that_two_patterns_match_belongs_to_the_first(folder: Path) -> None:
    loaded = registry.load_engines(loading(folder), (kind_of("a.*"), kind_of("*.sine")))
    assert [[voice.id for voice in one.engine.voices] for one in loaded] == [["a"], ["b"]]


def test_a_bad_voice_ends_the_start_with_a_workaround(folder: Path) -> None:
    (folder / "a.sine").write_text("bad")
    with pytest.raises(VoiceFileError, match=re.escape("is bad (--skip-bad-voices starts the server without it)")):
        registry.load_engines(loading(folder), (kind_of("*.sine"),))


def test_bad_voices_are_skipped_where_the_settings_say_so(folder: Path) -> None:
    (folder / "a.sine").write_text("bad")
    [loaded] = registry.load_engines(loading(folder, skip_bad_voices=True), (kind_of("*.sine"),))
    assert [voice.id for voice in loaded.engine.voices] == ["b"]


def test_a_voice_that_no_text_can_be_read_for_is_named_by_its_file(folder: Path) -> None:
    path = folder / "klingon.saw"
    path.touch()
    with pytest.raises(VoiceFileError, match=re.escape(f"{path}: nobody can read that (--skip-bad-voices")):
        registry.load_engines(loading(folder), (kind_of("*.saw"),))


def test_a_voice_that_no_text_can_be_read_for_is_skipped_too(folder: Path) -> None:
    (folder / "klingon.saw").touch()
    events: list[Event] = []
    [loaded] = registry.load_engines(loading(folder, events, skip_bad_voices=True), (kind_of("*.saw"),))
    assert [voice.id for voice in loaded.engine.voices] == ["c"]
    assert [event.voice for event in events if isinstance(event, VoiceLoaded)] == ["c"]


def test_a_start_without_any_good_voice_is_refused(folder: Path) -> None:
    (folder / "c.saw").write_text("bad")
    with pytest.raises(VoiceFileError, match="no voice file could be loaded"):
        registry.load_engines(loading(folder, skip_bad_voices=True), (kind_of("*.saw"),))


@pytest.mark.parametrize(
    "room",
    [
        "__main__.py",
        "build.py",
        "settings.py",
        "types.py",
        "events.py",
        "telemetry",
        "rpc",
        "request",
        "speech",
        "scheduling",
        "text",
        "audio",
    ],
)
def test_no_code_outside_the_engines_imports_one(room: str) -> None:
    server = Path(registry.__file__).parents[1]
    files = [server / room] if room.endswith(".py") else sorted((server / room).rglob("*.py"))
    named = re.compile(
        r"phonoscope\.server\.engines\.(?!base\b|loading\b|registry\b|voice_files\b|cores\b|cuda_memory\b)"
    )
    assert files
    assert [str(file) for file in files if named.search(file.read_text())] == []
