"""③ The story of a request: text → sentences → utterances → scheduler → samples → bytes.

Called by ② servicer on the event loop. The text front end runs on a thread of its own, one sentence at a time, so that
the first sentence is spoken while the last is still letters; so does whatever shapes and compresses audio.
"""

import asyncio
import itertools
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from phonoscope.server.audio.encode import FULL_SCALE, AudioEncoder, whole_file
from phonoscope.server.events import (
    ChunkSent,
    Delivery,
    Emit,
    FirstAudio,
)
from phonoscope.server.request.fields import accepted_request_id
from phonoscope.server.request.resolver import RequestResolver, ResolvedRequest, speaker_name
from phonoscope.server.scheduling.scheduler import Scheduler
from phonoscope.server.scheduling.stream import AudioTooLong, Rendered, SpeechStream
from phonoscope.server.speech.incremental_input import Dictation, Flush
from phonoscope.server.speech.playback import PlaybackClock
from phonoscope.server.speech.recital import Recital
from phonoscope.server.speech.request_stats import Account, accounted
from phonoscope.server.speech.speaker_pitch import OwnPitches, check_hertz
from phonoscope.server.speech.text_producer import Feed
from phonoscope.server.speech.timings import Timings
from phonoscope.server.text.front_end import TextFrontEnd
from phonoscope.server.text.incremental import IncrementalText
from phonoscope.server.text.lexicon_files import LexiconFiles
from phonoscope.server.types import Encoding, SpeechRequest, Voice

# The name of requests by which the server measures a speaker's own pitch.
PITCH_REQUEST_ID: Final = "own-pitch"


@dataclass(frozen=True, slots=True)
class SpokenChunk:
    """Encoded audio, ready to send, and its duration at the target rate in seconds.

    Attributes:
        audio: none where a mark stands behind all of it.
        text_span: the characters that it speaks; of all pieces joined, where the text came in pieces.
        timings: of what begins in it, where that is asked for.
    """

    audio: bytes
    audio_seconds: float
    text_span: tuple[int, int] | None = None
    timings: Timings | None = None


@dataclass(frozen=True, slots=True)
class Spoken:
    """A whole spoken text."""

    request: ResolvedRequest
    audio: bytes
    audio_seconds: float
    timings: Timings | None = None


