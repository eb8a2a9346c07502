"""③ The story of a request: text → sentences → utterances → scheduler → samples → bytes.

Called by ② servicer on the event loop. The text front end runs on a thread of its own, one sentence at a time, so that
the first sentence is spoken while the last is still letters.
"""

import asyncio
import hashlib
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from phonoscope.common.errors import InvalidRequest, ServiceError
from phonoscope.server.audio.encode import BYTES_PER_SAMPLE, AudioEncoder, whole_file
from phonoscope.server.events import Emit, FirstAudio, Outcome, RequestFinished, StageTimed
from phonoscope.server.requests import RequestResolver, ResolvedRequest
from phonoscope.server.scheduler import Scheduler
from phonoscope.server.stream import AudioTooLong, Rendered, SpeechStream
from phonoscope.server.text.front_end import Sentence, TextFrontEnd
from phonoscope.server.types import Encoding, SpeechRequest, Utterance, Voice

# Rough duration of a character of English at speed 1, for admission before anything is known exactly.
SECONDS_PER_CHARACTER: Final = 0.065


@dataclass(frozen=True, slots=True)
class SpokenChunk:
    """Encoded audio, ready to send, and its duration at the target rate in seconds."""

    audio: bytes
    audio_seconds: float


@dataclass(frozen=True, slots=True)
class Spoken:
    """A whole spoken text."""

    request: ResolvedRequest
    audio: bytes
    audio_seconds: float


@dataclass(slots=True)
class _Account:
    """What is known of a request when it ends, for its RequestFinished."""

    characters: int
    request_id: str
    entered: float = field(default_factory=time.monotonic)
    voice: str = ""
    audio_seconds: float = 0.0
    engine_seconds: float = 0.0
    encode_seconds: float = 0.0


