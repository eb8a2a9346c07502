"""Which server `phonoscope bench` puts under load: the kinds of --target, and what goes with each."""

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import typer

from phonoscope.loadgen.plan import LoadPlan, Mode
from phonoscope.loadgen.target import SpeechServer, Target
from phonoscope.loadgen.wav_stream import BodyFormat

if TYPE_CHECKING:
    from opentelemetry.trace import TracerProvider

URL_SCHEMES: Final = ("http://", "https://")


class TargetKind(enum.Enum):
    """What the server speaks."""

    GRPC = "grpc"
    OPENAI = "openai"
    PIPER = "piper"


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetChoice:
    """The server as the command line names it; model, body format and key are for OPENAI."""

    address: str
    kind: TargetKind
    model: str
    body_format: BodyFormat
    api_key: str = field(repr=False)

    def check(self, plan: LoadPlan, *, has_spans: bool) -> None:
        """Raises BadParameter where the address, or what the plan asks for, does not go with the kind."""
        is_url = self.address.startswith(URL_SCHEMES)
        if self.kind is TargetKind.GRPC:
            if is_url:
                raise typer.BadParameter(
                    "a URL needs --target openai or --target piper; gRPC wants HOST:PORT.", param_hint="--server"
                )
            return
        kind = f"--target {self.kind.value}"
        if not is_url:
            raise typer.BadParameter(f"{kind} wants a URL, such as http://localhost:5000.", param_hint="--server")
        for is_wanted, option in (
            (plan.bad_ratio > 0, "--bad-ratio"),
            (plan.mode is Mode.BIDI, "--mode bidi"),
            (has_spans, "--otlp-endpoint"),
        ):
            if is_wanted:
                raise typer.BadParameter(f"{option} is for --target grpc, not for {kind}.", param_hint=option)

    def build(self, plan: LoadPlan, provider: "TracerProvider | None") -> Target:
        """Returns the server under load; call it where the event loop runs."""
        if self.kind is not TargetKind.GRPC:
            return self._build_http(plan)
        return SpeechServer(
            self.address,
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
        if self.kind is TargetKind.OPENAI:
            api = OpenAiApi(model=self.model, body_format=self.body_format, api_key=self.api_key)
        return HttpSpeechServer(self.address, api, calls_at_once=plan.slots, deadline_seconds=plan.deadline_seconds)
