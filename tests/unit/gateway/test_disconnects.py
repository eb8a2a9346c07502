"""Work that is cancelled when its client disconnects."""

import asyncio

import pytest

from phonoscope.gateway.disconnects import ClientDisconnected, cancel, run_while_connected


async def connected():
    await asyncio.Event().wait()


async def test_the_result_of_work_that_ends_first_is_returned():
    async def work():
        return 5

    assert await run_while_connected(connected, work()) == 5


async def test_an_exception_of_the_work_is_raised():
    async def work():
        raise KeyError("why")

    with pytest.raises(KeyError):
        await run_while_connected(connected, work())


async def test_a_disconnect_cancels_the_work():
    messages = [{"type": "http.disconnect"}, {"type": "http.request"}]
    cancelled = asyncio.Event()

    async def receive():
        return messages.pop()

    async def work():
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    with pytest.raises(ClientDisconnected):
        await run_while_connected(receive, work())
    assert cancelled.is_set()


async def test_what_a_task_raises_while_it_is_cancelled_is_dropped():
    async def stubborn():
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise RuntimeError("too late") from None

    task = asyncio.create_task(stubborn())
    await asyncio.sleep(0)
    await cancel(task)
    assert task.done()
