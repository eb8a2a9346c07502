"""Parses the address of an OpenTelemetry collector. Called by tracing.py."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from phonoscope.common.errors import SettingsError


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The collector's address as a gRPC target, and whether it is without TLS."""

    target: str
    is_plain: bool


def read_endpoint(endpoint: str) -> Endpoint:
    """Parses http://host:port, https://host or host:port.

    Raises:
        SettingsError: the address has another format; the message has a valid example.
    """
    try:
        url = urlsplit(endpoint if "://" in endpoint else f"http://{endpoint}")
        port = url.port
    except ValueError as error:
        raise _invalid(endpoint, f"is not a valid address ({error})", "collector:4317") from None
    host = f"[{url.hostname}]" if url.hostname and ":" in url.hostname else url.hostname or ""
    example = f"{host or 'collector'}:{port or 4317}"
    if url.scheme not in ("http", "https"):
        raise _invalid(endpoint, f"has the unknown scheme {url.scheme}", example)
    if not host or any(character.isspace() for character in endpoint):
        raise _invalid(endpoint, "has no host", example)
    if "@" in url.netloc:  # not shown: it may be a password
        raise _invalid("…", "contains credentials; set OTEL_EXPORTER_OTLP_HEADERS instead", example)
    if url.path.strip("/") or url.query or url.fragment:
        raise _invalid(endpoint, "has a path, as OTLP over HTTP does; this is OTLP over gRPC", f"{host}:4317")
    if port is None and url.scheme == "http":
        raise _invalid(endpoint, "has no port", example)
    return Endpoint(host if port is None else f"{host}:{port}", url.scheme == "http")


def _invalid(endpoint: str, problem: str, address: str) -> SettingsError:
    return SettingsError(f"otlp_endpoint={endpoint!r}: {problem}; use http://{address}, or https://{address} for TLS")
