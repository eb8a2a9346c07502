"""Kokoro against the same 8-bit model in onnxruntime: `python -m benchmarks.kokoro --voices-dir DIR`.

onnxruntime runs what kokoro-onnx runs, sentence by sentence. Both get the phonemes of our front end, in turns, so the
figures are those of the networks. `--listen` has Whisper write down twenty sentences of each in the language of the
voice (English, Chinese or Japanese); it takes minutes.
"""

# First, as in the server: it sets the environment that OpenMP reads when torch loads.
import phonoscope.server.engines.vits  # noqa: F401, I001

import argparse
import os
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnxruntime
import structlog
from rich.console import Console
from rich.table import Table

from benchmarks import kokoro_listening, kokoro_streams
from benchmarks.kokoro_listening import SENTENCES, Samples, Speak
from benchmarks.machine import neighbours, this_machine
from benchmarks.texts import ONE_SENTENCE, TEXTS
from benchmarks.turns import in_turns, median, timed
from phonoscope.comparison.server import memory_bytes
from phonoscope.server.build import build_front_end
from phonoscope.server.engines.base import Engine
from phonoscope.server.engines.cores import usable_cores
from phonoscope.server.engines.kokoro.config import SAMPLE_RATE_HZ, KokoroShape
from phonoscope.server.engines.kokoro.loader import KOKORO, load_kokoro
from phonoscope.server.engines.kokoro.packages import packaged_parts, read_parts
from phonoscope.server.engines.kokoro.packs import find_packs, read_pack
from phonoscope.server.engines.loading import Loading
from phonoscope.server.settings import ServerSettings
from phonoscope.server.types import Utterance, Voice

Sentences = Sequence[Sequence[int]]
Say = Callable[[Sentences], Samples]

LONGEST: Final = 235
# About four seconds: such sentences are streamed in windows.
LONG_SYMBOLS: Final = 80
MEMORY: Final = ("RssAnon", "RssFile")  # of its own, and of files that it has mapped
MEGABYTE: Final = 1_000_000


def main() -> None:
    """Runs the benchmark and prints its tables."""
    arguments = _arguments()
    console = Console()
    console.print(this_machine().line)
    console.print(neighbours().line)
    voice, engine, session = _load(arguments.voices_dir, arguments.voice)
    console.print(f"ours: {engine.precision}")
    ours, speak = _front_end(voice), _sayer(engine, voice, is_streamed=False)
    contenders = {"ours": _after(ours, speak), "onnxruntime": _after(ours, session)}
    language = voice.language.partition("-")[0]
    console.print(_dictionaries(ours, SENTENCES.get(language, SENTENCES["en"])))
    if arguments.rounds:
        console.print(_speed(contenders, arguments.rounds))
        [symbols] = ours(ONE_SENTENCE)
        stream = Utterance(voice.id, symbols, is_streamed=True)
        whole = partial(session, [symbols])
        console.print(kokoro_streams.first_audio(engine, stream, whole, arguments.rounds))
        console.print(kokoro_streams.throughput(engine, stream, min(arguments.rounds, 3)))
        long = [symbols for text in TEXTS.values() for symbols in ours(text) if len(symbols) > LONG_SYMBOLS]
        console.print(kokoro_streams.distances(engine, [Utterance(voice.id, symbols) for symbols in long[:8]]))
    if arguments.listen:
        contenders["ours, streamed"] = _after(ours, _sayer(engine, voice, is_streamed=True))
        if (peer := kokoro_listening.misaki(language)) is not None:
            contenders["ours, phonemes of misaki"] = _after(peer, speak)
        console.print(kokoro_listening.errors(contenders, language))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--voices-dir", type=Path, required=True, help="with a folder kokoro*/ of style packs")
    parser.add_argument("--voice", default="af_heart")
    parser.add_argument("--rounds", type=int, default=5, help="of the real-time factor; 0 measures none")
    parser.add_argument("--listen", action="store_true", help="errors by Whisper, too")
    return parser.parse_args()


