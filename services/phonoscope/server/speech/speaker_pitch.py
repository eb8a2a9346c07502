"""The pitch that each speaker has of their own: a changed range of pitch turns around it, hertz are measured by it.

③ synthesizer asks.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from phonoscope.common.errors import InvalidRequest
from phonoscope.server.audio.f0 import median_hz
from phonoscope.server.emotions import Prosody
from phonoscope.server.request.resolver import ResolvedRequest, speaker_name
from phonoscope.server.text.safe_xml import place_of
from phonoscope.server.text.ssml.values import PITCH_RANGE

# Figures, since every language reads them its own way; two large numbers, since they have a sentence's melody, where
# a list's is higher: within 1 % of the embedded voice's median over 20 sentences, where counting to ten is 13 % above.
PITCH_TEXT: Final = "1234567. 7654321."

Listen = Callable[[str], Awaitable[tuple[NDArray[np.float32], int]]]


class OwnPitches:
    """Measures each speaker once, when first asked; callers that come meanwhile wait for the same answer."""

    def __init__(self) -> None:
        self._hz: dict[str, float] = {}
        self._measuring = asyncio.Lock()

    async def of(self, speaker_id: str, listen: Listen) -> float:
        """Returns a speaker's pitch in hertz, 0 where they have none.

        Args:
            speaker_id: voice, or voice:speaker.
            listen: has a text spoken by them; returns samples, shape (n,), and their rate in hertz.

        Raises:
            ServiceError: what `listen` raises; the next caller tries again.
        """
        async with self._measuring:
            if speaker_id not in self._hz:
                self._hz[speaker_id] = median_hz(*await listen(PITCH_TEXT))
            return self._hz[speaker_id]


def pitch_ratio(prosody: Prosody, own_hz: float) -> float:
    """Returns a pitch as a ratio of the speaker's own; hertz change nothing where they have none."""
    if not prosody.pitch_hz:
        return prosody.pitch
    return prosody.pitch + prosody.pitch_hz / own_hz if own_hz else 1.0


def check_hertz(resolved: ResolvedRequest, own_hz: Mapping[str, float]) -> None:
    """Refuses a document that wants a speaker to be more than an octave away from their own pitch.

    Args:
        resolved: the request.
        own_hz: of everybody who speaks in it, by speaker.

    Raises:
        InvalidRequest: SSML_INVALID, with the place of the first text that is to be said so.
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
                    f"line {line}, column {column}: this is to be said at {asked:.0f}Hz; {speaker} speaks at "
                    f"{own:.0f}Hz, write {math.ceil(low * own)}Hz to {math.floor(high * own)}Hz",
                    reason="SSML_INVALID",
                )
