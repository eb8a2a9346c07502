"""Playback through the loudspeakers, by the optional package sounddevice (PortAudio). Used by `say --play`.

A separate thread plays the samples, so that playback delays neither the network nor the measurements.
"""

import contextlib
import queue
import threading
from collections.abc import Iterator
from types import ModuleType
from typing import Final

from phonoscope.cli.error_reporting import fail

BLOCK_SECONDS: Final = 0.1  # maximum time to stop after an interrupt
BYTES_PER_SAMPLE: Final = 2


class Loudspeaker:
    """Plays 16-bit mono samples in order; the first samples open the device.

    The queue needs no bound of its own: it holds up to the audio of one request, which the server limits.
    """

    def __init__(self, sounddevice: ModuleType) -> None:
        self._sounddevice = sounddevice
        self._waiting: queue.SimpleQueue[tuple[bytes, int] | None] = queue.SimpleQueue()
        self._is_stopped = threading.Event()
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._play, name="loudspeaker", daemon=True)
        self._thread.start()

    def write(self, samples: bytes, sample_rate_hz: int) -> None:
        """Queues samples for playback; all calls must pass the same rate."""
        self._waiting.put((samples, sample_rate_hz))

    def finish(self) -> None:
        """Waits until everything is played; ends the command if the device has failed."""
        self._waiting.put(None)
        self._thread.join()
        if self._failure is not None:
            fail(f"playback failed: {self._failure}. Check the sound device, or write a file with -o out.wav")

    def stop(self) -> None:
        """Stops playback at once."""
        self._is_stopped.set()
        self._waiting.put(None)
        self._thread.join()

    def _play(self) -> None:
        try:
            first = self._waiting.get()
            if first is None:
                return
            with self._sounddevice.RawOutputStream(samplerate=first[1], channels=1, dtype="int16") as device:
                for block in self._blocks(first):
                    device.write(block)
        except self._sounddevice.PortAudioError as error:
            self._failure = error

    def _blocks(self, first: tuple[bytes, int]) -> Iterator[bytes]:
        item: tuple[bytes, int] | None = first
        while item is not None:
            samples, sample_rate_hz = item
            block_bytes = int(sample_rate_hz * BLOCK_SECONDS) * BYTES_PER_SAMPLE
            for start in range(0, len(samples), block_bytes):
                if self._is_stopped.is_set():
                    return
                yield samples[start : start + block_bytes]
            item = self._waiting.get()


@contextlib.contextmanager
def loudspeaker() -> Iterator[Loudspeaker]:
    """Yields a loudspeaker; the block ends when everything is played, and an exception stops playback."""
    speaker = Loudspeaker(sounddevice_module())
    try:
        yield speaker
        speaker.finish()
    except BaseException:
        speaker.stop()
        raise


def sounddevice_module() -> ModuleType:
    """Returns the sounddevice package; ends the command if it is not installed."""
    try:
        import sounddevice  # noqa: PLC0415 - an extra, and slow to load
    except ImportError:
        fail("--play needs the sounddevice package: pip install 'phonoscope[play]'")
    except OSError as error:  # the package is installed, PortAudio is not
        fail(f"--play needs the PortAudio library ({error}): install it, for example with apt install libportaudio2")
    return sounddevice  # type: ignore[no-any-return]  # ships no types
