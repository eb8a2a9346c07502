"""Phonoscope: text to speech over gRPC that shows everything it does while doing so.

`phonoscope.Client` and `phonoscope.AsyncClient` are loaded on first use (PEP 562): the import itself loads nothing.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from phonoscope.client import AsyncClient, Client

__version__ = "0.1.0"
__all__ = ["AsyncClient", "Client", "__version__"]


def __getattr__(name: str) -> object:
    """Loads the client when it is first asked for."""
    if name in {"AsyncClient", "Client"}:
        from phonoscope import client  # noqa: PLC0415 - keeps `import phonoscope` free of gRPC

        return getattr(client, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
