"""What the tests of engines share."""

from collections.abc import Callable
from pathlib import Path

import pytest

from phonoscope.common.errors import VoiceFileError


@pytest.fixture
def refused() -> Callable[..., str]:
    """Checks that a call refuses a file: with VoiceFileError, one line, the file's path; returns the message."""

    def check(call: Callable[[], object], path: Path) -> str:
        with pytest.raises(VoiceFileError) as caught:
            call()
        message = str(caught.value)
        assert str(path) in message
        assert "\n" not in message
        return message

    return check
