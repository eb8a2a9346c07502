"""The load that the flags of `phonoscope bench` state."""

import pytest


def test_what_is_asked_for_reaches_the_server(run, server, tmp_path):
    file = tmp_path / "texts.txt"
    file.write_text("Only this.\n")
    run("bench", "-s", server.target, "-n", 3, "--text", file, "--voice", "joe:3", "--deadline", 7)
    assert {(request.text, request.speaker_id) for request in server.requests("SynthesizeStream")} == {
        ("Only this.", "joe:3")
    }
    assert all(5 < call.seconds_left < 8 for call in server.calls)


def test_the_same_seed_asks_for_the_same_speech(run, server):
    for seed in (5, 5, 6):
        run("bench", "-s", server.target, "-n", 10, "-c", 1, "--seed", seed)
    asked = [(request.text, request.seed) for request in server.requests("SynthesizeStream")]
    assert asked[:10] == asked[10:20] != asked[20:]


def test_a_cancel_ratio_of_zero_suits_every_mode(run, server):
    result = run("bench", "-s", server.target, "-n", 2, "--mode", "unary", "--cancel-ratio", 0)
    assert "ok 2   failed 0" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--rate", 5, "-c", 2], "either a closed loop or an open loop"),
        (["--text", "EMPTY"], "no text"),
        (["--rate", 0], "--rate"),
        (["--bad-ratio", 2], "--bad-ratio"),
        (["--cancel-ratio", 2], "--cancel-ratio"),
        (["--cancel-ratio", 0.1, "--mode", "unary"], "only streams can be cancelled"),
        (["--retry-seconds", -1], "--retry-seconds"),
        (["--retry-seconds", 0, "--rate", 5], "an open loop (--rate, --ramp) does not retry"),
        (["--retry-seconds", 1, "--ramp", "1:5"], "an open loop (--rate, --ramp) does not retry"),
        (["--neighbours", -1], "--neighbours"),
        (["--ramp", "1:5", "--rate", 5], "use one of --concurrency, --rate and --ramp"),
        (["--ramp", "1:5", "-c", 5], "use one of --concurrency, --rate and --ramp"),
        (["--ramp", "5"], "such as 1:20"),
        (["--ramp", "1:fast"], "such as 1:20"),
        (["--ramp", "-1:5"], "must be finite, and 0 or more"),
        (["--ramp", "1:inf"], "must be finite, and 0 or more"),
        (["--ramp", "0:0"], "above 0"),
        (["--ramp", "1:5", "-d", 0], "--ramp needs a --duration above 0"),
        (["--characters", "64"], "such as 64:235"),
        (["--characters", "9000:9001"], "no text has 9000 to 9001 characters"),
        (
            ["-s", "http://here:1", "--target", "openai", "--mode", "unary", "--cancel-ratio", 1],
            "only streams can be cancelled",
        ),
    ],
)
def test_wrong_usage_is_reported_before_anything_is_sent(run, server, tmp_path, arguments, says):
    (tmp_path / "empty").write_text("\n")
    given = [tmp_path / "empty" if argument == "EMPTY" else argument for argument in arguments]
    result = run("bench", "-s", server.target, *given)
    assert result.exit_code == 2
    assert says in " ".join(result.stderr.replace("│", " ").split())
    assert server.calls == []


def test_a_ramp_of_calls(run, server):
    result = run("bench", "-s", server.target, "--ramp", "50:400", "--duration", 30, "-n", 20)
    assert result.exit_code == 0
    assert "ok 20   failed 0" in result.stdout


def test_a_range_of_characters_is_kept(run, server):
    run("bench", "-s", server.target, "-n", 40, "--characters", "64:100")
    assert {64 <= len(request.text) <= 100 for request in server.requests("SynthesizeStream")} == {True}


def test_a_text_file_that_is_not_there_is_one_line(run, server, tmp_path):
    result = run("bench", "-s", server.target, "--text", tmp_path / "none.txt")
    assert result.exit_code == 1
    assert result.stderr == f"phonoscope: {tmp_path}/none.txt: No such file or directory\n"
