"""Each speaker's own pitch: the center of a changed pitch range, and the base for pitch in hertz.

Called by `synthesizer.py`. Each speaker is measured once, by utterances sent directly to the scheduler, not a request.
"""

import asyncio
import math
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from typing import Final

import numpy as np

from phonoscope.common.errors import InvalidRequest
from phonoscope.server.audio.f0 import median_hz
from phonoscope.server.emotions import Prosody
from phonoscope.server.request.resolver import ResolvedRequest, speaker_name
from phonoscope.server.scheduling.scheduler import Scheduler
from phonoscope.server.speech.utterance_builder import sentence_seed
from phonoscope.server.text.front_end import TextFrontEnd
from phonoscope.server.text.passage import Passage
from phonoscope.server.text.safe_xml import place_of
from phonoscope.server.text.ssml.values import PITCH_RANGE
from phonoscope.server.types import Utterance, Voice

# Digits, since every language reads them; two large numbers, since they have the melody of a sentence, while that of
# a list is higher: within 1 % of the embedded voice's median over 20 sentences, where counting to ten is 13 % above.
PITCH_TEXT: Final = "1234567. 7654321."
# For admission: its approximate duration.
PITCH_TEXT_SECONDS: Final = 8.0


class SpeakerPitches:
    """Measures each speaker once, on first use; concurrent callers wait for the same result.

    Args:
        scheduler: speaks.
        front_end: text to symbols.
        text_thread: on which it is called.
        next_number: returns a number for the scheduler that no request uses.
    """

    def __init__(
        self, scheduler: Scheduler, front_end: TextFrontEnd, text_thread: Executor, next_number: Callable[[], int]
    ) -> None:
        self._scheduler = scheduler
        self._front_end = front_end
        self._text_thread = text_thread
        self._next_number = next_number
        self._hz: dict[str, float] = {}
        self._measuring = asyncio.Lock()

    async def of(self, voice: Voice, speaker: int, deadline_seconds: float | None) -> float:
        """Returns a speaker's pitch in hertz, 0 if there is none.

        Args:
            voice: the speaker's.
            speaker: number within the voice.
            deadline_seconds: how long a measurement may take; None for any time.

        Raises:
            ServiceError: what the scheduler raises; the next caller tries again.
        """
        name = speaker_name(voice, speaker)
        async with self._measuring:
            if name not in self._hz:
                self._hz[name] = await self._measure(voice, speaker, deadline_seconds)
            return self._hz[name]

    async def _measure(self, voice: Voice, speaker: int, deadline_seconds: float | None) -> float:
        utterances = await asyncio.get_running_loop().run_in_executor(
            self._text_thread, self._utterances, voice, speaker
        )
        if not utterances:  # a voice that cannot read digits
            return 0.0
        stream = self._scheduler.open(
            request=self._next_number(),
            voice_id=voice.loaded_id,
            audio_seconds=PITCH_TEXT_SECONDS,
            deadline_seconds=deadline_seconds,
            is_unary=True,
            is_reported=False,
        )
        with stream:
            for utterance in utterances:
                stream.say(utterance)
            stream.finish_text()
            parts = [rendered.samples async for rendered in stream]
        return median_hz(np.concatenate(parts), voice.sample_rate_hz)

    def _utterances(self, voice: Voice, speaker: int) -> list[Utterance]:
        """Returns the text as utterances in the speaker's neutral prosody."""
        sentences = self._front_end.sentences(Passage(PITCH_TEXT), voice.phonemes)
        return [
            Utterance(
                voice.loaded_id,
                sentence.symbols,
                speaker,
                sentence_seed(0, number),
                text=sentence.text,
                language=voice.language,
                reference=voice.reference,
            )
            for number, sentence in enumerate(sentences)
        ]


def pitch_ratio(prosody: Prosody, own_hz: float) -> float:
    """Returns a pitch as a ratio of the speaker's own; hertz have no effect if that is 0."""
    if not prosody.pitch_hz:
        return prosody.pitch
    return prosody.pitch + prosody.pitch_hz / own_hz if own_hz else 1.0


def check_hertz(resolved: ResolvedRequest, own_hz: Mapping[str, float]) -> None:
    """Refuses a document that asks for more than an octave above or below a speaker's own pitch.

    Args:
        resolved: the request.
        own_hz: of all its speakers, by speaker.

    Raises:
        InvalidRequest: SSML_INVALID, with the place of the first text at such a pitch.
    """
    low, high = PITCH_RANGE
    for passage in resolved.script.passages:
        speaker = speaker_name(passage.voice or resolved.voice, passage.speaker if passage.voice else resolved.speaker)
        own = own_hz[speaker]
        for manner in passage.manners:
            if manner.prosody.pitch_hz and not low <= pitch_ratio(manner.prosody, own) <= high:
                at = passage.source(manner.start, manner.stop)[0]
                line, column = place_of(resolved.source, at)
                asked = own * pitch_ratio(manner.prosody, own)
                raise InvalidRequest.of(
                    "ssml",
                    f"line {line}, column {column}: a pitch of {asked:.0f}Hz is out of range for {speaker}, whose "
                    f"own pitch is {own:.0f}Hz; use {math.ceil(low * own)}Hz to {math.floor(high * own)}Hz",
                    reason="SSML_INVALID",
                )
