"""Barge-in: a caller cancels its stream, like a user who interrupts the speech.

target.py and http_target.py read all audio through `listen`; corpus.py decides which calls are cancelled.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from phonoscope.loadgen.plan import PlannedCall
from phonoscope.loadgen.player import Player


async def listen(audio: AsyncGenerator[float, None], call: PlannedCall, player: Player) -> bool:
    """Feeds `audio`, the durations of chunks, to the player until it ends or the caller cancels; closes `audio`.

    Returns whether the caller cancelled the call. Raises what `audio` raises before that.
    """
    now = asyncio.get_running_loop().time
    cancellation = call.cancellation
    delay_seconds = cancellation.delay_seconds if cancellation else None
    try:
        async with aclosing(audio), asyncio.timeout(delay_seconds) as limit:
            async for seconds in audio:
                # Chunks of a call that is cancelled before its audio are not counted: only fast ones arrive before
                # the delay, and they would bias the percentiles of first audio.
                if cancellation is None or cancellation.is_after_audio:
                    player.play(now(), seconds)
                if cancellation is not None:
                    return True
    except TimeoutError:
        if not limit.expired():
            raise
        return True
    return False