class Synthesizer:
    """Speaks requests with the voices of one engine.

    Args:
        scheduler: admits and renders.
        front_end: text to phoneme ids; called on one thread of its own.
        voices: the loaded voices, the default first.
        emit: told how each request went.
        most_characters: longest text served.
        most_reply_bytes: longest audio of a whole reply.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        front_end: TextFrontEnd,
        voices: Sequence[Voice],
        emit: Emit,
        *,
        most_characters: int,
        most_reply_bytes: int,
    ) -> None:
        self.voices = tuple(voices)
        self._scheduler = scheduler
        self._front_end = front_end
        self._emit = emit
        self._resolver = RequestResolver(voices, most_characters=most_characters)
        self._most_reply_bytes = most_reply_bytes
        self._text_thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="text")

    async def speak(self, request: SpeechRequest, deadline_seconds: float | None) -> Spoken:
        """Speaks a whole text at once.

        Raises:
            ServiceError: any of its tree; REPLY_TOO_LARGE before anything is rendered.
        """
        async with self._accounted(request) as account:
            resolved = self._resolve(request, account)
            encoder = _encoder(resolved, Encoding.LINEAR16)
            parts = []
            try:
                async with self._admitted(resolved, account, deadline_seconds, is_whole=True) as stream:
                    async for rendered in stream:
                        parts.append(_encoded(encoder, rendered, account))  # noqa: PERF401  encoded as it comes
            except AudioTooLong as too_long:
                raise self._reply_too_large(resolved, too_long.audio_seconds) from None
            pcm = b"".join([*parts, encoder.finish()])
            audio = whole_file(pcm, encoding=resolved.encoding, sample_rate_hz=resolved.sample_rate_hz)
            self._note_first_audio(account)
            account.audio_seconds = encoder.samples_out / resolved.sample_rate_hz
            return Spoken(resolved, audio, account.audio_seconds)

    async def speak_in_chunks(
        self, request: SpeechRequest, deadline_seconds: float | None
    ) -> AsyncGenerator[tuple[ResolvedRequest, SpokenChunk], None]:
        """Speaks a text and yields its audio while the rest is being made; every chunk comes with the request.

        Raises:
            ServiceError: any of its tree.
        """
        async with self._accounted(request) as account:
            resolved = self._resolve(request, account)
            encoder = _encoder(resolved, resolved.encoding)
            async with self._admitted(resolved, account, deadline_seconds, is_whole=False) as stream:
                async for rendered in stream:
                    if audio := _encoded(encoder, rendered, account):
                        yield resolved, self._chunk(audio, encoder, resolved, account)
            if audio := encoder.finish():
                yield resolved, self._chunk(audio, encoder, resolved, account)

    def close(self) -> None:
        """Ends the text thread."""
        self._text_thread.shutdown(wait=False, cancel_futures=True)

    def _chunk(self, audio: bytes, encoder: AudioEncoder, resolved: ResolvedRequest, account: _Account) -> SpokenChunk:
        if not account.audio_seconds:
            self._note_first_audio(account)
        total_seconds = encoder.samples_out / resolved.sample_rate_hz
        chunk = SpokenChunk(audio, total_seconds - account.audio_seconds)
        account.audio_seconds = total_seconds
        return chunk

    def _note_first_audio(self, account: _Account) -> None:
        self._emit(FirstAudio(account.voice, time.monotonic() - account.entered))

    def _resolve(self, request: SpeechRequest, account: _Account) -> ResolvedRequest:
        resolved = self._resolver.resolve(request)
        account.voice, account.request_id = resolved.voice.id, resolved.request_id
        return resolved

    @asynccontextmanager
    async def _admitted(
        self, resolved: ResolvedRequest, account: _Account, deadline_seconds: float | None, *, is_whole: bool
    ) -> AsyncIterator[SpeechStream]:
        """Opens the request's stream and feeds it from the text thread until the context is left."""
        most_seconds = None
        if is_whole:
            most_seconds = self._most_reply_bytes / (BYTES_PER_SAMPLE * resolved.sample_rate_hz)
        stream = self._scheduler.open(
            audio_seconds=len(resolved.text) * SECONDS_PER_CHARACTER / resolved.speed,
            deadline_seconds=deadline_seconds,
            is_whole=is_whole,
            most_seconds=most_seconds,
        )
        with stream:
            feeding = asyncio.create_task(self._feed(stream, resolved))
            feeding.add_done_callback(lambda task: _pass_on_failure(task, stream))
            try:
                yield stream
            finally:
                feeding.cancel()
                account.engine_seconds = stream.engine_seconds

    async def _feed(self, stream: SpeechStream, resolved: ResolvedRequest) -> None:
        """Reads the text sentence by sentence and hands each to the scheduler as an utterance."""
        loop = asyncio.get_running_loop()
        sentences = self._front_end.sentences(resolved.text, resolved.voice.phonemes)
        number, seconds = 0, 0.0
        while True:
            started = time.monotonic()
            sentence = await loop.run_in_executor(self._text_thread, _next, sentences)
            seconds += time.monotonic() - started
            if sentence is None:
                break
            stream.say(_utterance(resolved, sentence, number))
            number += 1
        if number == 0:
            raise InvalidRequest.of(
                "text", "holds nothing that can be spoken; send words or numbers", reason="TEXT_UNPRONOUNCEABLE"
            )
        self._emit(StageTimed(resolved.voice.id, "phonemize", seconds))
        stream.finish_text()

    def _reply_too_large(self, resolved: ResolvedRequest, audio_seconds: float) -> InvalidRequest:
        size = audio_seconds * resolved.sample_rate_hz * BYTES_PER_SAMPLE
        return InvalidRequest.of(
            "text",
            f"makes at least {audio_seconds:.0f} s of audio, {size / 2**20:.1f} MiB at {resolved.sample_rate_hz} Hz; "
            f"a whole reply holds {self._most_reply_bytes / 2**20:.1f} MiB. Call SynthesizeStream with the same "
            "request, or send less text",
            reason="REPLY_TOO_LARGE",
        )

    @asynccontextmanager
    async def _accounted(self, request: SpeechRequest) -> AsyncIterator[_Account]:
        """Emits exactly one RequestFinished, however the request ends."""
        account = _Account(len(request.text), request.request_id)
        outcome: Outcome = "failed"
        reason = "INTERNAL"
        try:
            yield account
            outcome, reason = "completed", ""
        except ServiceError as error:
            reason = error.reason
            outcome = "failed" if reason in ("ENGINE_FAILED", "DEADLINE_UNREACHABLE") else "rejected"
            raise
        except (asyncio.CancelledError, GeneratorExit):
            outcome, reason = "cancelled", ""
            raise
        finally:
            if account.encode_seconds:
                self._emit(StageTimed(account.voice, "encode", account.encode_seconds))
            self._emit(
                RequestFinished(
                    voice=account.voice,
                    outcome=outcome,
                    reason=reason,
                    characters=account.characters,
                    audio_seconds=account.audio_seconds,
                    engine_seconds=account.engine_seconds,
                    request_id=account.request_id,
                )
            )


def _pass_on_failure(task: asyncio.Task[None], stream: SpeechStream) -> None:
    if not task.cancelled() and (error := task.exception()):
        stream.fail(error)


def _next(sentences: Iterator[Sentence]) -> Sentence | None:
    return next(sentences, None)


def _encoder(resolved: ResolvedRequest, encoding: Encoding) -> AudioEncoder:
    return AudioEncoder(
        encoding=encoding,
        source_rate_hz=resolved.voice.sample_rate_hz,
        target_rate_hz=resolved.sample_rate_hz,
        volume_gain_db=resolved.volume_gain_db,
    )


def _encoded(encoder: AudioEncoder, rendered: Rendered, account: _Account) -> bytes:
    started = time.monotonic()
    audio = encoder.encode(rendered.samples)
    account.encode_seconds += time.monotonic() - started
    return audio


def _utterance(resolved: ResolvedRequest, sentence: Sentence, number: int) -> Utterance:
    voice = resolved.voice
    return Utterance(
        voice_id=voice.id,
        phoneme_ids=sentence.phoneme_ids,
        speaker=resolved.speaker,
        length_scale=voice.length_scale / resolved.speed,
        noise_scale=voice.noise_scale,
        noise_w_scale=voice.noise_w_scale,
        seed=_sentence_seed(resolved.seed, number),
    )


def _sentence_seed(seed: int, number: int) -> int:
    """Returns a seed of its own for each sentence of a request, so that none repeats another's noise."""
    digest = hashlib.blake2b(f"{seed}:{number}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1  # torch takes seeds below 2**63
