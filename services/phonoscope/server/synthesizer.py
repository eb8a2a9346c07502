"""③ The story of a request: text → sentences → utterances → scheduler → samples → bytes.

Called by ② servicer on the event loop. The text front end runs on a thread of its own, one sentence at a time, so that
the first sentence is spoken while the last is still letters.
"""

import asyncio
import hashlib
import itertools
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Final

from phonoscope.common.deadlines import has_passed
from phonoscope.common.errors import DeadlineUnreachable, EngineFailed, InvalidRequest, ServiceError
from phonoscope.server.audio.encode import BYTES_PER_SAMPLE, AudioEncoder, whole_file
from phonoscope.server.events import (
    AudioEncoded,
    ChunkSent,
    Delivery,
    Emit,
    FirstAudio,
    Outcome,
    RequestFinished,
    RequestStarted,
    TextRead,
)
from phonoscope.server.playback import PlaybackClock
from phonoscope.server.requests import RequestResolver, ResolvedRequest, accepted_request_id
from phonoscope.server.scheduler import Scheduler
from phonoscope.server.stream import AudioTooLong, Rendered, SpeechStream
from phonoscope.server.text.front_end import Sentence, TextFrontEnd
from phonoscope.server.types import Encoding, SpeechRequest, Utterance, Voice

