"""`phonoscope voices` against a real gRPC server and a real web server."""

import json

import pytest


@pytest.mark.parametrize("command", [["voices"], ["voices", "list"]])
def test_the_voices_of_the_server_are_listed_a_line_each(run, server, command):
    result = run(*command, env={"PHONOSCOPE_CLIENT_SERVER": server.target})
    heading, first, second = result.stdout.splitlines()
    assert result.exit_code == 0
    assert heading.split() == [
        "VOICE",
        "LANGUAGE",
        "HZ",
        "SPEAKERS",
        "DEFAULT",
        "ENGINE",
        "QUALITY",
        "PRECISION",
        "EMOTIONS",
        "ALIASES",
        "RECORDINGS",
    ]
    assert first.split() == ["en_US-joe-medium", "en-US", "22050", "*", "vits", "medium", "bfloat16", "prosody"]
    assert second.split() == ["de_DE-mls-medium", "de-DE", "22050", "anna,", "bert"]


def test_the_list_is_json_for_programs(run, server):
    result = run("voices", "list", "--server", server.target, "--language", "de", "--json")
    (voice,) = json.loads(result.stdout)
    assert (voice["id"], voice["speakers"], voice["is_default"]) == ("de_DE-mls-medium", ["anna", "bert"], False)


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
