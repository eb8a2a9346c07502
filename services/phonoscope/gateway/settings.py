"""The gateway's settings; `phonoscope gateway --help` shows them with their defaults."""

from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from phonoscope.common.errors import SettingsError
from phonoscope.common.settings import StrictSettings

Port = Annotated[int, Field(ge=0, le=65535)]
Seconds = Annotated[float, Field(gt=0, le=3600, allow_inf_nan=False)]

OPENAI_VOICES = "alloy,ash,ballad,cedar,coral,echo,fable,marin,nova,onyx,sage,shimmer,verse"
OPENAI_MODELS = "tts-1,tts-1-hd,gpt-4o-mini-tts"


class GatewaySettings(StrictSettings):
    """Serves speech over HTTP and WebSocket, and a page, in front of a speech server.

    Every setting is a flag, an environment variable (PHONOSCOPE_GATEWAY_PORT for --port) and a key of the TOML file
    that PHONOSCOPE_GATEWAY_CONFIG names; flags win over the environment, the environment over the file.
    """

    model_config = SettingsConfigDict(cli_prog_name="phonoscope gateway", env_prefix="PHONOSCOPE_GATEWAY_")
    STANDARD_VARIABLES = MappingProxyType(
        {"otlp_endpoint": ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")}
    )

    host: str = "127.0.0.1"
    """Address to listen on; 0.0.0.0 or :: to be reached from other machines."""

    port: Port = 8080
    """Port of HTTP; 0 lets the system choose, and the log says which."""

    server: str = "localhost:50051"
    """The speech server, as HOST:PORT or any name that gRPC resolves; calls take turns among all addresses of a name
    such as dns:///speech:50051."""

    timeout_seconds: Seconds = 120.0
    """Longest time for one request; callers ask for less with the header X-Timeout-Seconds."""

    max_body_bytes: Annotated[int, Field(ge=1024, le=2**30)] = 256 * 1024
    """Largest body of a request, and largest message of a WebSocket."""

    max_requests: Annotated[int, Field(ge=1, le=100_000)] = 512
    """Requests and WebSockets open at once; more are answered 503 at once."""

    idle_seconds: Seconds = 60.0
    """How long a WebSocket may say nothing while it is its turn, and how long a body may take to come."""

    api_keys: str = Field(default="", repr=False)
    """Keys that callers must send one of, as "Authorization: Bearer KEY", separated by commas; empty asks for none."""

    cors_origins: str = ""
    """Origins of web pages that may call, separated by commas; * for all, empty for none but the page's own."""

    openai_voices: str = OPENAI_VOICES
    """Voice names of OpenAI's that are understood, separated by commas: NAME=VOICE, or NAME for the default voice."""

    openai_models: str = OPENAI_MODELS
    """Model names that are understood, separated by commas."""

    trace_url: str = ""
    """Where the page links a request's trace to, {trace_id} in it; empty for no link."""

    drain_seconds: Annotated[float, Field(ge=0, le=3600, allow_inf_nan=False)] = 2.0
    """After SIGTERM, how long to keep serving while /readyz says 503."""

    stop_seconds: Seconds = 30.0
    """After that, how long open requests may take to finish."""

    otlp_endpoint: str = ""
    """Where traces go, by OTLP over gRPC, such as http://localhost:4317; empty for no traces."""

    trace_sample_ratio: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = 1.0
    """Share of the traces that begin here which are kept; one that began elsewhere is kept if it was there."""

    revision: str = "unknown"
    """What was built, such as a git commit: shown in traces."""

    log_format: Literal["auto", "json", "console"] = "auto"
    """auto is console on a terminal and json elsewhere."""

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Least severe lines to log."""

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys in `api_keys`."""
        return _split(self.api_keys)

    @property
    def origins(self) -> tuple[str, ...]:
        """The origins in `cors_origins`."""
        return _split(self.cors_origins)

    @property
    def models(self) -> tuple[str, ...]:
        """The names in `openai_models`."""
        return _split(self.openai_models)

    @property
    def voice_aliases(self) -> dict[str, str]:
        """Voice by alias, "" for the default voice. SettingsError for an entry without a name."""
        aliases = {}
        for entry in _split(self.openai_voices):
            name, _, voice = (part.strip() for part in entry.partition("="))
            if not name:
                raise SettingsError(f"openai_voices: {entry!r} has no name; write NAME=VOICE, or NAME")
            aliases[name] = voice
        return aliases


def _split(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())
