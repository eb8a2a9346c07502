"""The loudspeaker, on a device that a test watches."""

import threading
from types import ModuleType
from typing import Self

import pytest
import typer

from phonoscope.cli import playback


class PortAudioError(Exception):
    """As sounddevice names it."""


class Device:
    """A sound device that plays into a list, and waits after its first block until `may_go_on`."""

    blocks: list[bytes]
    may_go_on: threading.Event
    has_begun: threading.Event

    def __init__(self, **_: object) -> None: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def write(self, block: bytes) -> None:
        self.blocks.append(block)
        self.has_begun.set()
        assert self.may_go_on.wait(10)


@pytest.fixture
def device(monkeypatch) -> type[Device]:
    Device.blocks, Device.may_go_on, Device.has_begun = [], threading.Event(), threading.Event()
    package = ModuleType("sounddevice")
    package.RawOutputStream, package.PortAudioError = Device, PortAudioError  # type: ignore[attr-defined]
    monkeypatch.setattr(playback, "sounddevice_module", lambda: package)
    return Device


def test_everything_is_played_before_the_block_ends(device):
    device.may_go_on.set()
    with playback.loudspeaker() as speaker:
        speaker.write(b"\1\0" * 250, 1000)
        speaker.write(b"\2\0" * 50, 1000)
    assert b"".join(device.blocks) == b"\1\0" * 250 + b"\2\0" * 50
    assert max(len(block) for block in device.blocks) == 200  # 0.1 s at 1 kHz


def test_an_interrupt_falls_silent_within_a_block(device, monkeypatch):
    def play_and_interrupt() -> None:
        with playback.loudspeaker() as speaker:
            monkeypatch.setattr(device, "may_go_on", speaker._is_stopped)
            speaker.write(b"\1\0" * 10_000, 1000)
            assert device.has_begun.wait(10)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        play_and_interrupt()
    assert len(device.blocks) == 1


def test_no_audio_at_all_opens_no_device(device):
    with playback.loudspeaker():
        pass
    assert device.blocks == []


def test_a_device_that_fails_is_one_line(device, monkeypatch, capsys):
    def broken(_: object, **__: object) -> None:
        raise PortAudioError("Error querying device -1")

    monkeypatch.setattr(device, "__init__", broken)
    with pytest.raises(typer.Exit) as ended, playback.loudspeaker() as speaker:
        speaker.write(b"\1\0", 1000)
    assert ended.value.exit_code == 1
    assert capsys.readouterr().err == (
        "phonoscope: playback failed: Error querying device -1. Check the sound device, or write a file with "
        "-o out.wav\n"
    )