# Rough duration of a character of English at speed 1, for admission before anything is known exactly.
SECONDS_PER_CHARACTER: Final = 0.065
# Reasons that are ours, not the caller's.
FAILURES: Final = (*EngineFailed.REASONS, *DeadlineUnreachable.REASONS)


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
    """What is known of a request when it ends, for its last events."""

    request: int
    request_id: str
    characters: int
    deadline_seconds: float | None
    entered: float = field(default_factory=time.monotonic)
    voice: str = ""
    language: str = ""
    audio_seconds: float = 0.0
    engine_seconds: float = 0.0
    encode_began: float | None = None
    encode_ended: float = 0.0
    encode_seconds: float = 0.0
    first_audio_seconds: float | None = None

    def encoded(self, began: float) -> None:
        """Counts a piece of encoding, from `began` until now."""
        if self.encode_began is None:
            self.encode_began = began
        self.encode_ended = time.monotonic()
        self.encode_seconds += self.encode_ended - began

    def has_expired(self) -> bool:
        """Whether the caller's deadline has passed."""
        if self.deadline_seconds is None:
            return False
        return has_passed(self.deadline_seconds, self.entered + self.deadline_seconds - time.monotonic())


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
        self._numbers = itertools.count(1)
        self._text_thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="text")

    async def speak(self, request: SpeechRequest, deadline_seconds: float | None) -> Spoken:
        """Speaks a whole text at once.

        Raises:
            ServiceError: any of its tree; REPLY_TOO_LARGE before anything is rendered.
        """
        async with self._accounted(request, deadline_seconds) as account:
            resolved = self._resolve(request, account)
            encoder = _encoder(resolved, Encoding.LINEAR16)
            parts = []
            try:
                async with self._admitted(resolved, account, is_whole=True) as stream:
                    async for rendered in stream:
                        parts.append(_encoded(encoder, rendered, account))  # noqa: PERF401  encoded as it comes
            except AudioTooLong as too_long:
                raise self._reply_too_large(resolved, too_long.audio_seconds) from None
            began = time.monotonic()
            pcm = b"".join([*parts, encoder.finish()])
            audio = whole_file(pcm, encoding=resolved.encoding, sample_rate_hz=resolved.sample_rate_hz)
            account.encoded(began)
            self._note_first_audio(account, "whole")
            account.audio_seconds = encoder.samples_out / resolved.sample_rate_hz
            return Spoken(resolved, audio, account.audio_seconds)

    async def speak_in_chunks(
        self, request: SpeechRequest, deadline_seconds: float | None
    ) -> AsyncGenerator[tuple[ResolvedRequest, SpokenChunk], None]:
        """Speaks a text and yields its audio while the rest is being made; every chunk comes with the request.

        Raises:
            ServiceError: any of its tree.
        """
        async with self._accounted(request, deadline_seconds) as account:
            resolved = self._resolve(request, account)
            encoder, player = _encoder(resolved, resolved.encoding), PlaybackClock()
            async with self._admitted(resolved, account, is_whole=False) as stream:
                async for rendered in stream:
                    if audio := _encoded(encoder, rendered, account):
                        yield resolved, self._chunk(audio, encoder, resolved, account, player)
                        player.resumed(time.monotonic())
            began = time.monotonic()
            audio = encoder.finish()
            account.encoded(began)
            if audio:
                yield resolved, self._chunk(audio, encoder, resolved, account, player)

    def close(self) -> None:
        """Ends the text thread."""
        self._text_thread.shutdown(wait=False, cancel_futures=True)

    def _chunk(
        self,
        audio: bytes,
        encoder: AudioEncoder,
        resolved: ResolvedRequest,
        account: _Account,
        player: PlaybackClock,
    ) -> SpokenChunk:
        total_seconds = encoder.samples_out / resolved.sample_rate_hz
        chunk = SpokenChunk(audio, total_seconds - account.audio_seconds)
        account.audio_seconds = total_seconds
        played = player.chunk(time.monotonic(), chunk.audio_seconds)
        if played is None:
            self._note_first_audio(account, "stream")
        else:
            self._emit(ChunkSent(account.request, account.voice, *played))
        return chunk

    def _note_first_audio(self, account: _Account, delivery: Delivery) -> None:
        account.first_audio_seconds = time.monotonic() - account.entered
        self._emit(FirstAudio(account.request, account.voice, delivery, account.first_audio_seconds))

    def _resolve(self, request: SpeechRequest, account: _Account) -> ResolvedRequest:
        resolved = replace(self._resolver.resolve(request), request_id=account.request_id)
        account.voice, account.language = resolved.voice.id, resolved.voice.language
        return resolved

    @asynccontextmanager
    async def _admitted(
        self, resolved: ResolvedRequest, account: _Account, *, is_whole: bool
    ) -> AsyncIterator[SpeechStream]:
        """Opens the request's stream and feeds it from the text thread until the context is left."""
        most_seconds = None
        if is_whole:
            most_seconds = self._most_reply_bytes / (BYTES_PER_SAMPLE * resolved.sample_rate_hz)
        stream = self._scheduler.open(
            request=account.request,
            audio_seconds=len(resolved.text) * SECONDS_PER_CHARACTER / resolved.speed,
            deadline_seconds=account.deadline_seconds,
            is_whole=is_whole,
            most_seconds=most_seconds,
        )
        with stream:
            feeding = asyncio.create_task(self._feed(stream, resolved, account))
            feeding.add_done_callback(lambda task: _pass_on_failure(task, stream))
            try:
                yield stream
            finally:
                feeding.cancel()
                account.engine_seconds = stream.engine_seconds

    async def _feed(self, stream: SpeechStream, resolved: ResolvedRequest, account: _Account) -> None:
        """Reads the text sentence by sentence and hands each to the scheduler as an utterance."""
        loop, began = asyncio.get_running_loop(), time.monotonic()
        sentences = self._front_end.sentences(resolved.text, resolved.voice.phonemes)
        number = 0
        while sentence := await loop.run_in_executor(self._text_thread, _next, sentences):
            stream.say(_utterance(resolved, sentence, number))
            number += 1
        self._emit(
            TextRead(
                account.request,
                account.voice,
                began,
                split_seconds=sentences.split_seconds,
                phonemize_seconds=sentences.phonemize_seconds,
                characters=account.characters,
                sentences=number,
                unknown_phonemes=sentences.unknown_phonemes,
            )
        )
        if number == 0:
            raise InvalidRequest.of(
                "text", "holds nothing that can be spoken; send words or numbers", reason="TEXT_UNPRONOUNCEABLE"
            )
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
    async def _accounted(self, request: SpeechRequest, deadline_seconds: float | None) -> AsyncIterator[_Account]:
        """Tells of the request's start and, whichever way it goes, of its end."""
        account = _Account(
            next(self._numbers), accepted_request_id(request.request_id), len(request.text), deadline_seconds
        )
        self._emit(RequestStarted(account.request, account.request_id))
        outcome: Outcome = "failed"
        reason = "INTERNAL"
        try:
            yield account
            outcome, reason = "completed", ""
        except ServiceError as error:
            reason = error.reason
            outcome = "failed" if reason in FAILURES else "rejected"
            raise
        except (asyncio.CancelledError, GeneratorExit):
            if account.has_expired():  # gRPC cancels the call then
                outcome, [reason] = "failed", DeadlineUnreachable.REASONS
            else:
                outcome, reason = "cancelled", ""
            raise
        finally:
            self._tell_end(account, outcome, reason)

    def _tell_end(self, account: _Account, outcome: Outcome, reason: str) -> None:
        if account.encode_began is not None:
            began, ended = account.encode_began, account.encode_ended
            self._emit(AudioEncoded(account.request, account.voice, began, ended, account.encode_seconds))
        self._emit(
            RequestFinished(
                account.request,
                account.request_id,
                voice=account.voice,
                language=account.language,
                outcome=outcome,
                reason=reason,
                characters=account.characters,
                audio_seconds=account.audio_seconds,
                engine_seconds=account.engine_seconds,
                first_audio_seconds=account.first_audio_seconds,
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
    began = time.monotonic()
    audio = encoder.encode(rendered.samples)
    account.encoded(began)
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
