"""An engine and its synthesizer without anything that observes, so that a transport can be seen. Used by server.py."""

from typing import Literal

from phonoscope.common.logs import configure_logs
from phonoscope.server import build
from phonoscope.server.engines.base import Engine
from phonoscope.server.engines.loading import Loading
from phonoscope.server.engines.registry import load_engines
from phonoscope.server.engines.tone import ToneEngine
from phonoscope.server.engines.tone_voice import tone_voice
from phonoscope.server.events import Emit
from phonoscope.server.scheduling.scheduler import Scheduler
from phonoscope.server.settings import ServerSettings
from phonoscope.server.speech.synthesizer import Synthesizer
from phonoscope.server.text.espeak import Espeak
from phonoscope.server.text.front_end import TextFrontEnd
from phonoscope.server.text.phonemizer import Letters, Phonemizer

EngineName = Literal["tone", "voice"]


def build_tones(emit: Emit) -> tuple[Scheduler, Synthesizer]:
    """Returns a scheduler with the tone engine, to be started, and the synthesizer before it."""
    return _built([ToneEngine([tone_voice("tone")])], Letters(), emit)


def build_voice(threads: int) -> tuple[Scheduler, Synthesizer]:
    """Returns the same for the embedded voice. Call it on a thread that ends, as the server does."""
    logger = configure_logs("console", "warning")
    loaded = load_engines(Loading(ServerSettings(threads=threads), logger, nobody, nobody))
    return _built([one.engine for one in loaded], Espeak(), nobody)


def nobody(_event: object) -> None:
    """Ignores an event."""


def _built(engines: list[Engine], phonemizer: Phonemizer, emit: Emit) -> tuple[Scheduler, Synthesizer]:
    # Nothing is refused: a comparison measures transports, not admission.
    settings = ServerSettings(max_requests=1000, max_audio_seconds_owed=1e6, max_first_audio_seconds=60.0)
    scheduler = build.build_scheduler(engines, emit, settings)
    return scheduler, build.build_synthesizer(scheduler, engines, TextFrontEnd(phonemizer), emit, settings)
