"""`phonoscope voices` against a real gRPC server and a real web server."""

import hashlib
import json

import pytest

from phonoscope.common import kokoro_hub
from phonoscope.common.indextts_hub import IndexTtsHub


@pytest.mark.parametrize("command", [["voices"], ["voices", "list"]])
def test_the_voices_of_the_server_are_listed_a_line_each(run, server, command):
    result = run(*command, env={"PHONOSCOPE_CLIENT_SERVER": server.target})
    heading, first, second = result.stdout.splitlines()
    assert result.exit_code == 0
    assert heading.split() == [
        "VOICE",
        "LANGUAGE",
        "GENDER",
        "GRADE",
        "HZ",
        "SPEAKERS",
        "DEFAULT",
        "ENGINE",
        "QUALITY",
        "PRECISION",
        "EMOTIONS",
        "RECORDINGS",
        "ALIASES",
    ]
    assert first.split() == ["en_US-joe-medium", "en-US", "22050", "*", "vits", "medium", "bfloat16", "prosody"]
    assert second.split() == ["de_DE-mls-medium", "de-DE", "female", "C+", "22050", "anna,", "bert"]


def test_the_list_is_json_for_programs(run, server):
    result = run("voices", "list", "--server", server.target, "--language", "de", "--json")
    (voice,) = json.loads(result.stdout)
    assert (voice["id"], voice["speakers"], voice["is_default"]) == ("de_DE-mls-medium", ["anna", "bert"], False)


@pytest.mark.parametrize(
    ("flags", "ids"),
    [
        (["--gender", "female"], ["de_DE-mls-medium"]),
        (["--engine", "vits"], ["en_US-joe-medium"]),
        (["--language", "en", "--gender", "male"], []),
    ],
)
def test_voices_are_listed_by_what_they_are_also_without_the_commands_name(run, server, flags, ids):
    for command in (["voices"], ["voices", "list"]):
        result = run(*command, *flags, "--server", server.target, "--json")
        assert [voice["id"] for voice in json.loads(result.stdout)] == ids


def test_an_unknown_gender_is_a_usage_error(run):
    result = run("voices", "list", "--gender", "neuter")
    assert result.exit_code == 2
    assert "'neuter' is not one of 'female', 'male'" in result.stderr


@pytest.mark.parametrize("flags", [["--gender", "male"], ["--engine", "vits"]])
def test_the_hub_does_not_state_gender_and_engine(run, flags):
    result = run("voices", "list", "--hub", *flags)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "The hub states languages only." in result.stderr


def test_no_voice_of_a_language_prints_nothing_on_standard_output(run, server):
    result = run("voices", "list", "--server", server.target, "--language", "xx")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "no voices found\n")


def test_no_server_is_one_line(run):
    result = run("voices", "list", "--server", "127.0.0.1:1")
    assert result.exit_code == 1
    assert result.stderr.startswith("phonoscope: cannot reach a server at 127.0.0.1:1")


def test_the_hub_is_listed_without_a_server(run, hub_url):
    result = run("voices", "list", "--hub", "--hub-url", hub_url)
    heading, first, second = result.stdout.splitlines()
    assert heading.split() == ["VOICE", "LANGUAGE", "QUALITY", "MEGABYTES"]
    assert first.split() == ["de_DE-karl-medium", "de-DE", "medium", "0.0"]
    assert second.split()[0] == "en_US-amy-low"


@pytest.mark.parametrize("language", ["en", "en-US", "en_us"])
def test_the_hub_is_listed_by_language(run, hub_url, language):
    listed = run("voices", "list", "--hub-url", hub_url, "--language", language, "--json").stdout
    assert [voice["id"] for voice in json.loads(listed)] == ["en_US-amy-low"]


def test_pull_brings_voices_and_prints_their_paths(run, hub_url, tmp_path):
    folder = tmp_path / "voices"
    result = run("voices", "pull", "en_US-amy-low", "de_DE-karl-medium", "--voices-dir", folder, "--hub", hub_url)
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        str(folder / "en_US-amy-low.onnx"),
        str(folder / "de_DE-karl-medium.onnx"),
    ]
    assert (folder / "en_US-amy-low.onnx").read_bytes() == b"model of en_US-amy-low"
    assert (folder / "en_US-amy-low.onnx.json").exists()


def test_the_environment_names_the_voices_directory(run, hub_url, tmp_path):
    env = {"PHONOSCOPE_VOICES_DIR": str(tmp_path / "mine")}
    assert run("voices", "pull", "en_US-amy-low", "--hub", hub_url, env=env).exit_code == 0
    assert (tmp_path / "mine" / "en_US-amy-low.onnx").exists()


