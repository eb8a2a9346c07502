"""What /readyz reports."""

import pytest

from phonoscope.gateway.backend.fake import FakeBackend
from phonoscope.gateway.readiness import Readiness


@pytest.mark.parametrize(
    ("has_server", "is_draining", "is_ready"),
    [(True, False, True), (False, False, False), (True, True, False), (False, True, False)],
)
async def test_it_is_ready_with_a_server_and_until_it_drains(has_server, is_draining, is_ready):
    backend = FakeBackend()
    backend.has_server = has_server
    readiness = Readiness(backend)
    readiness.is_draining = is_draining
    assert await readiness.is_ready() is is_ready
