"""Each speaker is listened to once, whoever asks and however many at once."""

import asyncio

import numpy as np
import pytest
from numpy.typing import NDArray

from phonoscope.common.errors import EngineFailed
from phonoscope.server.own_pitch import PITCH_TEXT, OwnPitches

RATE_HZ = 16_000


def hum(hertz: float) -> NDArray[np.float32]:
    return (0.3 * np.sin(2 * np.pi * hertz * np.arange(RATE_HZ) / RATE_HZ)).astype(np.float32)


async def test_those_who_ask_at_once_share_one_measurement() -> None:
    pitches, heard = OwnPitches(), []

    async def listen(text: str) -> tuple[NDArray[np.float32], int]:
        heard.append(text)
        await asyncio.sleep(0)
        return hum(150.0), RATE_HZ

    found = await asyncio.gather(*(pitches.of("joe", listen) for _ in range(20)))
    assert found == pytest.approx([150.0] * 20, rel=0.01)
    assert heard == [PITCH_TEXT]
    await pitches.of("anna", listen)
    assert len(heard) == 2


async def test_after_a_failure_the_next_one_tries_again() -> None:
    pitches = OwnPitches()

    async def fail(_text: str) -> tuple[NDArray[np.float32], int]:
        raise EngineFailed("out of tune")

    async def listen(_text: str) -> tuple[NDArray[np.float32], int]:
        return hum(200.0), RATE_HZ

    with pytest.raises(EngineFailed):
        await pitches.of("joe", fail)
    assert await pitches.of("joe", listen) == pytest.approx(200.0, rel=0.01)
