"""The flags of a speech request: one for each option of the client."""

import inspect

import pytest
import typer

from phonoscope.cli import speech_options
from phonoscope.cli.speech_options import (
    FLAGS,
    MAX_RECORDING_BYTES,
    emotion_weights_of,
    pronunciations_of,
    recordings_of,
    speech_option_flags,
)
from phonoscope.client import Pronunciation, Recording, SpeechOptions, wire
from phonoscope.client.options import Option, option_specs
from phonoscope.protos.tts.v1 import tts_pb2

EVERY_FLAG = (
    "--voice v:3 --speed 1.5 --pitch 2 --emotion happy --emotion-weights sad=0.5 --emotion-intensity 0.25 "
    "--language de --sample-rate 8000 --volume-gain-db -6 --seed 7 --pronounce tomato=təˈmɑːtoʊ --respell SQL=sequel "
    "--unpronounceable-text silence --reference ann --emotion-reference bea"
)
SET_BY_SAY = {"text", "ssml", "text_format", "timing_types", "request_id", "audio_config.encoding"}
"""Fields that `say` sets without a flag of their own, or leaves to the server."""


def test_every_option_has_a_flag_unless_say_sets_it():
    flags = set(inspect.signature(speech_option_flags()).parameters)
    assert {name for name in option_specs() if name not in FLAGS} <= flags
    assert {name for name, own in FLAGS.items() if not own} == {
        "encoding",
        "request_id",
        "ssml",
        "text_format",
        "timing_types",
    }
    assert set(FLAGS) <= set(option_specs())


def test_every_flag_reaches_the_server(run, server, tmp_path):
    result = run("say", "Hi.", "-o", tmp_path / "o.wav", "--server", server.target, *EVERY_FLAG.split())
    assert result.exit_code == 0, result.stderr
    (request,) = server.requests("Synthesize")
    neutral = wire.speech_request("Hi.", {})
    unchanged = {field.name for field in request.DESCRIPTOR.fields if same(request, neutral, field.name)} | {
        f"audio_config.{field.name}"
        for field in tts_pb2.AudioConfig.DESCRIPTOR.fields
        if same(request.audio_config, neutral.audio_config, field.name)
    }
    assert unchanged == SET_BY_SAY


def same(one, other, field: str) -> bool:
    return bool(getattr(one, field) == getattr(other, field))


def test_a_new_option_gets_a_flag_of_its_own_name(monkeypatch):
    class More(SpeechOptions, total=False):
        breath_ratio: float

    monkeypatch.setattr(speech_options, "SpeechOptions", More)
    monkeypatch.setattr(
        speech_options, "option_specs", lambda: {**option_specs(), "breath_ratio": Option(0.5, "Breath, 0 to 1.")}
    )
    flag = inspect.signature(speech_option_flags()).parameters["breath_ratio"]
    assert (flag.annotation, flag.default.default, flag.default.help) == (float, 0.5, "Breath, 0 to 1.")


def test_pronunciations_are_by_ipa_or_by_respelling():
    assert pronunciations_of(["tomato = təˈmɑːtoʊ"], ["SQL=sequel", "a=b=c"]) == [
        Pronunciation("tomato", ipa="təˈmɑːtoʊ"),
        Pronunciation("SQL", respelling="sequel"),
        Pronunciation("a", respelling="b=c"),
    ]


@pytest.mark.parametrize("given", ["tomato", "=x", "x=", "", " = "])
def test_one_that_says_nothing_is_refused_with_an_example(given):
    with pytest.raises(typer.BadParameter, match=r"is not of the form NAME=VALUE; for example tomato=təˈmɑːtoʊ"):
        pronunciations_of([given], [])
    with pytest.raises(typer.BadParameter, match="for example SQL=sequel"):
        pronunciations_of([], [given])


def test_weights_by_name():
    assert emotion_weights_of("happy=0.6, sad = .2,") == {"happy": 0.6, "sad": 0.2}
    assert emotion_weights_of("") == {}


@pytest.mark.parametrize("given", ["happy", "happy=much", "=1", "happy=0.5;sad=0.5"])
def test_what_is_not_a_list_of_weights_is_refused_with_an_example(given):
    with pytest.raises(typer.BadParameter, match=r"for example happy=0\.6,sad=0\.2"):
        emotion_weights_of(given)


def test_a_recording_is_read_from_its_file_with_its_words(tmp_path):
    path = tmp_path / "me.wav"
    path.write_bytes(b"RIFF")
    assert recordings_of(str(path), "Who I am.", "ann") == {
        "reference": Recording(b"RIFF", transcript="Who I am."),
        "emotion_reference": Recording(name="ann"),
    }
    assert recordings_of("", "", "") == {"reference": None, "emotion_reference": None}


def test_a_recording_that_cannot_be_sent_is_refused_before_the_request(tmp_path):
    with pytest.raises(typer.BadParameter, match=r"gone\.wav cannot be read: No such file or directory"):
        recordings_of(str(tmp_path / "gone.wav"), "", "")
    (tmp_path / "large.wav").write_bytes(bytes(MAX_RECORDING_BYTES + 1))
    with pytest.raises(typer.BadParameter, match="has more than 10 MiB; send 3 to 30 s of speech"):
        recordings_of("", "", str(tmp_path / "large.wav"))
    with pytest.raises(typer.BadParameter, match="needs --reference"):
        recordings_of("", "Who I am.", "")
