"""A request's text, on its way to the scheduler: read sentence by sentence, each handed on as an utterance.

③ synthesizer makes one for each request, and runs it beside the reading of what it yields. Sentences are read on the
text thread, one at a time, so that the first is spoken while the last is still letters.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import Executor

from phonoscope.common.errors import InvalidRequest
from phonoscope.server.events import Emit, TextRead
from phonoscope.server.request.resolver import ResolvedRequest
from phonoscope.server.scheduling.stream import SpeechStream
from phonoscope.server.speech.incremental_input import Dictation, Flush, speak_as_it_comes
from phonoscope.server.speech.recital import Recital
from phonoscope.server.speech.request_stats import Account
from phonoscope.server.text.front_end import Reading, Sentence, TextFrontEnd
from phonoscope.server.text.incremental import Stretch
from phonoscope.server.text.passage import Passage


class Feed:
    """Reads one request's text.

    Args:
        front_end: text to phoneme ids.
        text_thread: on which it is called.
        recital: makes utterances of sentences.
        resolved: the request.
        account: what is known of it.
        emit: told how it was read.
    """

    def __init__(
        self,
        front_end: TextFrontEnd,
        text_thread: Executor,
        recital: Recital,
        resolved: ResolvedRequest,
        account: Account,
        emit: Emit,
    ) -> None:
        self._front_end = front_end
        self._text_thread = text_thread
        self._recital = recital
        self._resolved = resolved
        self._account = account
        self._emit = emit
        self._began = time.monotonic()
        self._readings: list[Reading] = []

    async def script(self, stream: SpeechStream) -> None:
        """Hands on all that the request came with.

        Raises:
            InvalidRequest: TEXT_UNPRONOUNCEABLE.
        """
        recital, script = self._recital, self._resolved.script
        for passage in script.passages:
            recital.wait(passage.pause_seconds)
            reading = self._reading(passage)
            async for sentence in self._read(reading):
                stream.say(recital.say(sentence, passage, self._resolved.source))
            recital.leave_marks(reading.marks_left)
        recital.wait(script.pause_seconds)
        self._finish(stream)

    async def pieces(
        self,
        stream: SpeechStream,
        *,
        pieces: AsyncIterator[str | Flush],
        dictation: Dictation,
        clause_wait_seconds: float,
        check_length: Callable[[int], None],
    ) -> None:
        """Hands on a text as it comes, each sentence once it is over.

        Raises:
            InvalidRequest: TEXT_UNPRONOUNCEABLE, or what `check_length` raises of all characters so far.
        """

        async def say(stretches: Sequence[Stretch]) -> None:
            self._account.characters = dictation.text.characters
            check_length(self._account.characters)
            stream.expect(self._resolved.seconds(self._account.characters))
            for stretch in stretches:
                await self._say(stretch, stream, dictation)

        await speak_as_it_comes(pieces, dictation.text, stream, say, clause_wait_seconds)
        self._finish(stream)

    async def _say(self, stretch: Stretch, stream: SpeechStream, dictation: Dictation) -> None:
        if not self._recital.sentences:
            self._account.had_text = time.monotonic()
        passage = Passage.at(stretch.start, stretch.text)
        async for sentence in self._read(self._reading(passage)):
            if stream.unspoken_utterances == 0:
                dictation.player.restart()
            stream.say(self._recital.say(sentence, passage, stretch.text, stretch.start))

    def _reading(self, passage: Passage) -> Reading:
        voice = passage.voice or self._resolved.voice
        is_worded = bool(self._resolved.timing_types)
        lexicon = self._resolved.lexicon(voice)
        reading = self._front_end.sentences(passage, voice.phonemes, lexicon, is_worded=is_worded)
        self._readings.append(reading)
        return reading

    async def _read(self, reading: Reading) -> AsyncIterator[Sentence]:
        """Yields the sentences of a reading, each read on the text thread."""
        loop = asyncio.get_running_loop()
        while sentence := await loop.run_in_executor(self._text_thread, _next, reading):
            yield sentence

    def _finish(self, stream: SpeechStream) -> None:
        """Tells how the whole text was read; refuses one that holds nothing to say."""
        sentences = self._recital.sentences
        self._emit(
            TextRead(
                self._account.request,
                self._account.voice,
                self._began,
                split_seconds=sum(reading.split_seconds for reading in self._readings),
                phonemize_seconds=sum(reading.phonemize_seconds for reading in self._readings),
                characters=self._account.characters,
                sentences=sentences,
                unknown_phonemes=sum(reading.unknown_phonemes for reading in self._readings),
            )
        )
        if sentences == 0:
            description = "holds nothing that can be spoken; send words or numbers"
            raise InvalidRequest.of(self._resolved.source_field, description, reason="TEXT_UNPRONOUNCEABLE")
        stream.finish_text()


def _next(reading: Reading) -> Sentence | None:
    return next(reading, None)
