"""Sends a request's text to the scheduler: sentence by sentence, each as an utterance.

`synthesizer.py` makes one for each request, and runs it concurrently with reading the audio. Sentences are read on
the text thread, one at a time, so that the first is spoken before the last is read.
"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from typing import Final

from phonoscope.common.errors import InvalidRequest
from phonoscope.server.emotion_analysis.base import EmotionAnalysis, SentenceEmotion
from phonoscope.server.events import Emit, TextRead
from phonoscope.server.request.resolver import ResolvedRequest
from phonoscope.server.scheduling.stream import SpeechStream
from phonoscope.server.speech.incremental_input import Flush, IncrementalInput, speak_incrementally
from phonoscope.server.speech.request_stats import RequestStats
from phonoscope.server.speech.utterance_builder import NO_EMOTION, Silence, UtteranceBuilder
from phonoscope.server.text.front_end import Reading, Sentence, TextFrontEnd
from phonoscope.server.text.incremental import Stretch
from phonoscope.server.text.passage import Passage

# What stands for a text with nothing to speak: as long as the silence that a voice leaves after a sentence.
UNPRONOUNCEABLE_SECONDS: Final = 0.2
# Maximum time to find a sentence's emotion: while nothing else is to be spoken, and behind other sentences.
FIRST_EMOTION_SECONDS: Final = 0.05
EMOTION_SECONDS: Final = 0.25


class TextProducer:
    """Reads one request's text.

    Args:
        front_end: text to phoneme ids.
        text_thread: on which it is called.
        builder: turns sentences into utterances.
        resolved: the request.
        stats: of the request.
        emit: receives an event when all of it is read.
        emotions: finds the emotion of each sentence, for a request whose emotion is auto.
    """

    def __init__(
        self,
        front_end: TextFrontEnd,
        text_thread: Executor,
        builder: UtteranceBuilder,
        resolved: ResolvedRequest,
        stats: RequestStats,
        emit: Emit,
        emotions: EmotionAnalysis | None = None,
    ) -> None:
        self._front_end = front_end
        self._text_thread = text_thread
        self._builder = builder
        self._resolved = resolved
        self._stats = stats
        self._emit = emit
        self._emotions = emotions if resolved.emotion_is_auto and resolved.emotion_intensity else None
        self._began = 0.0
        self._readings: list[Reading] = []

    async def script(self, stream: SpeechStream) -> None:
        """Sends the request's whole script to the scheduler.

        Raises:
            InvalidRequest: TEXT_UNPRONOUNCEABLE.
        """
        self._began = time.monotonic()
        builder, script = self._builder, self._resolved.script
        for passage in script.passages:
            builder.pause(passage.pause_seconds)
            reading = self._reading(passage)
            async for sentence in self._read(reading):
                emotion = await self._emotion(sentence, passage, stream)
                stream.say(*builder.build(sentence, passage, self._resolved.source, emotion=emotion))
            builder.leave_marks(reading.marks_left)
        builder.pause(script.pause_seconds)
        self._finish(stream)

    async def pieces(
        self,
        stream: SpeechStream,
        *,
        pieces: AsyncIterator[str | Flush],
        incoming: IncrementalInput,
        clause_wait_seconds: float,
        check_length: Callable[[int], None],
    ) -> None:
        """Sends a text to the scheduler as it arrives, each sentence once it is complete.

        Raises:
            InvalidRequest: TEXT_UNPRONOUNCEABLE, or what `check_length` raises for all characters so far.
        """
        self._began = time.monotonic()

        async def say(stretches: Sequence[Stretch]) -> None:
            self._stats.characters = incoming.text.characters
            check_length(self._stats.characters)
            stream.expect(self._resolved.seconds(self._stats.characters))
            for stretch in stretches:
                await self._say(stretch, stream, incoming)

        await speak_incrementally(pieces, incoming.text, stream, say, clause_wait_seconds)
        self._finish(stream)

    async def _say(self, stretch: Stretch, stream: SpeechStream, incoming: IncrementalInput) -> None:
        if not self._builder.sentences:
            self._stats.had_text = time.monotonic()
        passage = stretch.passage
        self._builder.pause(passage.pause_seconds)
        async for sentence in self._read(self._reading(passage)):
            emotion = await self._emotion(sentence, passage, stream)
            if stream.unspoken_utterances == 0:
                incoming.player.restart()
            stream.say(*self._builder.build(sentence, passage, stretch.text, stretch.start, emotion=emotion))

    async def _emotion(self, sentence: Sentence, passage: Passage, stream: SpeechStream) -> SentenceEmotion:
        """Finds the emotion of a sentence; a request that has nothing else to speak waits for a short time only."""
        if self._emotions is None:
            return NO_EMOTION
        voice, _ = self._builder.speaker_of(passage)
        seconds = EMOTION_SECONDS if stream.unspoken_utterances else FIRST_EMOTION_SECONDS
        return await self._emotions.analyze(self._stats.request, sentence.text, voice.language, seconds)

    def _reading(self, passage: Passage) -> Reading:
        voice = passage.voice or self._resolved.voice
        is_aligned = bool(self._resolved.timing_types)
        lexicon = self._resolved.lexicon(voice)
        reading = self._front_end.sentences(passage, voice.phonemes, lexicon, is_aligned=is_aligned)
        self._readings.append(reading)
        return reading

    async def _read(self, reading: Reading) -> AsyncIterator[Sentence]:
        """Yields the sentences of a reading, each read on the text thread."""
        loop = asyncio.get_running_loop()
        while sentence := await loop.run_in_executor(self._text_thread, _next, reading):
            yield sentence

    def _finish(self, stream: SpeechStream) -> None:
        """Reports how the whole text was read; refuses one that contains nothing to speak."""
        sentences = self._builder.sentences
        self._emit(
            TextRead(
                self._stats.request,
                self._stats.voice,
                self._began,
                split_seconds=sum(reading.split_seconds for reading in self._readings),
                phonemize_seconds=sum(reading.phonemize_seconds for reading in self._readings),
                characters=self._stats.characters,
                sentences=sentences,
                unknown_phonemes=sum(reading.unknown_phonemes for reading in self._readings),
                unspoken=sum((reading.unspoken for reading in self._readings), Counter()),
            )
        )
        ending = self._builder.silence()
        if sentences == 0:
            ending = self._in_place_of_speech(ending)
        stream.finish_text(ending)

    def _in_place_of_speech(self, pauses: Silence) -> Silence:
        """Returns the audio of a text with nothing to speak: its own pauses, or a short silence.

        Raises:
            InvalidRequest: TEXT_UNPRONOUNCEABLE, if the request does not ask for silence.
        """
        if self._resolved.unpronounceable_text == "error":
            description = (
                "contains nothing to speak; send words or numbers, or set unpronounceable_text to silence for a short "
                "silence instead of this error"
            )
            raise InvalidRequest.of(self._resolved.source_field, description, reason="TEXT_UNPRONOUNCEABLE")
        return pauses if pauses.seconds else replace(pauses, seconds=UNPRONOUNCEABLE_SECONDS)


def _next(reading: Reading) -> Sentence | None:
    return next(reading, None)
