"""espeak-ng reads text in the language asked for, whatever it read before."""

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import espeakng_loader
import pytest

from phonoscope.common.errors import StartupError, VoiceFileError
from phonoscope.server.text import espeak as espeak_module
from phonoscope.server.text.espeak import Espeak
from phonoscope.server.text.phonemizer import Clause


@pytest.fixture(scope="module")
def espeak() -> Espeak:
    return Espeak()


def test_clauses_carry_phonemes_marks_and_offsets(espeak: Espeak) -> None:
    assert espeak.clauses("Hello, world. How are you?", "en-us") == [
        Clause("həlˈoʊ", ",", ends_sentence=False, stop=7),
        Clause("wˈɜːld", ".", ends_sentence=True, stop=14),
        Clause("hˈaʊ ɑːɹ juː", "?", ends_sentence=True, stop=26),
    ]


def test_offsets_count_characters_not_bytes(espeak: Espeak) -> None:
    text = "Ölé “ñ”, 你. Ok"
    stops = [clause.stop for clause in espeak.clauses(text, "de")]
    assert stops == [text.index("你"), text.index("Ok"), len(text)]


@pytest.mark.parametrize("text", ["", " ", "\n", "...", "?!", "()"])
def test_text_without_words_has_no_phonemes(espeak: Espeak, text: str) -> None:
    clauses = espeak.clauses(text, "en-us")
    assert "".join(clause.phonemes for clause in clauses) == ""
    assert clauses[-1].stop == len(text)


# Each of these leaves a character in the library that a following text would begin with.
@pytest.mark.parametrize(
    "odd", ["Hi..", "e.g..", "SmithDr.U.S..", "A ?!", "x,.", "a :", "...", "", "one (two).", "\0"]
)
def test_no_text_leaks_into_the_next(espeak: Espeak, odd: str) -> None:
    fresh = espeak.clauses("The end.", "en-us")
    assert [clause.phonemes for clause in fresh] == ["ðɪʲ ˈɛnd"]
    espeak.clauses(odd, "en-us")
    assert espeak.clauses("The end.", "en-us") == fresh
    espeak.clauses(odd, "de")
    assert espeak.clauses("The end.", "en-us") == fresh


def test_brackets_are_not_phoneme_input(espeak: Espeak) -> None:
    assert espeak.clauses("[[abc]]", "en-us")[0].phonemes == espeak.clauses("abc", "en-us")[0].phonemes


@pytest.mark.parametrize("voice", ["xx", "", "klingon-us", "../../etc/passwd"])
def test_an_unknown_voice_is_refused_by_name(espeak: Espeak, voice: str) -> None:
    with pytest.raises(VoiceFileError, match=f'no voice "{voice}"'):
        espeak.check_voice(voice)
    with pytest.raises(VoiceFileError):
        espeak.clauses("Hello", voice)
    assert espeak.clauses("Hello", "en-us")[0].phonemes == "həlˈoʊ"


@pytest.mark.parametrize("voice", ["en-us", "en-gb-x-rp", "de", "fr", "es", "cmn", "pt-br", "ru"])
def test_languages_of_voices_are_known(espeak: Espeak, voice: str) -> None:
    espeak.check_voice(voice)


def test_a_second_object_is_harmless(espeak: Espeak) -> None:
    other = Espeak()
    other.clauses("Guten Tag", "de")
    assert espeak.clauses("Hello", "en-us")[0].phonemes == "həlˈoʊ"
    assert other.version == espeak.version
    assert espeak.version.startswith("1.5")


def test_threads_take_turns(espeak: Espeak) -> None:
    texts = {"en-us": "The quick brown fox.", "de": "Der schnelle Fuchs.", "fr": "Le renard rapide."}
    expected = {voice: espeak.clauses(text, voice) for voice, text in texts.items()}
    together = threading.Barrier(3)

    def read(voice: str) -> bool:
        together.wait()
        return all(espeak.clauses(texts[voice], voice) == expected[voice] for _ in range(50))

    with ThreadPoolExecutor(3) as pool:
        assert all(pool.map(read, texts))


def test_ten_thousand_characters_without_a_mark_are_read_to_the_end(espeak: Espeak) -> None:
    text = "word " * 2000
    clauses = espeak.clauses(text, "en-us")
    assert clauses[-1].stop == len(text)
    assert sum(len(clause.phonemes.split()) for clause in clauses) == 2000


def test_a_library_that_does_not_load_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(espeakng_loader, "get_library_path", lambda: "/nowhere/libespeak-ng.so")
    with pytest.raises(StartupError, match="reinstall the package espeakng-loader"):
        espeak_module._load()


@pytest.mark.parametrize(
    "pattern", ["a.", "U.S.", "é.?", "a._", "a.:", "é.あ.", "я.", "ab.", "x", "a-", "https://a.b/"]
)
@pytest.mark.parametrize("voice", ["en-us", "de"])
def test_a_long_run_without_spaces_is_read_to_its_end(pattern: str, voice: str) -> None:
    """In a process of its own: the library overwrote its stack, and what remained was lost."""
    program = (
        "import sys; from phonoscope.server.text.espeak import Espeak; clauses = Espeak().clauses(*sys.argv[1:]); "
        "print(clauses[-1].stop, sum(len(clause.phonemes) for clause in clauses))"
    )
    text = pattern * (2000 // len(pattern))
    command = [sys.executable, "-c", program, text, voice]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    stop, phonemes = map(int, ran.stdout.split())
    assert stop == len(text)
    assert phonemes > 0.5 * sum(map(str.isalpha, text))


def test_a_cut_within_a_long_run_ends_no_sentence(espeak: Espeak) -> None:
    clauses = espeak.clauses(f"See {'abc-' * 60}end. Then go.", "en-us")
    assert [clause.ends_sentence for clause in clauses] == [False] * (len(clauses) - 2) + [True, True]
    assert len(clauses) > 3
