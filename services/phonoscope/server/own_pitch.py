"""The pitch that each speaker has of their own, around which a changed range of pitch turns. ③ synthesizer asks."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from phonoscope.server.audio.f0 import median_hz

# Numbers, since every language reads them its own way, and a text without end or doubt has the voice's middle pitch.
PITCH_TEXT: Final = "1, 2, 3, 4, 5. 6, 7, 8, 9, 10."

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
