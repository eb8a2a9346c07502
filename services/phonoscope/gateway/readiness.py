"""Whether the gateway accepts requests: what /readyz reports. Built by `__main__`, which sets `is_draining`."""

from phonoscope.gateway.backend.base import Backend


class Readiness:
    """The state of this gateway and of the speech server behind it.

    Attributes:
        is_draining: whether the gateway is about to stop.
    """

    def __init__(self, backend: Backend) -> None:
        self.is_draining = False
        self._backend = backend

    async def is_ready(self) -> bool:
        """Returns whether requests can be served."""
        return not self.is_draining and await self._backend.is_serving()
