"""The real library with a tiny random checkpoint on the CPU; where it is not installed, all of this is skipped.

`make indextts` installs it into an environment of its own and runs these tests.
"""

import importlib.util
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
import torch
from structlog.testing import CapturingLogger

from phonoscope.server.engines.loading import LoadedEngine, Loading
from phonoscope.server.events import Event
from phonoscope.server.settings import ServerSettings

HAS_LIBRARY = importlib.util.find_spec("indextts25") is not None
# An argument that transformers renames, and the tokens' file, which the library does not close.
LIBRARY_WARNS = (
    ".*past_key_values:FutureWarning",
    ":DeprecationWarning",
    ":ResourceWarning",
    ":pytest.PytestUnraisableExceptionWarning",
)
MakeLoading = Callable[..., Loading]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks the tests of this folder: they are skipped without the library, and its own warnings do not fail them."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.slow)
            for warning in LIBRARY_WARNS:
                item.add_marker(pytest.mark.filterwarnings(f"ignore:{warning}"))
            reason = "indextts25-inference is not installed: make indextts"
            item.add_marker(pytest.mark.skipif(not HAS_LIBRARY, reason=reason))


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """Small networks lose more to waiting threads than they gain."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def voices_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A voices folder with the checkpoint."""
    from benchmarks.tiny_indextts import write_checkpoint

    folder = tmp_path_factory.mktemp("voices")
    write_checkpoint(folder / "indextts-tiny")
    return folder


@pytest.fixture
def folder(voices_dir: Path, tmp_path: Path) -> Path:
    """The checkpoint's folder, to break: its large files are links."""
    made = tmp_path / "indextts-tiny"
    shutil.copytree(voices_dir / "indextts-tiny", made, copy_function=lambda source, to: Path(to).symlink_to(source))
    return made


@pytest.fixture(scope="session")
def events() -> list[Event]:
    """What the engine emitted."""
    return []


@pytest.fixture(scope="session")
def make_loading(voices_dir: Path, events: list[Event], tmp_path_factory: pytest.TempPathFactory) -> MakeLoading:
    """Makes what loaders need, with settings."""
    cache = tmp_path_factory.mktemp("cache")

    def make(**settings: Any) -> Loading:
        given = {"voices_dir": voices_dir, "device": "cpu", "threads": 1, "cache_dir": cache, **settings}
        logger = structlog.wrap_logger(CapturingLogger())
        return Loading(ServerSettings(**given), logger, events.append, lambda _voice: None)

    return make


@pytest.fixture(scope="session")
def loaded(voices_dir: Path, make_loading: MakeLoading) -> LoadedEngine:
    """The engine, loaded as the server loads it, and warmed up in two languages: Arabic, which the library does not
    normalise, and Chinese, whose grammar is compiled in seconds. Those of English and Spanish take minutes here.
    """
    from phonoscope.server.engines.indextts.languages import LANGUAGES
    from phonoscope.server.engines.indextts.loader import load_indextts

    own = tuple(language for language in LANGUAGES if language.code in ("ar", "zh"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("phonoscope.server.engines.indextts.engine.LANGUAGES", own)
        one = load_indextts([voices_dir / "indextts-tiny"], make_loading())
    assert one is not None
    one.engine.warm_up()
    return one
