"""Flags of `phonoscope bench` for the server under load: address, API and access."""

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Final

import typer

from phonoscope.cli.shared_options import ServerOption
from phonoscope.client.channel import DEFAULT_TARGET
from phonoscope.loadgen.plan import LoadPlan, Mode
from phonoscope.loadgen.target import SpeechServer, Target
from phonoscope.loadgen.wav_stream import BodyFormat

if TYPE_CHECKING:
    from opentelemetry.trace import TracerProvider

URL_SCHEMES: Final = ("http://", "https://")


class TargetKind(enum.Enum):
    """API of the server."""

    GRPC = "grpc"
    OPENAI = "openai"
    PIPER = "piper"


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetOptions:
    """The server under load; `model`, `response_format` and `api_key` are for OPENAI."""

    server: ServerOption = DEFAULT_TARGET
    target: Annotated[
        TargetKind,
        typer.Option(
            help="API of the server: Phonoscope's gRPC, OpenAI's POST /v1/audio/speech, or POST /synthesize of "
            "python -m piper.http_server. The last two need a URL as --server."
        ),
    ] = TargetKind.GRPC
    model: Annotated[str, typer.Option(metavar="NAME", help="With --target openai: model to request.")] = "tts-1"
    response_format: Annotated[BodyFormat, typer.Option(help="With --target openai: audio format to request.")] = (
        BodyFormat.WAV
    )
    api_key: Annotated[
        str,
        typer.Option(
            metavar="KEY",
            envvar="PHONOSCOPE_BENCH_API_KEY",
            show_default=False,
            help="With --target openai: sent as a bearer token.",
        ),
    ] = field(default="", repr=False)

    def check(self, plan: LoadPlan, *, has_spans: bool) -> None:
        """Raises BadParameter where the address, or an option of the plan, is not valid for the API."""
        is_url = self.server.startswith(URL_SCHEMES)
        if self.target is TargetKind.GRPC:
            if is_url:
                raise typer.BadParameter(
                    "a URL needs --target openai or --target piper; gRPC needs HOST:PORT.", param_hint="--server"
                )
            return
        kind = f"--target {self.target.value}"
        if not is_url:
            raise typer.BadParameter(f"{kind} needs a URL, such as http://localhost:5000.", param_hint="--server")
        for is_given, option in (
            (plan.bad_ratio > 0, "--bad-ratio"),
            (plan.mode is Mode.BIDI, "--mode bidi"),
            (has_spans, "--otlp-endpoint"),
        ):
            if is_given:
                raise typer.BadParameter(f"{option} needs --target grpc, not {kind}.", param_hint=option)

    def build(self, plan: LoadPlan, provider: "TracerProvider | None") -> Target:
        """Returns the target; call it where the event loop runs."""
        if self.target is not TargetKind.GRPC:
            return self._build_http(plan)
        return SpeechServer(
            self.server,
            calls_at_once=plan.slots,
            deadline_seconds=plan.deadline_seconds,
            tracer_provider=provider,
        )

    def _build_http(self, plan: LoadPlan) -> Target:
        # httpx is slow to load, and no other command needs it at the start.
        from phonoscope.loadgen.http_target import HttpApi, HttpSpeechServer  # noqa: PLC0415
        from phonoscope.loadgen.openai_api import OpenAiApi  # noqa: PLC0415
        from phonoscope.loadgen.piper_api import PiperApi  # noqa: PLC0415

        api: HttpApi = PiperApi()
        if self.target is TargetKind.OPENAI:
            api = OpenAiApi(model=self.model, body_format=self.response_format, api_key=self.api_key)
        return HttpSpeechServer(self.server, api, calls_at_once=plan.slots, deadline_seconds=plan.deadline_seconds)
