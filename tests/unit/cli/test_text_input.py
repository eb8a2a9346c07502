"""The text to speak, and how SSML is recognized."""

import pytest

from phonoscope.protos.tts.v1 import tts_pb2


@pytest.mark.parametrize(
    ("name", "flags", "is_ssml"),
    [("a.ssml", [], True), ("a.SSML", [], True), ("a.xml", [], False), ("a.xml", ["--ssml"], True),
     ("a.ssml", ["--no-ssml"], False)],
)  # fmt: skip
def test_a_document_is_known_by_its_ending_or_by_the_flag(say, server, out, tmp_path, name, flags, is_ssml):
    document = "<speak>Hello.</speak>"
    (tmp_path / name).write_text(f"\ufeff{document}\n")
    assert say("--file", tmp_path / name, "-o", out, *flags).exit_code == 0
    (call,) = server.calls
    assert (call.method, call.request.ssml, call.request.text) == (
        ("SynthesizeStream", document, "") if is_ssml else ("Synthesize", "", document)
    )


@pytest.mark.parametrize("arguments", [["-"], [], ["--file", "-"]])
def test_text_comes_from_standard_input(say, server, out, arguments):
    assert say(*arguments, "-o", out, input="From a pipe, ünïcode.\n").exit_code == 0
    assert [request.text for request in server.requests("Synthesize")] == ["From a pipe, ünïcode."]


def test_text_comes_from_a_file(say, server, out, tmp_path):
    (tmp_path / "text.txt").write_bytes(b"\xef\xbb\xbfFrom a file.\n")
    assert say("--file", tmp_path / "text.txt", "-o", out).exit_code == 0
    assert [request.text for request in server.requests("Synthesize")] == ["From a file."]


def test_a_text_file_that_is_not_there_is_named(say, out):
    result = say("--file", "/no/such/text.txt", "-o", out)
    assert (result.exit_code, result.stderr) == (1, "phonoscope: /no/such/text.txt: No such file or directory\n")


@pytest.mark.parametrize(
    ("name", "flags", "expected"),
    [
        ("a.md", [], tts_pb2.TEXT_FORMAT_MARKDOWN),
        ("a.MARKDOWN", [], tts_pb2.TEXT_FORMAT_MARKDOWN),
        ("a.txt", [], tts_pb2.TEXT_FORMAT_PLAIN),
        ("a.md", ["--text-format", "plain"], tts_pb2.TEXT_FORMAT_PLAIN),
        ("a.txt", ["--text-format", "markdown"], tts_pb2.TEXT_FORMAT_MARKDOWN),
    ],
)
def test_markdown_is_known_by_its_ending_or_by_the_flag(say, server, out, tmp_path, name, flags, expected):
    (tmp_path / name).write_text("# Hello\n")
    assert say("--file", tmp_path / name, "-o", out, *flags).exit_code == 0
    assert [(request.text, request.text_format) for request in server.requests("Synthesize")] == [
        ("# Hello", expected)
    ]


def test_a_document_in_a_file_of_markdown_is_a_document(say, server, out, tmp_path):
    (tmp_path / "a.md").write_text("<speak>Hello.</speak>")
    assert say("--file", tmp_path / "a.md", "-o", out, "--ssml").exit_code == 0
    assert server.calls[0].request.text_format == tts_pb2.TEXT_FORMAT_PLAIN
