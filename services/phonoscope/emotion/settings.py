"""The emotion service's settings; `phonoscope emotion --help` shows them with their defaults."""

from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import Field, model_validator
from pydantic_settings import SettingsConfigDict

from phonoscope.common.settings import StrictSettings

Port = Annotated[int, Field(ge=0, le=65535)]
Seconds = Annotated[float, Field(ge=0, le=3600, allow_inf_nan=False)]


class EmotionSettings(StrictSettings):
    """Serves emotion analysis of text over gRPC.

    Every setting is a flag, an environment variable (PHONOSCOPE_EMOTION_PORT for --port) and a key of the TOML file
    that PHONOSCOPE_EMOTION_CONFIG names. Flags override the environment, which overrides the file.
    """

    model_config = SettingsConfigDict(cli_prog_name="phonoscope emotion", env_prefix="PHONOSCOPE_EMOTION_")
    STANDARD_VARIABLES = MappingProxyType(
        {"otlp_endpoint": ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")}
    )
    # The speech server's --emotion-address, where both services share an environment.
    FOREIGN_VARIABLES = frozenset({"ADDRESS"})

    host: str = "127.0.0.1"
    """Address to listen on for gRPC and metrics; 0.0.0.0 or :: accepts connections from other machines."""

    port: Port = 50052
    """gRPC port; 0 selects a free port, which is logged."""

    metrics_port: Port = 9465
    """Port of Prometheus metrics, at /metrics; 0 selects a free port."""

    backend: Literal["embedded", "qwen"] = "embedded"
    """Model: embedded needs no files (English and Chinese); qwen is the text-emotion model of IndexTTS2, read from
    model_dir."""

    model_dir: Path | None = None
    """Directory of the qwen model: qwen0.6bemo4-merge of IndexTTS2, with config.json, tokenizer and weights."""

    threads: Annotated[int, Field(ge=0, le=1024)] = 1
    """CPU threads of the model; 0 selects one per core that this process may use. A sentence is too short for several
    to help, and on a busy machine they wait for each other."""

    max_texts: Annotated[int, Field(ge=1, le=1024)] = 64
    """Maximum texts of one request."""

    max_text_characters: Annotated[int, Field(ge=1, le=100_000)] = 1000
    """Maximum characters of one text."""

    max_calls: Annotated[int, Field(ge=1, le=100_000)] = 64
    """Maximum calls at once, waiting or in the model; more are rejected with RESOURCE_EXHAUSTED."""

    drain_seconds: Seconds = 2.0
    """After SIGTERM, how long to keep serving while load balancers see NOT_SERVING."""

    stop_seconds: Seconds = 10.0
    """After drain_seconds, how long accepted calls may take to finish."""

    otlp_endpoint: str = ""
    """OTLP/gRPC endpoint for traces, such as http://localhost:4317; empty disables tracing."""

    trace_sample_ratio: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = 1.0
    """Ratio of traces to sample, if they start here; a trace with a parent follows the parent's decision."""

    revision: str = "unknown"
    """Build revision, such as a git commit, for emotion_build_info and traces."""

    log_format: Literal["auto", "json", "console"] = "auto"
    """auto selects console on a terminal and json elsewhere."""

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Minimum severity to log."""

    @model_validator(mode="after")
    def _has_a_model(self) -> "EmotionSettings":
        if self.backend == "qwen" and self.model_dir is None:
            raise ValueError(
                "backend=qwen needs model_dir: set --model-dir to the directory of qwen0.6bemo4-merge, or use "
                "--backend embedded"
            )
        return self