class Synthesizer:
    """Speaks requests with the voices of one engine.

    Args:
        scheduler: admits and renders.
        front_end: text to phoneme ids; called on one thread of its own.
        voices: the loaded voices, the default first.
        emit: told how each request went.
        lexicons: how words are said, besides what a request says of them.
        skips_unsupported_ssml: whether to pass over what a document has that is not served, instead of refusing it.
        most_characters: longest text served.
        most_reply_bytes: longest audio of a whole reply.
        max_unread_seconds: after which a stream that nobody reads is ended, by the edge.
        clause_wait_seconds: of text in pieces: once all is rendered, how long a clause waits for more.

    Attributes:
        precision: in which the vocoder computes, once the engine is warm.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        front_end: TextFrontEnd,
        voices: Sequence[Voice],
        emit: Emit,
        *,
        lexicons: LexiconFiles | None = None,
        skips_unsupported_ssml: bool = False,
        most_characters: int,
        most_reply_bytes: int,
        max_unread_seconds: float = 120.0,
        clause_wait_seconds: float = 0.5,
    ) -> None:
        self.voices = tuple(voices)
        self.precision = "float32"
        self._clause_wait_seconds = clause_wait_seconds
        self._scheduler = scheduler
        self._front_end = front_end
        self._emit = emit
        self._lexicons = lexicons or LexiconFiles((), emit)
        self._resolver = RequestResolver(
            voices,
            self._lexicons.of_language,
            most_characters=most_characters,
            skips_unsupported_ssml=skips_unsupported_ssml,
        )
        self._most_reply_bytes = most_reply_bytes
        self._max_unread_seconds = max_unread_seconds
        self._numbers = itertools.count(1)
        self._own_pitches = OwnPitches()
        self._text_thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="text")
        self._audio_thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="audio")

    async def speak(self, request: SpeechRequest, deadline_seconds: float | None) -> Spoken:
        """Speaks a whole text at once.

        Raises:
            ServiceError: any of its tree; REPLY_TOO_LARGE before anything is rendered.
        """
        async with self._account(request, deadline_seconds) as account:
            self._scheduler.check_room(is_whole=True)
            resolved = await self._resolve(request, account)
            is_wav = resolved.encoding is Encoding.WAV  # whose header, written last, states the length
            recital = await self._recital(resolved, Encoding.LINEAR16 if is_wav else resolved.encoding, account)
            parts = []
            try:
                feed = self._feed(recital, resolved, account)
                async with self._admitted(resolved, account, feed.script, is_whole=True) as stream:
                    async for rendered in stream:
                        parts.append(await self._heard(recital, rendered, account))  # noqa: PERF401  as it comes
            except AudioTooLong as too_long:
                raise resolved.too_large(too_long.audio_seconds, self._most_reply_bytes) from None
            began = time.monotonic()
            pcm = b"".join([*parts, await self._shaped(recital, recital.end)])
            audio = whole_file(pcm, encoding=resolved.encoding, sample_rate_hz=resolved.sample_rate_hz)
            account.encoded(began)
            self._note_first_audio(account, "whole")
            account.audio_seconds = recital.seconds_out
            return Spoken(resolved, audio, account.audio_seconds, recital.timings(is_end=True))

    async def speak_in_chunks(
        self, request: SpeechRequest, deadline_seconds: float | None
    ) -> AsyncGenerator[tuple[ResolvedRequest, SpokenChunk], None]:
        """Speaks a text and yields its audio while the rest is being made; every chunk comes with the request.

        Raises:
            ServiceError: any of its tree.
        """
        async with self._account(request, deadline_seconds) as account:
            self._scheduler.check_room(is_whole=False)
            resolved = await self._resolve(request, account)
            recital = await self._recital(resolved, resolved.encoding, account)
            feed = self._feed(recital, resolved, account)
            async with aclosing(self._chunks(recital, resolved, account, feed.script, PlaybackClock())) as chunks:
                async for chunk in chunks:
                    yield resolved, chunk

    async def speak_pieces(
        self, settings: SpeechRequest, pieces: AsyncIterator[str | Flush], deadline_seconds: float | None
    ) -> AsyncGenerator[tuple[ResolvedRequest, SpokenChunk], None]:
        """Speaks a text while it comes, piece by piece; every chunk comes with the request and says what it speaks.

        Raises:
            ServiceError: any of its tree, and whatever `pieces` raises.
        """
        async with self._account(settings, deadline_seconds) as account:
            self._scheduler.check_room(is_whole=False)
            resolved = await self._resolve(settings, account, in_pieces=True)
            recital = await self._recital(resolved, resolved.encoding, account)
            dictation = Dictation(PlaybackClock(), IncrementalText(resolved.voice.phonemes.language))
            feed = partial(
                self._feed(recital, resolved, account).pieces,
                pieces=pieces,
                dictation=dictation,
                clause_wait_seconds=self._clause_wait_seconds,
                check_length=self._resolver.check_length,
            )
            async with aclosing(self._chunks(recital, resolved, account, feed, dictation.player)) as chunks:
                async for chunk in chunks:
                    yield resolved, chunk

    async def _chunks(
        self,
        recital: Recital,
        resolved: ResolvedRequest,
        account: Account,
        feed: Callable[[SpeechStream], Coroutine[None, None, None]],
        player: PlaybackClock,
    ) -> AsyncGenerator[SpokenChunk, None]:
        async with self._admitted(resolved, account, feed, is_whole=False) as stream:
            async for rendered in stream:
                if audio := await self._heard(recital, rendered, account):
                    chunk = self._chunk(audio, recital, account, player, recital.timings())
                    account.unread_since = time.monotonic()
                    yield chunk
                    account.unread_since = None
                    player.resumed(time.monotonic())
        began = time.monotonic()
        audio = await self._shaped(recital, recital.end)
        account.encoded(began)
        timings = recital.timings(is_end=True)
        if audio or timings:
            account.unread_since = time.monotonic()
            yield self._chunk(audio, recital, account, player, timings)

    def close(self) -> None:
        """Ends the threads."""
        for thread in (self._text_thread, self._audio_thread):
            thread.shutdown(wait=False, cancel_futures=True)

    def _account(self, request: SpeechRequest, deadline_seconds: float | None) -> AbstractAsyncContextManager[Account]:
        request_id = accepted_request_id(request.request_id)
        account = Account(
            next(self._numbers),
            request_id,
            len(request.text),
            deadline_seconds,
            max_unread_seconds=self._max_unread_seconds,
        )
        return accounted(account, self._emit)

    async def _heard(self, recital: Recital, rendered: Rendered, account: Account) -> bytes:
        began = time.monotonic()
        audio = await self._shaped(recital, partial(recital.hear, rendered))
        account.encoded(began)
        return audio

    async def _shaped(self, recital: Recital, work: Callable[[], bytes]) -> bytes:
        """Does a recital's work: here where it takes no time to speak of, on a thread where others would wait."""
        if not recital.is_heavy:
            return work()
        return await asyncio.get_running_loop().run_in_executor(self._audio_thread, work)

    def _chunk(
        self, audio: bytes, recital: Recital, account: Account, player: PlaybackClock, timings: Timings | None
    ) -> SpokenChunk:
        seconds = recital.seconds_out - account.audio_seconds
        chunk = SpokenChunk(audio, seconds, recital.span(), timings)
        account.audio_seconds = recital.seconds_out
        played = player.chunk(time.monotonic(), chunk.audio_seconds)
        if account.first_audio_seconds is None:
            self._note_first_audio(account, "stream")
        elif played is not None:
            self._emit(ChunkSent(account.request, account.voice, *played))
        return chunk

    async def _recital(self, resolved: ResolvedRequest, encoding: Encoding, account: Account) -> Recital:
        own_hz = {}
        if resolved.needs_own_pitch:
            for speaker_id in (speaker_name(*speaker) for speaker in resolved.speakers):
                listen = partial(self._listen, speaker_id, account)
                own_hz[speaker_id] = await self._own_pitches.of(speaker_id, listen)
            check_hertz(resolved, own_hz)
        encoder = AudioEncoder(
            encoding=encoding,
            source_rate_hz=resolved.voice.sample_rate_hz,
            target_rate_hz=resolved.sample_rate_hz,
            volume_gain_db=resolved.volume_gain_db,
            changes_pitch=resolved.changes_pitch,
            may_be_loud=resolved.script.is_louder,
        )
        return Recital(resolved, encoder, own_hz)

    async def _listen(self, speaker_id: str, account: Account, text: str) -> tuple[NDArray[np.float32], int]:
        """Returns how a speaker says a text plainly, by a request of our own, and its rate in hertz."""
        asked = SpeechRequest(text, speaker_id, seed=0, request_id=PITCH_REQUEST_ID)
        spoken = await self.speak(asked, account.deadline_seconds)
        samples = np.frombuffer(spoken.audio, "<i2").astype(np.float32) / np.float32(FULL_SCALE)
        return samples.astype(np.float32), spoken.request.sample_rate_hz

    def _note_first_audio(self, account: Account, delivery: Delivery) -> None:
        account.first_audio_seconds = time.monotonic() - account.had_text
        self._emit(FirstAudio(account.request, account.voice, delivery, account.first_audio_seconds))

    async def _resolve(self, request: SpeechRequest, account: Account, *, in_pieces: bool = False) -> ResolvedRequest:
        """Checks a request; on the text thread where that means to read a document."""
        resolve = partial(self._resolver.resolve, request, in_pieces=in_pieces)
        loop = asyncio.get_running_loop()
        if self._lexicons.has_changed():
            await loop.run_in_executor(self._text_thread, self._lexicons.read_again)
        resolved = await loop.run_in_executor(self._text_thread, resolve) if request.ssml else resolve()
        account.voice, account.language = resolved.voice.id, resolved.voice.language
        account.encoding = resolved.encoding.value
        if request.ssml:
            account.characters = resolved.script.characters
        return replace(resolved, request_id=account.request_id)

    def _feed(self, recital: Recital, resolved: ResolvedRequest, account: Account) -> Feed:
        return Feed(self._front_end, self._text_thread, recital, resolved, account, self._emit)

    @asynccontextmanager
    async def _admitted(
        self,
        resolved: ResolvedRequest,
        account: Account,
        feed: Callable[[SpeechStream], Coroutine[None, None, None]],
        *,
        is_whole: bool,
    ) -> AsyncIterator[SpeechStream]:
        """Opens the request's stream and feeds it until the context is left."""
        most_seconds = None
        if is_whole:
            most_seconds = self._most_reply_bytes / resolved.bytes_per_second - resolved.script.silence_seconds
        stream = self._scheduler.open(
            request=account.request,
            audio_seconds=resolved.seconds(resolved.script.slowed_characters),
            deadline_seconds=account.deadline_seconds,
            is_whole=is_whole,
            most_seconds=most_seconds,
        )
        with stream:
            feeding = asyncio.create_task(feed(stream))
            feeding.add_done_callback(lambda task: _pass_on_failure(task, stream))
            try:
                yield stream
            finally:
                feeding.cancel()
                account.engine_seconds = stream.engine_seconds


def _pass_on_failure(task: asyncio.Task[None], stream: SpeechStream) -> None:
    if not task.cancelled() and (error := task.exception()):
        stream.fail(error)
