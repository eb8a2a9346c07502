"""The server under load: its API, its address and its key."""

import pytest


@pytest.mark.parametrize(
    ("arguments", "path", "asked"),
    [
        (["--target", "piper"], "/synthesize", {"text": "Only this."}),
        (
            ["--target", "openai", "--response-format", "pcm", "--model", "kokoro", "--voice", "bella"],
            "/v1/audio/speech",
            {"model": "kokoro", "input": "Only this.", "voice": "bella", "response_format": "pcm"},
        ),
    ],
)
def test_other_servers_are_measured_over_http(run, http_server, tmp_path, arguments, path, asked):
    (tmp_path / "texts.txt").write_text("Only this.\n")
    result = run("bench", "-s", http_server.url, "-n", 6, "--text", tmp_path / "texts.txt", *arguments)
    assert result.exit_code == 0
    assert "ok 6   failed 0" in result.stdout
    assert [(at, body) for at, _, body in http_server.asked] == [(path, asked)] * 6


def test_the_key_reaches_the_server_and_no_output(run, http_server, tmp_path):
    arguments = ["bench", "-s", http_server.url, "--target", "openai", "-n", 2, "--json", tmp_path / "out.json"]
    key = {"PHONOSCOPE_BENCH_API_KEY": "k3y-of-mine"}
    result = run(*arguments, env=key)
    assert {headers["authorization"] for _, headers, _ in http_server.asked} == {"Bearer k3y-of-mine"}
    told = [result.output, (tmp_path / "out.json").read_text(), run("bench", "--help", env=key).output]
    assert not any("k3y-of-mine" in text for text in told)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--target", "piper"], "needs a URL"),
        (["--target", "openai"], "needs a URL"),
        (["-s", "http://here:1"], "a URL needs --target"),
        (["-s", "http://here:1", "--target", "openai", "--bad-ratio", 0.5], "--bad-ratio needs --target grpc"),
        (["-s", "http://here:1", "--target", "openai", "--mode", "bidi"], "--mode bidi needs --target grpc"),
        (["-s", "http://here:1", "--target", "piper", "--otlp-endpoint", "http://a:1"], "--otlp-endpoint needs"),
    ],
)
def test_an_address_or_an_option_that_the_api_does_not_support_is_a_usage_error(run, server, arguments, message):
    result = run("bench", "-s", server.target, *arguments)
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.replace("│", " ").split())
    assert server.calls == []
