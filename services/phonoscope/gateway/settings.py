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
    """HTTP and WebSocket gateway, with a web page, in front of a speech server.

    Every setting is a flag, an environment variable (PHONOSCOPE_GATEWAY_PORT for --port) and a key of the TOML file
    that PHONOSCOPE_GATEWAY_CONFIG names. Flags override the environment, which overrides the file.
    """

    model_config = SettingsConfigDict(cli_prog_name="phonoscope gateway", env_prefix="PHONOSCOPE_GATEWAY_")
    STANDARD_VARIABLES = MappingProxyType(
        {"otlp_endpoint": ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")}
    )

    host: str = "127.0.0.1"
    """Address to listen on; 0.0.0.0 or :: accepts connections from other machines."""

    port: Port = 8080
    """HTTP port; 0 selects a free port, which is logged."""

    server: str = "localhost:50051"
    """Speech server, as HOST:PORT or any gRPC target; calls are balanced round-robin over all addresses of a target
    such as dns:///speech:50051."""

    timeout_seconds: Seconds = 120.0
    """Maximum time of a request; clients request less with the header X-Timeout-Seconds."""

    max_body_bytes: Annotated[int, Field(ge=1024, le=2**30)] = 256 * 1024
    """Maximum size of a request body and of a WebSocket message, without recordings."""

    max_recording_bytes: Annotated[int, Field(ge=0, le=10 * 2**20)] = 10 * 2**20
    """Maximum size of the recordings in a request, in addition; 0 accepts none but by their name."""

    max_requests: Annotated[int, Field(ge=1, le=100_000)] = 512
    """Maximum number of open requests and WebSockets; more get status 503."""

    idle_seconds: Seconds = 60.0
    """Maximum time without a message while a WebSocket's text is not complete, and for a request body to arrive."""

    api_keys: str = Field(default="", repr=False)
    """API keys, separated by commas; clients send one as "Authorization: Bearer KEY". Empty requires no key."""

    cors_origins: str = ""
    """Allowed CORS origins, separated by commas; * allows all, empty allows only the gateway's own page."""

    openai_voices: str = OPENAI_VOICES
    """OpenAI voice names to accept, separated by commas: NAME=VOICE, or NAME for the loaded voice of that name, such
    as Kokoro's af_alloy for alloy, and otherwise the default voice."""

    openai_models: str = OPENAI_MODELS
    """OpenAI model names to accept, separated by commas."""

    openai_strict: bool = False
    """Rejects members of a request to /v1/audio/speech that OpenAI does not have; by default they are ignored, and the
    response names them in the header X-Phonoscope-Ignored."""

    trace_url: str = ""
    """URL of a trace for the page's link, with {trace_id} in it; empty for no link."""

    drain_seconds: Annotated[float, Field(ge=0, le=3600, allow_inf_nan=False)] = 2.0
    """After SIGTERM, how long to keep serving while /readyz returns 503."""

    stop_seconds: Seconds = 30.0
    """After drain_seconds, how long open requests may take to finish."""

    otlp_endpoint: str = ""
    """OTLP/gRPC endpoint for traces, such as http://localhost:4317; empty disables tracing."""

    trace_sample_ratio: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = 1.0
    """Ratio of traces to sample, if they start here; a trace with a parent follows the parent's decision."""

    revision: str = "unknown"
    """Build revision, such as a git commit, for traces."""

    log_format: Literal["auto", "json", "console"] = "auto"
    """auto selects console on a terminal and json elsewhere."""

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Minimum severity to log."""

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
        """Voice by alias, "" for an alias without one. SettingsError for an entry without a name."""
        aliases = {}
        for entry in _split(self.openai_voices):
            name, _, voice = (part.strip() for part in entry.partition("="))
            if not name:
                raise SettingsError(f"openai_voices: {entry!r} has no name; write NAME=VOICE, or NAME")
            aliases[name] = voice
        return aliases


def _split(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())
