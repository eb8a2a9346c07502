"""The story of a request: text → sentences → utterances → scheduler → samples → bytes.

Called by `rpc/servicer.py` on the event loop. The text front end runs on a thread of its own, one sentence at a time,
so that the first sentence is spoken before the last is read. Shaping and compressing audio has a thread too.
"""

import asyncio
import itertools
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial

from phonoscope.server.audio.encode import AudioEncoder, whole_file
from phonoscope.server.events import Emit
from phonoscope.server.request.fields import accepted_request_id
from phonoscope.server.request.resolver import RequestResolver, ResolvedRequest, speaker_name
from phonoscope.server.scheduling.scheduler import Scheduler
from phonoscope.server.scheduling.stream import AudioTooLong, SpeechStream
from phonoscope.server.speech.audio_assembler import AudioAssembler
from phonoscope.server.speech.delivery import AudioDelivery, SpokenChunk
from phonoscope.server.speech.incremental_input import Flush, IncrementalInput
from phonoscope.server.speech.playback import PlaybackClock
from phonoscope.server.speech.request_stats import RequestStats, recorded
from phonoscope.server.speech.speaker_pitch import SpeakerPitches, check_hertz
from phonoscope.server.speech.text_producer import TextProducer
from phonoscope.server.speech.timings import Timings
from phonoscope.server.speech.utterance_builder import Silence, UtteranceBuilder
from phonoscope.server.text.front_end import TextFrontEnd
from phonoscope.server.text.incremental import IncrementalText
from phonoscope.server.text.lexicon_files import LexiconFiles
from phonoscope.server.text.markdown.incremental import IncrementalMarkdown
from phonoscope.server.types import Encoding, SpeechRequest, Voice

Produce = Callable[[SpeechStream], Coroutine[None, None, None]]


@dataclass(frozen=True, slots=True)
class Spoken:
    """A whole spoken text."""

    request: ResolvedRequest
    audio: bytes
    audio_seconds: float
    timings: Timings | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """What a server accepts.

    Attributes:
        max_characters: longest text served.
        max_reply_bytes: longest audio of a unary reply.
        max_unread_seconds: after this time the RPC layer ends a stream that is not read.
        clause_wait_seconds: for incremental input: once all is spoken, how long a clause waits for more.
        skips_unsupported_ssml: whether to skip unsupported parts of a document instead of refusing it.
    """

    max_characters: int
    max_reply_bytes: int
    max_unread_seconds: float = 120.0
    clause_wait_seconds: float = 0.5
    skips_unsupported_ssml: bool = False


