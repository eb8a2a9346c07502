"""`phonoscope bench compare`: which engines, what is written where, and what is missing."""

import json
import sys

import pytest

from phonoscope.comparison import rounds
from phonoscope.comparison.rounds import IN_FLIGHT, Compared, Figures
from phonoscope.comparison.ways import GRPC_UNARY, JSON_KEPT

FIGURES = Figures([2.0], [1.0], {count: [9.0] for count in IN_FLIGHT}, {count: [3.0] for count in IN_FLIGHT}, 100.0)


@pytest.fixture
def measured(monkeypatch) -> list[tuple[dict[str, int], int]]:
    """What was asked to be measured; nothing is."""
    asked: list[tuple[dict[str, int], int]] = []

    def compare(engines, number, tell):
        asked.append((engines, number))
        tell("measuring")
        return [Compared(engine, {JSON_KEPT: FIGURES, GRPC_UNARY: FIGURES}) for engine in engines]

    monkeypatch.setattr(rounds, "compare", compare)
    return asked


def test_it_compares_both_engines_and_prints_the_table(run, measured):
    result = run("bench", "compare", "--threads", 2)
    assert (result.exit_code, measured) == (0, [({"tone": 2, "voice": 2}, 5)])
    assert "voice: latency, ms" in result.stdout
    assert "measuring" in result.stderr
    assert "measuring" not in result.stdout


def test_one_engine_and_a_file_for_programs(run, measured, tmp_path):
    result = run("bench", "compare", "--engine", "tone", "--rounds", 1, "--json", tmp_path / "out.json")
    assert (result.exit_code, measured) == (0, [({"tone": 0}, 1)])
    assert list(json.loads((tmp_path / "out.json").read_text())) == ["tone"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--engine", "lyre"), "tone, voice"),
        (("--json", "/nowhere/out.json"), "not a directory"),
        (("--rounds", 0), "--rounds"),
    ],
)
def test_bad_arguments_measure_nothing(run, measured, arguments, words):
    result = run("bench", "compare", *arguments)
    assert (result.exit_code, measured) == (2, [])
    assert words in result.stderr


def test_without_the_services_it_says_what_to_install(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "phonoscope.comparison.rounds", None)
    result = run("bench", "compare")
    assert result.exit_code == 1
    assert "pip install 'phonoscope[server,gateway,bench]'" in result.stderr
