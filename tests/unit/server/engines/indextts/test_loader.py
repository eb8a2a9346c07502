"""Without the library, a folder of IndexTTS says what to install."""

from pathlib import Path

import pytest
import structlog
from structlog.testing import CapturingLogger

from phonoscope.common.errors import VoiceFileError
from phonoscope.server.engines.indextts import loader
from phonoscope.server.engines.loading import Loading
from phonoscope.server.engines.registry import ENGINES
from phonoscope.server.settings import ServerSettings


@pytest.fixture(autouse=True)
def without_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loader, "PACKAGE", "nowhere_to_be_found")


def loading(log: CapturingLogger, **settings: object) -> Loading:
    logger = structlog.wrap_logger(log, processors=[lambda _logger, _name, event: ((), event)])
    return Loading(ServerSettings(**settings), logger, lambda _event: None, lambda _voice: None)


def test_the_error_says_what_to_install() -> None:
    with pytest.raises(VoiceFileError, match=r"^voices/indextts-2\.5: needs .*pip install 'phonoscope\[indextts\]'"):
        loader.load_indextts([Path("voices/indextts-2.5")], loading(CapturingLogger()))


def test_it_can_be_skipped() -> None:
    log = CapturingLogger()
    assert loader.load_indextts([Path("voices/indextts-2.5")], loading(log, skip_bad_voices=True)) is None
    assert log.calls[0].kwargs["event"] == "voice_skipped"


def test_the_registry_lists_it() -> None:
    assert loader.INDEXTTS in ENGINES
    assert Path("voices/indextts-2.5").match(loader.INDEXTTS.pattern)
