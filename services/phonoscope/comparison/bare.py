"""An engine and its synthesizer without anything that watches, so that a transport can be seen. Used by server.py."""

from typing import Final, Literal

from phonoscope.common.logs import configure_logs
from phonoscope.server.__main__ import MOST_REPLY_BYTES, build_engine
from phonoscope.server.engines.base import Engine
from phonoscope.server.engines.tone import ToneEngine, tone_voice
from phonoscope.server.events import Emit
from phonoscope.server.scheduling.scheduler import Scheduler
from phonoscope.server.settings import ServerSettings
from phonoscope.server.speech.synthesizer import Synthesizer
from phonoscope.server.text.espeak import Espeak
from phonoscope.server.text.front_end import TextFrontEnd
from phonoscope.server.text.phonemizer import Letters, Phonemizer

EngineName = Literal["tone", "voice"]
MOST_REQUESTS: Final = 1000
MOST_AUDIO_SECONDS: Final = 1e6
MOST_CHARACTERS: Final = 10_000


def build_tones(emit: Emit) -> tuple[Scheduler, Synthesizer]:
    """Returns a scheduler with the tone engine, to be started, and the synthesizer before it."""
    return _before(ToneEngine([tone_voice("tone")]), Letters(), emit)


def build_voice(threads: int) -> tuple[Scheduler, Synthesizer]:
    """Returns the same for the embedded voice. Call it on a thread that ends, as `server.__main__` does."""
    logger = configure_logs("console", "warning")
    engine = build_engine(ServerSettings(threads=threads), logger, nobody)
    return _before(engine, Espeak(), nobody)


def nobody(_event: object) -> None:
    """Hears nothing."""


def _before(engine: Engine, phonemizer: Phonemizer, emit: Emit) -> tuple[Scheduler, Synthesizer]:
    scheduler = Scheduler(engine, emit, most_requests=MOST_REQUESTS, most_audio_seconds=MOST_AUDIO_SECONDS)
    synthesizer = Synthesizer(
        scheduler,
        TextFrontEnd(phonemizer),
        engine.voices,
        emit,
        most_characters=MOST_CHARACTERS,
        most_reply_bytes=MOST_REPLY_BYTES,
    )
    return scheduler, synthesizer
