"""Reads where a collector listens. Called by tracing.py."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from phonoscope.common.errors import SettingsError


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where the collector listens: a target as gRPC reads it, and whether it speaks plain text."""

    target: str
    is_plain: bool


def read_endpoint(endpoint: str) -> Endpoint:
    """Reads http://host:port, https://host or host:port.

    Raises:
        SettingsError: it is none of these; the message says what to write.
    """
    try:
        url = urlsplit(endpoint if "://" in endpoint else f"http://{endpoint}")
        port = url.port
    except ValueError as error:
        raise _refusal(endpoint, f"is no address ({error})", "collector:4317") from None
    host = f"[{url.hostname}]" if url.hostname and ":" in url.hostname else url.hostname or ""
    where = f"{host or 'collector'}:{port or 4317}"
    if url.scheme not in ("http", "https"):
        raise _refusal(endpoint, f"has the unknown scheme {url.scheme}", where)
    if not host or any(character.isspace() for character in endpoint):
        raise _refusal(endpoint, "names no host", where)
    if "@" in url.netloc:  # not shown: it may be a password
        raise _refusal("…", "holds a name or password; these go into OTEL_EXPORTER_OTLP_HEADERS", where)
    if url.path.strip("/") or url.query or url.fragment:
        raise _refusal(endpoint, "has a path, as OTLP over HTTP does; this is OTLP over gRPC", f"{host}:4317")
    if port is None and url.scheme == "http":
        raise _refusal(endpoint, "names no port", where)
    return Endpoint(host if port is None else f"{host}:{port}", url.scheme == "http")


def _refusal(endpoint: str, what: str, where: str) -> SettingsError:
    return SettingsError(f"otlp_endpoint={endpoint!r}: {what}; write http://{where}, or https://{where} for TLS")
