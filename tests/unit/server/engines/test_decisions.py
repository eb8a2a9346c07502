"""Results of measurements are kept by their conditions, across processes, and never trusted when damaged."""

import json
import multiprocessing
from pathlib import Path

import pytest

from phonoscope.server.engines.decisions import Decisions, cpu_conditions

CONDITIONS = {"weights": "a1", "torch": "2.13"}


class Measurement:
    """Returns 1.5, 2.5, …, and counts how often it was called."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self) -> float:
        self.calls += 1
        return self.calls + 0.5


def stored(folder: Path) -> Path:
    [path] = folder.iterdir()
    return path


def test_a_result_is_measured_once_for_its_conditions(tmp_path: Path) -> None:
    measure = Measurement()
    assert Decisions(tmp_path / "new").recall("speedup", CONDITIONS, measure) == 1.5
    assert Decisions(tmp_path / "new").recall("speedup", CONDITIONS, measure) == 1.5
    assert measure.calls == 1


@pytest.mark.parametrize(
    ("name", "conditions"),
    [("speedup", {**CONDITIONS, "torch": "2.14"}), ("speedup", {"weights": "a1"}), ("x", CONDITIONS)],
)
def test_other_conditions_and_other_names_have_results_of_their_own(tmp_path: Path, name, conditions) -> None:
    measure = Measurement()
    decisions = Decisions(tmp_path)
    decisions.recall("speedup", CONDITIONS, measure)
    assert decisions.recall(name, conditions, measure) == 2.5
    assert decisions.recall("speedup", CONDITIONS, measure) == 1.5


def test_without_a_folder_nothing_is_kept() -> None:
    measure = Measurement()
    decisions = Decisions(None)
    assert [decisions.recall("speedup", CONDITIONS, measure) for _ in range(2)] == [1.5, 2.5]


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"\xff\xfe",
        b'{"conditions": ',
        b"[]",
        b"[" * 100_000,
        b'{"value": 7}',
        json.dumps({"conditions": {"format": "1", "weights": "b2", "torch": "2.13"}, "value": 7}).encode(),
        *(
            json.dumps({"conditions": {"format": "1", **CONDITIONS}, "value": value}).encode()
            for value in (None, "7", True, [7], float("nan"), float("inf"))
        ),
        b" " * 100_000 + json.dumps({"conditions": {"format": "1", **CONDITIONS}, "value": 7}).encode(),
    ],
)
def test_a_damaged_file_is_measured_again_and_replaced(tmp_path: Path, damage: bytes) -> None:
    measure = Measurement()
    Decisions(tmp_path).recall("speedup", CONDITIONS, measure)
    stored(tmp_path).write_bytes(damage)
    assert Decisions(tmp_path).recall("speedup", CONDITIONS, measure) == 2.5
    assert Decisions(tmp_path).recall("speedup", CONDITIONS, measure) == 2.5


def test_a_file_that_is_a_directory_is_no_result_and_a_problem(tmp_path: Path) -> None:
    measure = Measurement()
    decisions = Decisions(tmp_path)
    decisions.recall("speedup", CONDITIONS, measure)
    path = stored(tmp_path)
    path.unlink()
    path.mkdir()
    assert decisions.recall("speedup", CONDITIONS, measure) == 2.5
    assert str(tmp_path) in decisions.problem
    assert list(tmp_path.iterdir()) == [path], "nothing half-written stays behind"


def test_a_folder_that_cannot_be_written_is_a_problem_and_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    decisions = Decisions(tmp_path / "file" / "cache")
    assert decisions.recall("speedup", CONDITIONS, Measurement()) == 1.5
    assert str(tmp_path / "file" / "cache") in decisions.problem


def test_without_a_home_directory_nothing_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: Path) -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "expanduser", fail)
    decisions = Decisions(Path("~/.cache/phonoscope"))
    assert decisions.recall("speedup", CONDITIONS, Measurement()) == 1.5
    assert "home directory" in decisions.problem


def test_a_result_that_is_no_number_is_not_kept(tmp_path: Path) -> None:
    Decisions(tmp_path).recall("distance", CONDITIONS, lambda: float("nan"))
    assert list(tmp_path.iterdir()) == []


def test_an_error_of_the_measurement_is_not_kept(tmp_path: Path) -> None:
    def fail() -> float:
        raise RuntimeError("no memory")

    with pytest.raises(RuntimeError, match="no memory"):
        Decisions(tmp_path).recall("distance", CONDITIONS, fail)
    assert list(tmp_path.iterdir()) == []


def _store_many(folder: Path, value: float) -> None:
    for number in range(200):
        Decisions(folder).recall("shared", {"number": str(number % 5)}, lambda: value)


def test_processes_that_store_at_once_leave_whole_results(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=_store_many, args=(tmp_path, value)) for value in (1.0, 2.0, 3.0)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0
    assert len(list(tmp_path.iterdir())) == 5
    kept = [Decisions(tmp_path).recall("shared", {"number": str(number)}, lambda: 9.0) for number in range(5)]
    assert set(kept) <= {1.0, 2.0, 3.0}


def test_a_cpu_is_known_by_its_model_and_its_features(tmp_path: Path) -> None:
    info = tmp_path / "cpuinfo"
    info.write_text(
        "processor\t: 0\nmodel name\t: Fast One\ncpu MHz\t\t: 1.0\nflags\t\t: avx2 fma\n\nprocessor\t: 1\n"
    )
    conditions = cpu_conditions(info)
    assert conditions["model name"] == "Fast One"
    assert conditions["flags"] == "avx2 fma"
    assert not {"processor", "cpu MHz"} & set(conditions), "what differs between cores or moments is no condition"
    assert set(cpu_conditions(tmp_path / "none")) == {"machine"}