def test_the_default_directory_is_in_the_users_home(run, hub_url, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert run("voices", "pull", "en_US-amy-low", "--hub", hub_url).exit_code == 0
    assert (tmp_path / ".local/share/phonoscope/voices/en_US-amy-low.onnx").exists()


def test_an_unknown_voice_of_the_hub_is_reported_in_one_line(run, hub_url, tmp_path):
    result = run("voices", "pull", "en_US-emy-low", "--voices-dir", tmp_path, "--hub", hub_url)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.count("\n") == 1
    assert "en_US-amy-low" in result.stderr


@pytest.fixture
def kokoro_url(hub_url, tmp_path, monkeypatch):
    """The hub with the files of Kokoro-82M, of two voices; their checksums stand in for the published ones."""
    contents = {
        "config.json": b"{}",
        "kokoro-v1_0.pth": b"weights",
        "voices/af_heart.pt": b"heart",
        "voices/zf_xiaoxiao.pt": b"xiaoxiao",
    }
    for path, content in contents.items():
        (tmp_path / "hub" / path).parent.mkdir(exist_ok=True)
        (tmp_path / "hub" / path).write_bytes(content)
    digests = {path: hashlib.sha256(content).hexdigest() for path, content in contents.items()}
    packs = {"af_heart": digests["voices/af_heart.pt"], "zf_xiaoxiao": digests["voices/zf_xiaoxiao.pt"]}
    for name, value in {
        "CONFIG_SHA256": digests["config.json"],
        "CONFIG_BYTES": 2,
        "CHECKPOINT_SHA256": digests["kokoro-v1_0.pth"],
        "CHECKPOINT_BYTES": len(b"weights"),
        "PACK_SHA256": packs,
    }.items():
        monkeypatch.setattr(kokoro_hub, name, value)
    return hub_url


def files_in(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.*") if path.is_file())


def test_pull_brings_all_of_kokoro_beside_other_voices(run, kokoro_url, tmp_path):
    folder = tmp_path / "voices"
    result = run("voices", "pull", "kokoro-82m", "en_US-amy-low", "--voices-dir", folder, "--hub", kokoro_url)
    assert result.stdout.splitlines() == [str(folder / "kokoro-82m"), str(folder / "en_US-amy-low.onnx")]
    assert files_in(folder / "kokoro-82m") == [
        "config.json",
        "kokoro-v1_0.pth",
        "voices/af_heart.pt",
        "voices/zf_xiaoxiao.pt",
    ]


def test_chosen_voices_of_kokoro_are_one_pull(run, kokoro_url, tmp_path):
    names = ("kokoro-82m/af_heart", "kokoro-82m/zf_xiaoxiao")
    result = run("voices", "pull", *names, "--without-model", "--voices-dir", tmp_path / "v", "--hub", kokoro_url)
    assert result.stdout.splitlines() == [str(tmp_path / "v" / "kokoro-82m")]
    assert files_in(tmp_path / "v" / "kokoro-82m") == ["voices/af_heart.pt", "voices/zf_xiaoxiao.pt"]


def test_an_unknown_voice_of_kokoro_is_reported_in_one_line(run, kokoro_url, tmp_path):
    result = run("voices", "pull", "kokoro-82m/af_hart", "--voices-dir", tmp_path, "--hub", kokoro_url)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.count("\n") == 1
    assert "kokoro-82m/af_heart" in result.stderr


def test_pull_brings_indextts_and_says_what_its_licence_is(run, tmp_path, monkeypatch):
    monkeypatch.setattr(IndexTtsHub, "pull", lambda _hub, directory, *, on_progress: directory / "indextts-2.5")
    result = run("voices", "pull", "indextts-2.5", "--voices-dir", tmp_path)
    assert result.stdout.splitlines() == [str(tmp_path / "indextts-2.5")]
    assert "not an open source licence" in result.stderr


def test_kokoros_voices_are_listed_with_those_of_the_default_hub(run, hub_url, monkeypatch):
    monkeypatch.setattr("phonoscope.common.voice_hub.DEFAULT_HUB_URL", hub_url)
    listed = json.loads(run("voices", "list", "--hub", "--json").stdout)
    assert [voice["id"] for voice in listed[:3]] == ["de_DE-karl-medium", "en_US-amy-low", "kokoro-82m/af_alloy"]
    chinese = json.loads(run("voices", "list", "--hub", "--json", "--language", "zh").stdout)
    assert [voice["id"] for voice in chinese][:1] == ["kokoro-82m/zf_xiaobei"]
    assert {voice["language"] for voice in chinese} == {"zh-CN"}
