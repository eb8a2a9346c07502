"""When the server counts as unavailable, and how this is reported."""

import asyncio

from phonoscope.loadgen.availability import MAX_PAUSE_SECONDS, Availability
from phonoscope.loadgen.events import ServerAway, ServerBack


class Scene:
    """An observed Availability, and its reports."""

    def __init__(self, server) -> None:
        self.checked_at: list[float] = []
        self.events: list[object] = []

        async def status() -> str:
            self.checked_at.append(asyncio.get_running_loop().time())
            return await server.status()

        self.availability = Availability(status, self.events.append)

    async def __aenter__(self):
        self._watching = asyncio.ensure_future(self.availability.watch())
        return self

    async def __aexit__(self, *_):
        self._watching.cancel()


def test_a_server_that_is_there_from_the_start_is_not_worth_a_word(simulate, simulated_server):
    async def scene():
        async with Scene(simulated_server) as scene:
            assert scene.availability.is_away
            await scene.availability.wait()
            assert not scene.availability.is_away
            scene.availability.request_check()
            await asyncio.sleep(1)
            assert scene.events == []
            assert len(scene.checked_at) == 2

    simulate(scene())


def test_the_loss_and_the_return_are_reported_once_each(simulate, simulated_server):
    simulated_server.away = [(10.0, 100.0)]

    async def scene():
        async with Scene(simulated_server) as scene:
            await asyncio.sleep(10)
            for _ in range(3):
                scene.availability.request_check()
                await asyncio.sleep(1)
            assert scene.availability.is_away
            assert scene.events == [ServerAway("UNAVAILABLE")]
            await scene.availability.wait()
            (_, back) = scene.events
            assert isinstance(back, ServerBack)
            assert 90.0 <= back.away_seconds <= 90.0 + MAX_PAUSE_SECONDS
            await asyncio.sleep(60)
            assert len(scene.events) == 2

    simulate(scene())


def test_checks_come_at_growing_intervals_up_to_a_longest(simulate, simulated_server):
    simulated_server.away = [(0.0, 1000.0)]

    async def scene():
        async with Scene(simulated_server) as scene:
            await scene.availability.wait()
            pauses = [after - before for before, after in zip(scene.checked_at, scene.checked_at[1:], strict=False)]
            assert pauses[0] <= 0.2
            assert all(MAX_PAUSE_SECONDS / 2 <= pause <= MAX_PAUSE_SECONDS for pause in pauses[5:])

    simulate(scene())


def test_a_doubt_alone_does_not_make_the_server_away(simulate, simulated_server):
    async def scene():
        async with Scene(simulated_server) as scene:
            await scene.availability.wait()
            scene.availability.request_check()
            assert not scene.availability.is_away

    simulate(scene())
