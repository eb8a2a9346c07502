"""The server's settings; `phonoscope serve --help` shows them with their defaults."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from phonoscope.common.errors import SettingsError
from phonoscope.common.kokoro_hub import DEFAULT_KOKORO_HUB_URL
from phonoscope.common.paths import DEFAULT_CACHE_DIR, DEFAULT_VOICES_DIR
from phonoscope.common.settings import StrictSettings
from phonoscope.common.voice_hub import DEFAULT_HUB_URL

Port = Annotated[int, Field(ge=0, le=65535)]
Seconds = Annotated[float, Field(ge=0, le=3600, allow_inf_nan=False)]


class ServerSettings(StrictSettings):
    """Serves text to speech over gRPC.

    Every setting is a flag, an environment variable (PHONOSCOPE_PORT for --port) and a key of the TOML file that
    PHONOSCOPE_CONFIG names. Flags override the environment, which overrides the file.
    """

    model_config = SettingsConfigDict(cli_prog_name="phonoscope serve")
    STANDARD_VARIABLES = MappingProxyType(
        {"otlp_endpoint": ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")}
    )

    host: str = "127.0.0.1"
    """Address to listen on for gRPC and metrics; 0.0.0.0 or :: accepts connections from other machines."""

    port: Port = 50051
    """gRPC port; 0 selects a free port, which is logged."""

    metrics_port: Port = 9464
    """Port of Prometheus metrics, at /metrics; 0 selects a free port."""

    device: str = "auto"
    """Device of the engine: auto, cpu, cuda or cuda:N."""

    threads: Annotated[int, Field(ge=0, le=1024)] = 0
    """CPU threads of the engine; 0 selects one per core that this process may use."""

    precision: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """Precision of the vocoder: auto selects float16 on GPUs, bfloat16 on CPUs with fast bfloat16, and float32
    elsewhere; at start, the lower precisions are verified against float32, and bfloat16 also by its speed."""

    cuda_graphs: Literal["auto", "off"] = "auto"
    """On a GPU: auto records CUDA graphs at start, and logs a warning and runs without them if that fails; off runs
    without them, which starts faster."""

    voices_dir: Path = DEFAULT_VOICES_DIR
    """Directory of additional voices: of Piper, as pairs NAME.onnx and NAME.onnx.json; of Kokoro, as directories
    kokoro*/ with a checkpoint and style packs; of IndexTTS, as a directory indextts*/ with a checkpoint; recordings,
    as pairs NAME.wav and NAME.json."""

    cache_dir: Path = DEFAULT_CACHE_DIR
    """Directory for results of measurements at start and for grammars that IndexTTS compiles, so that the next start
    does not repeat them. Several servers can share it; without write access, each start measures again."""

    voices: str = ""
    """Required voices: names separated by commas; missing ones are downloaded from their hub at start. Of Kokoro:
    kokoro-82m for all its voices, or such as kokoro-82m/af_heart."""

    default_voice: str = ""
    """Default voice, for requests without a voice, or a mixture of voices; empty selects the embedded
    en_US-joe-medium."""

    voice_aliases: str = ""
    """Other names of voices, for clients that expect them: NAME=VOICE, NAME=VOICE:SPEAKER or NAME=MIXTURE, separated
    by commas, such as female1=en_US-joe-medium,duo=af_bella(2)+af_sky."""

    skip_bad_voices: bool = False
    """Skip voices that cannot be loaded, instead of failing to start."""

    hub_url: str = DEFAULT_HUB_URL
    """URL of the hub to download Piper voices from."""

    kokoro_hub_url: str = DEFAULT_KOKORO_HUB_URL
    """URL below which the published files of Kokoro-82M are, to download its voices from."""

    lexicons: str = ""
    """Pronunciation lexicons (W3C PLS 1.0): files separated by commas; earlier files take precedence. Changed files
    are reloaded."""

    emotion_address: str = ""
    """Emotion service (`phonoscope emotion`) for requests with the emotion auto, as HOST:PORT or any gRPC target such
    as dns:///emotion:50052; empty refuses such requests."""

    unsupported_ssml: Literal["refuse", "skip"] = "refuse"
    """How to handle unsupported elements and attributes of SSML: refuse rejects the request, skip ignores them and
    speaks their content."""

    text_normalization: Literal["full", "plain"] = "full"
    """How to read money, times, dates, measures and other numbers: full puts them into words, as a person reads them;
    plain leaves all of them to espeak-ng, as Piper does."""

    max_text_characters: Annotated[int, Field(ge=1, le=1_000_000)] = 10_000
    """Maximum characters of one request's text."""

    max_clause_wait_seconds: Annotated[float, Field(ge=0, le=60, allow_inf_nan=False)] = 0.5
    """Incremental input: how long an incomplete sentence waits for more text once all earlier text is spoken; then it
    is spoken as it is."""

    max_requests: Annotated[int, Field(ge=1, le=100_000)] = 64
    """Maximum requests at once, waiting or in progress; more are rejected with RESOURCE_EXHAUSTED."""

    max_audio_seconds_owed: Annotated[float, Field(gt=0, le=1e7, allow_inf_nan=False)] = 3600.0
    """Maximum audio that all accepted requests are still waiting for; requests that exceed it are rejected with
    RESOURCE_EXHAUSTED."""

    max_first_audio_seconds: Annotated[float, Field(gt=0, le=60, allow_inf_nan=False)] = 3.0
    """Maximum time to the first audio of a stream; a stream that would wait longer is rejected with
    RESOURCE_EXHAUSTED. The limit is at least twice the time that the idle engine needs."""

    max_unread_seconds: Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)] = 120.0
    """Maximum time for which a client may read nothing from its stream; then the stream ends with ABORTED."""

    drain_seconds: Seconds = 2.0
    """After SIGTERM, how long to keep serving while load balancers see NOT_SERVING."""

    stop_seconds: Seconds = 30.0
    """After drain_seconds, how long accepted requests may take to finish."""

    otlp_endpoint: str = ""
    """OTLP/gRPC endpoint for traces, such as http://localhost:4317; empty disables tracing."""

    trace_sample_ratio: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = 1.0
    """Ratio of traces to sample, if they start here; a trace with a parent follows the parent's decision."""

    revision: str = "unknown"
    """Build revision, such as a git commit, for tts_build_info and traces."""

    log_format: Literal["auto", "json", "console"] = "auto"
    """auto selects console on a terminal and json elsewhere."""

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Minimum severity to log."""

    @property
    def voice_names(self) -> tuple[str, ...]:
        """The names in `voices`."""
        return tuple(name.strip() for name in self.voices.split(",") if name.strip())

    @property
    def voice_alias_names(self) -> Mapping[str, str]:
        """The voice, voice:speaker or mixture of each name in `voice_aliases`.

        Raises:
            SettingsError: an entry has not the form NAME=VOICE, or a name occurs twice.
        """
        aliases: dict[str, str] = {}
        for entry in filter(str.strip, self.voice_aliases.split(",")):
            name, _, voice = (part.strip() for part in entry.partition("="))
            if not name or not voice:
                raise SettingsError(f"voice_aliases: {entry.strip()!r} is not NAME=VOICE or NAME=VOICE:SPEAKER")
            if name in aliases:
                raise SettingsError(f"voice_aliases: {name!r} occurs twice; give each voice a name of its own")
            aliases[name] = voice
        return aliases

    @property
    def lexicon_paths(self) -> tuple[Path, ...]:
        """The files in `lexicons`."""
        return tuple(Path(name.strip()) for name in self.lexicons.split(",") if name.strip())
