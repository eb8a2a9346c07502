"""The time that a request has: what the caller says, within the gateway's own bound."""

import pytest
from starlette.datastructures import Headers

from phonoscope.client import AsyncClient
from phonoscope.gateway.backend import Backend
from phonoscope.gateway.problems import ProblemError


@pytest.fixture
async def backend():
    async with AsyncClient("127.0.0.1:1") as client:
        yield Backend(client, max_timeout_seconds=60)


@pytest.mark.parametrize(("stated", "seconds"), [(None, 60), ("10", 10), ("0.5", 0.5), ("61", 60), (" 7 ", 7)])
async def test_the_smaller_of_both(backend, stated, seconds):
    assert backend.timeout(Headers({} if stated is None else {"x-timeout-seconds": stated})) == seconds


@pytest.mark.parametrize("stated", ["", "0", "-1", "nan", "inf", "ten"])
async def test_what_is_no_time(backend, stated):
    with pytest.raises(ProblemError) as refused:
        backend.timeout(Headers({"x-timeout-seconds": stated}))
    assert refused.value.problem.reason == "TIMEOUT_INVALID"


async def test_a_server_that_does_not_answer_is_not_ready(backend):
    assert not await backend.is_ready()