def _load(voices_dir: Path, voice_id: str) -> tuple[Voice, Engine, Say]:
    """Returns a voice, our engine with it, and its network in the session."""
    folders = sorted(voices_dir.glob(KOKORO.pattern))
    loading = Loading(ServerSettings(voices_dir=voices_dir), structlog.get_logger(), lambda _: None, lambda _: None)
    loaded = load_kokoro(folders, loading)
    if loaded is None:
        raise SystemExit(f"no voice in {voices_dir}")
    engine = loaded.engine
    engine.warm_up()
    while engine.idle_work():
        pass
    [voice] = [one for one in engine.voices if one.id == voice_id]
    return voice, engine, _session(folders[0], voice)


def _sayer(engine: Engine, voice: Voice, *, is_streamed: bool) -> Say:
    def say(sentences: Sentences) -> Samples:
        utterances = [Utterance(voice.id, symbols, is_streamed=is_streamed) for symbols in sentences]
        return np.concatenate([kokoro_streams.spoken(engine, utterance) for utterance in utterances])

    return say


def _front_end(voice: Voice) -> Callable[[str], Sentences]:
    front_end = build_front_end(ServerSettings())

    def phonemes(text: str) -> Sentences:
        return [[int(one) for one in sentence.symbols] for sentence in front_end.sentences(text, voice.phonemes)]

    return phonemes


def _dictionaries(phonemes: Callable[[str], Sentences], sentences: Sequence[str]) -> str:
    """Returns what the first text waits for, and the memory that it takes: some languages have dictionaries."""
    before = [memory_bytes(os.getpid(), field) for field in MEMORY]
    began = time.perf_counter()
    phonemes(sentences[0])
    seconds = time.perf_counter() - began
    for text in sentences:
        phonemes(text)
    own, mapped = (memory_bytes(os.getpid(), field) - was for field, was in zip(MEMORY, before, strict=True))
    return (
        f"front end: {seconds:.2f} s for the first text, {own / MEGABYTE:.0f} MB, {mapped / MEGABYTE:.0f} MB of files"
    )


def _after(phonemes: Callable[[str], Sentences], say: Say) -> Speak:
    return lambda text: say(phonemes(text))


def _session(folder: Path, voice: Voice) -> Say:
    """Returns the 8-bit model in onnxruntime, with all cores, as kokoro-onnx runs it."""
    options: Any = onnxruntime.SessionOptions()
    options.intra_op_num_threads = usable_cores()
    exports = sorted(folder.glob("*.onnx"))
    model = exports[0].read_bytes() if exports else read_parts(packaged_parts())
    session: Any = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    pack = read_pack(find_packs(folder)[voice.id], KokoroShape()).numpy()

    def say(sentences: Sentences) -> Samples:
        spoken = []
        for symbols in sentences:
            given = {
                "tokens": np.array([symbols], np.int64),
                "style": pack[len(symbols) - 3][None],
                "speed": np.ones(1, np.float32),
            }
            spoken.append(session.run(None, given)[0].ravel())
        return np.concatenate(spoken)

    return say


def _speed(contenders: Mapping[str, Speak], rounds: int) -> Table:
    texts = {f"{length} characters": text for length, text in TEXTS.items() if length <= LONGEST}
    texts["235 characters, one sentence"] = ONE_SENTENCE
    columns = [f"{name}, {unit}" for name in contenders for unit in ("s", "RTF")]
    table = Table("text", *columns, "ratio of times", title="Whole texts, medians")
    for name, text in texts.items():

        def spoken(speak: Speak, text: str = text) -> float:
            return len(speak(text)) / SAMPLE_RATE_HZ

        calls = {who: partial(timed, partial(spoken, speak)) for who, speak in contenders.items()}
        readings = in_turns(rounds, calls)
        seconds = {who: median([one.seconds for one in readings[who]]) for who in contenders}
        factors = {who: median([one.real_time_factor for one in readings[who]]) for who in contenders}
        cells = [cell for who in contenders for cell in (f"{seconds[who]:.2f}", f"{factors[who]:.3f}")]
        mine, other = seconds.values()
        table.add_row(name, *cells, f"{mine / other:.2f}")
    return table


if __name__ == "__main__":
    main()
