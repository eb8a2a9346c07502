"""The files of a run."""

import json
import sys

import pytest


def test_the_json_is_written(run, server, tmp_path):
    run("bench", "-s", server.target, "-n", 5, "--json", tmp_path / "out.json")
    document = json.loads((tmp_path / "out.json").read_text())
    assert (document["calls"]["ok"], document["target"]) == (5, server.target)


def test_the_page_of_a_run_has_its_table_and_its_plots(run, server, tmp_path):
    file = tmp_path / "page.html"
    result = run("bench", "-s", server.target, "-n", 20, "--html", file)
    assert result.exit_code == 0
    page = file.read_text(encoding="utf-8")
    assert "ok 20   failed 0" in page
    assert page.count("<svg") == 3


def test_a_page_without_matplotlib_is_refused_before_the_run(run, server, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    result = run("bench", "-s", server.target, "-n", 1, "--html", tmp_path / "page.html")
    assert result.exit_code == 1
    assert "pip install 'phonoscope[bench]'" in result.stderr
    assert server.calls == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--json", "/no/such/folder/out.json"], "is not a directory"),
        (["--html", "/nowhere/page.html"], "/nowhere is not a directory"),
    ],
)
def test_a_folder_that_does_not_exist_is_a_usage_error(run, server, arguments, message):
    result = run("bench", "-s", server.target, *arguments)
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.replace("│", " ").split())
    assert server.calls == []
