"""Delivers one request's audio: assembled on the right thread, timed, cut into chunks.

`synthesizer.py` makes one for each request.
"""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial

from phonoscope.server.events import ChunkSent, Delivery, Emit, EmotionFallback, FirstAudio
from phonoscope.server.scheduling.stream import Rendered
from phonoscope.server.speech.audio_assembler import AudioAssembler
from phonoscope.server.speech.playback import PlaybackClock
from phonoscope.server.speech.request_stats import RequestStats
from phonoscope.server.speech.timings import Timings
from phonoscope.server.speech.utterance_builder import Silence


@dataclass(frozen=True, slots=True)
class SpokenChunk:
    """Encoded audio, ready to send, and its duration at the target rate in seconds.

    Attributes:
        audio: empty for a mark after the end of all audio.
        text_span: the characters that it speaks; of all pieces joined, for incremental input.
        timings: of what begins in it, if requested.
        emotion_fallback: why a sentence that begins in it is neutral, although its emotion was to be found.
    """

    audio: bytes
    audio_seconds: float
    text_span: tuple[int, int] | None = None
    timings: Timings | None = None
    emotion_fallback: EmotionFallback | None = None


class AudioDelivery:
    """Turns what the scheduler delivers into bytes and chunks, and reports on them.

    Args:
        assembler: makes the bytes.
        stats: of the request.
        emit: gets FirstAudio and ChunkSent.
        audio_thread: where heavy work runs, so that other calls do not wait for it.
    """

    def __init__(self, assembler: AudioAssembler, stats: RequestStats, emit: Emit, audio_thread: Executor) -> None:
        self._assembler = assembler
        self._stats = stats
        self._emit = emit
        self._audio_thread = audio_thread

    async def add(self, rendered: Rendered) -> bytes:
        """Returns the bytes that the next samples make ready."""
        return await self._timed(partial(self._assembler.add, rendered))

    async def end(self, silence: Silence) -> bytes:
        """Returns the rest of the bytes, after the silence at the end."""
        return await self._timed(partial(self._assembler.end, silence))

    def whole(self) -> Timings | None:
        """Reports that all audio of a unary reply is complete; returns its timings."""
        self._note_first_audio("whole")
        self._stats.audio_seconds = self._assembler.seconds_out
        return self._assembler.timings(is_end=True)

    def emotion_fallback(self) -> EmotionFallback | None:
        """Returns why a sentence of a unary reply is neutral, although its emotion was to be found."""
        return self._assembler.emotion_fallback()

    def chunk(self, audio: bytes, player: PlaybackClock) -> SpokenChunk:
        """Returns bytes as the next chunk of a stream, and reports it."""
        return self._chunk(audio, self._assembler.timings(), player)

    def last_chunk(self, audio: bytes, player: PlaybackClock) -> SpokenChunk | None:
        """Returns the last chunk of a stream; None where nothing is left to send."""
        timings = self._assembler.timings(is_end=True)
        return self._chunk(audio, timings, player) if audio or timings else None

    def _chunk(self, audio: bytes, timings: Timings | None, player: PlaybackClock) -> SpokenChunk:
        stats, seconds_out = self._stats, self._assembler.seconds_out
        span, fallback = self._assembler.span(), self._assembler.emotion_fallback()
        chunk = SpokenChunk(audio, seconds_out - stats.audio_seconds, span, timings, fallback)
        stats.audio_seconds = seconds_out
        played = player.chunk(time.monotonic(), chunk.audio_seconds)
        if stats.first_audio_seconds is None:
            self._note_first_audio("stream")
        elif played is not None:
            self._emit(ChunkSent(stats.request, stats.voice, *played))
        return chunk

    def _note_first_audio(self, delivery: Delivery) -> None:
        stats = self._stats
        stats.first_audio_seconds = time.monotonic() - stats.had_text
        self._emit(FirstAudio(stats.request, stats.voice, delivery, stats.first_audio_seconds))

    async def _timed(self, work: Callable[[], bytes]) -> bytes:
        """Runs the assembler's work: here if it is quick, on the audio thread if it would delay other calls."""
        began = time.monotonic()
        if self._assembler.is_heavy:
            audio = await asyncio.get_running_loop().run_in_executor(self._audio_thread, work)
        else:
            audio = work()
        self._stats.encoded(began)
        return audio