class Synthesizer:
    """Speaks requests with the loaded voices.

    Args:
        scheduler: admits and speaks.
        front_end: text to symbols; called on one thread of its own.
        voices: the loaded voices, the default first.
        emit: receives the events of each request.
        limits: what is accepted.
        lexicons: pronunciations in addition to those of a request.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        front_end: TextFrontEnd,
        voices: Sequence[Voice],
        emit: Emit,
        *,
        limits: Limits,
        lexicons: LexiconFiles | None = None,
    ) -> None:
        self.voices = tuple(voices)
        self._limits = limits
        self._scheduler = scheduler
        self._front_end = front_end
        self._emit = emit
        self._lexicons = lexicons or LexiconFiles((), emit)
        self._resolver = RequestResolver(
            voices,
            self._lexicons.of_language,
            max_characters=limits.max_characters,
            skips_unsupported_ssml=limits.skips_unsupported_ssml,
        )
        self._numbers = itertools.count(1)
        self._text_thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="text")
        self._audio_thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="audio")
        self._pitches = SpeakerPitches(scheduler, front_end, self._text_thread, lambda: next(self._numbers))

    async def speak(self, request: SpeechRequest, deadline_seconds: float | None) -> Spoken:
        """Speaks a whole text and returns it at once.

        Raises:
            ServiceError: any of its tree; REPLY_TOO_LARGE before anything is rendered, if the engine plans ahead.
        """
        async with self._recorded(request, deadline_seconds) as stats:
            self._scheduler.check_room(is_unary=True)
            resolved = await self._resolve(request, stats)
            delivery = await self._delivery(resolved, stats, is_whole=True)
            parts = []
            try:
                produce = self._producer(resolved, stats).script
                async with self._admitted(resolved, stats, produce, is_unary=True) as stream:
                    async for rendered in stream:
                        parts.append(await delivery.add(rendered))  # noqa: PERF401  as it comes
            except AudioTooLong as too_long:
                raise resolved.too_large(too_long.audio_seconds, self._limits.max_reply_bytes) from None
            parts.append(await delivery.end(_ending(stream)))
            pcm = b"".join(parts)
            audio = whole_file(pcm, encoding=resolved.encoding, sample_rate_hz=resolved.sample_rate_hz)
            timings = delivery.whole()
            return Spoken(resolved, audio, stats.audio_seconds, timings)

    async def speak_in_chunks(
        self, request: SpeechRequest, deadline_seconds: float | None
    ) -> AsyncGenerator[tuple[ResolvedRequest, SpokenChunk], None]:
        """Speaks a text and yields its audio while the rest is rendered; every chunk comes with the request.

        Raises:
            ServiceError: any of its tree.
        """
        async with self._recorded(request, deadline_seconds) as stats:
            self._scheduler.check_room(is_unary=False)
            resolved = await self._resolve(request, stats)
            produce = self._producer(resolved, stats).script
            async with aclosing(self._chunks(resolved, stats, produce, PlaybackClock())) as chunks:
                async for chunk in chunks:
                    yield resolved, chunk

    async def speak_pieces(
        self, settings: SpeechRequest, pieces: AsyncIterator[str | Flush], deadline_seconds: float | None
    ) -> AsyncGenerator[tuple[ResolvedRequest, SpokenChunk], None]:
        """Speaks a text while it arrives, piece by piece; every chunk comes with the request and its span of the text.

        Raises:
            ServiceError: any of its tree, and any error that `pieces` raises.
        """
        async with self._recorded(settings, deadline_seconds) as stats:
            self._scheduler.check_room(is_unary=False)
            resolved = await self._resolve(settings, stats, in_pieces=True)
            language = resolved.voice.phonemes.language
            is_markdown = resolved.text_format == "markdown"
            text = IncrementalMarkdown(language) if is_markdown else IncrementalText(language)
            incoming = IncrementalInput(PlaybackClock(), text)
            produce = partial(
                self._producer(resolved, stats).pieces,
                pieces=pieces,
                incoming=incoming,
                clause_wait_seconds=self._limits.clause_wait_seconds,
                check_length=self._resolver.check_length,
            )
            async with aclosing(self._chunks(resolved, stats, produce, incoming.player)) as chunks:
                async for chunk in chunks:
                    yield resolved, chunk

    async def _chunks(
        self, resolved: ResolvedRequest, stats: RequestStats, produce: Produce, player: PlaybackClock
    ) -> AsyncGenerator[SpokenChunk, None]:
        delivery = await self._delivery(resolved, stats, is_whole=False)
        async with self._admitted(resolved, stats, produce, is_unary=False) as stream:
            async for rendered in stream:
                if audio := await delivery.add(rendered):
                    chunk = delivery.chunk(audio, player)
                    stats.unread_since = time.monotonic()
                    yield chunk
                    stats.unread_since = None
                    player.resumed(time.monotonic())
        audio = await delivery.end(_ending(stream))
        if last := delivery.last_chunk(audio, player):
            stats.unread_since = time.monotonic()
            yield last

    def close(self) -> None:
        """Ends the threads."""
        for thread in (self._text_thread, self._audio_thread):
            thread.shutdown(wait=False, cancel_futures=True)

    def _recorded(
        self, request: SpeechRequest, deadline_seconds: float | None
    ) -> AbstractAsyncContextManager[RequestStats]:
        stats = RequestStats(
            next(self._numbers),
            accepted_request_id(request.request_id),
            len(request.text),
            deadline_seconds,
            max_unread_seconds=self._limits.max_unread_seconds,
        )
        return recorded(stats, self._emit)

    async def _resolve(
        self, request: SpeechRequest, stats: RequestStats, *, in_pieces: bool = False
    ) -> ResolvedRequest:
        """Checks a request; on the text thread if it has a document or Markdown to parse."""
        resolve = partial(self._resolver.resolve, request, in_pieces=in_pieces)
        loop = asyncio.get_running_loop()
        if self._lexicons.has_changed():
            await loop.run_in_executor(self._text_thread, self._lexicons.read_again)
        is_parsed = bool(request.ssml) or request.text_format == "markdown"
        resolved = await loop.run_in_executor(self._text_thread, resolve) if is_parsed else resolve()
        stats.voice, stats.language = resolved.voice.loaded_id, resolved.voice.language
        stats.encoding = resolved.encoding.value
        if request.ssml:
            stats.characters = resolved.script.characters
        return replace(resolved, request_id=stats.request_id)

    def _producer(self, resolved: ResolvedRequest, stats: RequestStats) -> TextProducer:
        builder = UtteranceBuilder(resolved)
        return TextProducer(self._front_end, self._text_thread, builder, resolved, stats, self._emit)

    async def _delivery(self, resolved: ResolvedRequest, stats: RequestStats, *, is_whole: bool) -> AudioDelivery:
        speaker_hz = {}
        if resolved.needs_speaker_pitch:
            for voice, speaker in resolved.speakers:
                hz = await self._pitches.of(voice, speaker, stats.deadline_seconds)
                speaker_hz[speaker_name(voice, speaker)] = hz
            check_hertz(resolved, speaker_hz)
        is_wav = resolved.encoding is Encoding.WAV  # the header of a whole one, written last, contains the length
        encoder = AudioEncoder(
            encoding=Encoding.LINEAR16 if is_wav and is_whole else resolved.encoding,
            source_rate_hz=resolved.voice.sample_rate_hz,
            target_rate_hz=resolved.sample_rate_hz,
            volume_gain_db=resolved.volume_gain_db,
            changes_pitch=resolved.changes_pitch,
            may_be_loud=resolved.script.is_louder,
            is_whole=is_whole,
        )
        assembler = AudioAssembler(resolved, encoder, speaker_hz)
        return AudioDelivery(assembler, stats, self._emit, self._audio_thread)

    @asynccontextmanager
    async def _admitted(
        self, resolved: ResolvedRequest, stats: RequestStats, produce: Produce, *, is_unary: bool
    ) -> AsyncIterator[SpeechStream]:
        """Opens the request's stream and produces its text until the context exits."""
        max_seconds = None
        if is_unary:
            max_seconds = self._limits.max_reply_bytes / resolved.bytes_per_second - resolved.script.silence_seconds
        stream = self._scheduler.open(
            request=stats.request,
            voice_id=resolved.voice.loaded_id,
            audio_seconds=resolved.seconds(resolved.script.slowed_characters),
            deadline_seconds=stats.deadline_seconds,
            is_unary=is_unary,
            max_seconds=max_seconds,
        )
        with stream:
            producing = asyncio.create_task(produce(stream))
            producing.add_done_callback(lambda task: _pass_on_failure(task, stream))
            try:
                yield stream
            finally:
                producing.cancel()
                stats.engine_seconds = stream.engine_seconds


def _ending(stream: SpeechStream) -> Silence:
    """Returns the silence at the end of a stream's text."""
    return stream.ending if isinstance(stream.ending, Silence) else Silence()


def _pass_on_failure(task: asyncio.Task[None], stream: SpeechStream) -> None:
    if not task.cancelled() and (error := task.exception()):
        stream.fail(error)
