"""The server's settings; `phonoscope serve --help` shows them with their defaults."""

from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from phonoscope.common.paths import DEFAULT_VOICES_DIR
from phonoscope.common.settings import StrictSettings
from phonoscope.common.voice_hub import DEFAULT_HUB_URL

Port = Annotated[int, Field(ge=0, le=65535)]
Seconds = Annotated[float, Field(ge=0, le=3600, allow_inf_nan=False)]


class ServerSettings(StrictSettings):
    """Serves text to speech over gRPC.

    Every setting is a flag, an environment variable (PHONOSCOPE_PORT for --port) and a key of the TOML file that
    PHONOSCOPE_CONFIG names; flags win over the environment, the environment over the file.
    """

    model_config = SettingsConfigDict(cli_prog_name="phonoscope serve")
    STANDARD_VARIABLES = MappingProxyType(
        {"otlp_endpoint": ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")}
    )

    host: str = "127.0.0.1"
    """Address to listen on for gRPC and metrics; 0.0.0.0 or :: to be reached from other machines."""

    port: Port = 50051
    """Port of gRPC; 0 lets the system choose, and the log shows the port."""

    metrics_port: Port = 9464
    """Port of Prometheus metrics, at /metrics; 0 lets the system choose."""

    device: str = "auto"
    """Where to compute: auto, cpu, cuda or cuda:N."""

    threads: Annotated[int, Field(ge=0, le=1024)] = 0
    """CPU threads of the engine; 0 for one per core that this process may use."""

    precision: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """Precision of the vocoder: auto is bfloat16 on CPUs that multiply it fast, float16 on GPUs, each verified at
    start by how it sounds, and float32 elsewhere."""

    cuda_graphs: Literal["auto", "off"] = "auto"
    """On a GPU: auto records the network's kernels at start and launches them together, and runs them one by one if
    the device refuses, which is logged; off never records, and starts sooner."""

    voices_dir: Path = DEFAULT_VOICES_DIR
    """Folder of additional Piper voices: NAME.onnx beside NAME.onnx.json."""

    voices: str = ""
    """Required voices: names separated by commas; those missing are fetched from the hub at start."""

    default_voice: str = ""
    """Voice of requests that name none; empty for the embedded en_US-joe-medium."""

    skip_bad_voices: bool = False
    """Start without voices that cannot be loaded, instead of not starting."""

    hub_url: str = DEFAULT_HUB_URL
    """Where voices are fetched from."""

    lexicons: str = ""
    """Pronunciation lexicons (W3C PLS 1.0): files separated by commas, an earlier one before a later one. They are
    read again once they change."""

    unsupported_ssml: Literal["refuse", "skip"] = "refuse"
    """How to handle unsupported elements and attributes of SSML: refuse the request and name them, or skip them and
    speak their content."""

    max_text_characters: Annotated[int, Field(ge=1, le=1_000_000)] = 10_000
    """Maximum characters of one request's text."""

    max_clause_wait_seconds: Annotated[float, Field(ge=0, le=60, allow_inf_nan=False)] = 0.5
    """Text in pieces: once all text so far is spoken, how long a clause waits for the rest of its sentence."""

    max_requests: Annotated[int, Field(ge=1, le=100_000)] = 64
    """Requests held at once, waiting or being spoken; more are refused with RESOURCE_EXHAUSTED."""

    max_audio_seconds_owed: Annotated[float, Field(gt=0, le=1e7, allow_inf_nan=False)] = 3600.0
    """Audio owed to all requests together; requests beyond are refused with RESOURCE_EXHAUSTED."""

    max_first_audio_seconds: Annotated[float, Field(gt=0, le=60, allow_inf_nan=False)] = 3.0
    """How long a stream may wait for its first audio; one that would wait longer is refused with RESOURCE_EXHAUSTED.
    Where the engine itself needs longer for a first sound, twice as long as that."""

    max_unread_seconds: Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)] = 120.0
    """A stream whose caller has read nothing for this long is ended with ABORTED."""

    drain_seconds: Seconds = 2.0
    """After SIGTERM, how long to keep serving while load balancers see NOT_SERVING."""

    stop_seconds: Seconds = 30.0
    """After that, how long accepted requests may take to finish."""

    otlp_endpoint: str = ""
    """Where traces go, by OTLP over gRPC, such as http://localhost:4317; empty for no traces."""

    trace_sample_ratio: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = 1.0
    """Share of the traces that begin here which are kept; one that began elsewhere is kept if it was there."""

    revision: str = "unknown"
    """Revision of the build, such as a git commit: shown in tts_build_info and in traces."""

    log_format: Literal["auto", "json", "console"] = "auto"
    """auto is console on a terminal and json elsewhere."""

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Minimum severity of lines to log."""

    @property
    def voice_names(self) -> tuple[str, ...]:
        """The names in `voices`."""
        return tuple(name.strip() for name in self.voices.split(",") if name.strip())

    @property
    def lexicon_paths(self) -> tuple[Path, ...]:
        """The files in `lexicons`."""
        return tuple(Path(name.strip()) for name in self.lexicons.split(",") if name.strip())
