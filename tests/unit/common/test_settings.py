"""Settings from flags, environment and file, and what they refuse; on a class of its own, as a service has one."""

import os
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Literal

import pytest
from pydantic import Field

from phonoscope.common.errors import SettingsError
from phonoscope.common.settings import StrictSettings


class Kettle(StrictSettings):
    """Boils water."""

    port: Annotated[int, Field(ge=0, le=65535)] = 1
    """Where to pour."""

    metrics_port: int = 2
    """Where to look."""

    name: str = "kettle"
    """What it is called."""

    level: Literal["low", "high"] = "low"
    """How full."""

    is_loud: bool = False
    """Whether it whistles."""

    STANDARD_VARIABLES = MappingProxyType({"name": ("KETTLE_FULL_NAME", "KETTLE_NAME")})


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in os.environ:
        if variable.upper().startswith(("PHONOSCOPE_", "KETTLE_")):
            monkeypatch.delenv(variable)


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The settings file, named in the environment and still to be written."""
    path = tmp_path / "kettle.toml"
    monkeypatch.setenv("PHONOSCOPE_CONFIG", str(path))
    return path


def refusal(*arguments: str) -> str:
    with pytest.raises(SettingsError) as caught:
        Kettle.from_arguments(arguments)
    return str(caught.value)


def test_everything_has_a_default() -> None:
    assert Kettle.from_arguments([]).model_dump() == {
        "port": 1,
        "metrics_port": 2,
        "name": "kettle",
        "level": "low",
        "is_loud": False,
    }


def test_flags_win_over_the_environment_and_that_over_the_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text('port = 10\nmetrics_port = 20\nname = "file"\n')
    monkeypatch.setenv("PHONOSCOPE_PORT", "11")
    monkeypatch.setenv("PHONOSCOPE_METRICS_PORT", "21")
    settings = Kettle.from_arguments(["--port", "12"])
    assert (settings.port, settings.metrics_port, settings.name, settings.level) == (12, 21, "file", "low")


def test_flags_are_written_with_hyphens_and_booleans_have_two() -> None:
    assert Kettle.from_arguments(["--metrics-port", "7", "--is-loud"]).metrics_port == 7
    assert Kettle.from_arguments(["--is-loud"]).is_loud
    assert not Kettle.from_arguments(["--no-is-loud"]).is_loud


def test_an_empty_variable_is_one_that_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PHONOSCOPE_PORT", "")
    monkeypatch.setenv("PHONOSCOPE_NAME", "")
    monkeypatch.setenv("PHONOSCOPE_CONFIG", "")
    assert Kettle.from_arguments([]) == Kettle()
    assert Kettle().name == "kettle"


@pytest.mark.parametrize("variable", ["PHONOSCOPE_PROT", "phonoscope_prot", "PHONOSCOPE_SERVICE_TYPO"])
def test_an_unknown_variable_is_refused_with_the_valid_ones(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, "1")
    assert refusal() == (
        f"unknown environment variable {variable}; valid: PHONOSCOPE_CONFIG, PHONOSCOPE_IS_LOUD, PHONOSCOPE_LEVEL, "
        "PHONOSCOPE_METRICS_PORT, PHONOSCOPE_NAME, PHONOSCOPE_PORT"
    )


@pytest.mark.parametrize("program", ["CLIENT_SERVER", "GATEWAY_PORT", "LOADGEN_RATE", "CI_SLOW"])
def test_variables_of_the_other_programs_are_theirs(program: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"PHONOSCOPE_{program}", "1")
    assert Kettle.from_arguments([]).port == 1


@pytest.mark.parametrize("key", ["prot = 1", "metrics-port = 1", "[server]\nport = 1"])
def test_an_unknown_key_of_the_file_is_refused_with_the_valid_ones(file: Path, key: str) -> None:
    file.write_text(key)
    name = key.strip("[").split("]")[0].split(" ")[0]
    assert refusal() == f"unknown setting {name}; valid: is_loud, level, metrics_port, name, port"


def test_an_unknown_flag_is_refused_with_the_valid_ones(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        Kettle.from_arguments(["--prot", "1"])
    assert caught.value.code == 2
    told = capsys.readouterr().err
    assert "unrecognized arguments: --prot 1" in told
    for flag in ("--port", "--metrics-port", "--name", "--level", "--is-loud"):
        assert flag in told


def test_flags_are_not_guessed_from_their_beginning() -> None:
    with pytest.raises(SystemExit):
        Kettle.from_arguments(["--metrics", "1"])


@pytest.mark.parametrize(
    ("flag", "value", "told"),
    [
        ("port", "65536", "less than or equal to 65535"),
        ("port", "-1", "greater than or equal to 0"),
        ("port", "1.5", "valid integer"),
        ("level", "medium", "'low' or 'high'"),
    ],
)
def test_a_value_out_of_range_names_setting_value_and_range(
    flag: str, value: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_flag = refusal(f"--{flag}", value) if flag != "level" else refusal(f"--{flag}={value}")
    assert by_flag.startswith(f"{flag}={value!r}: ")
    assert told in by_flag
    monkeypatch.setenv(f"PHONOSCOPE_{flag.upper()}", value)
    assert refusal() == by_flag


def test_every_fault_is_reported_at_once() -> None:
    told = refusal("--port", "x", "--metrics-port", "y")
    assert "port='x'" in told
    assert "metrics_port='y'" in told


def test_help_shows_every_setting_with_its_default(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        Kettle.from_arguments(["--help"])
    assert caught.value.code == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "Boils water." in told
    for line in ("--port int Where to pour. (default: 1)", "--level {low,high} How full. (default: low)"):
        assert line in told
    assert "Whether it whistles. (default: False)" in told


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("PHONOSCOPE_SERVICE_HOST", "10.0.0.1"),
        ("PHONOSCOPE_SERVICE_PORT_GRPC", "50051"),
        ("PHONOSCOPE_PORT_50051_TCP_ADDR", "10.0.0.1"),
        ("PHONOSCOPE_SERVER_SERVICE_HOST", "10.0.0.1"),
        ("PHONOSCOPE_SERVER_PORT", "tcp://10.0.0.1:50051"),
        ("PHONOSCOPE_SERVER_PORT_50051_TCP", "tcp://10.0.0.1:50051"),
    ],
)
def test_what_kubernetes_adds_for_a_service_of_our_name_is_let_be(
    variable: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    assert Kettle.from_arguments([]).port == 1


@pytest.mark.parametrize("variable", ["PHONOSCOPE_PORT", "PHONOSCOPE_METRICS_PORT"])
def test_a_setting_that_kubernetes_overwrote_is_explained(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, "tcp://10.0.0.1:50051")
    told = refusal()
    assert f"Kubernetes sets {variable}" in told
    assert "enableServiceLinks: false" in told
    flag = variable.removeprefix("PHONOSCOPE_").replace("_", "-").lower()
    assert Kettle.from_arguments([f"--{flag}", "7"])


def test_a_missing_settings_file_is_reported(file: Path) -> None:
    assert refusal() == f"PHONOSCOPE_CONFIG={file}: no such file"
    file.mkdir()
    assert refusal() == f"PHONOSCOPE_CONFIG={file}: no such file"


@pytest.mark.parametrize("content", [b"port = ", b"port: 1", b"name = '\xff'"])
def test_a_settings_file_that_is_not_toml_is_reported(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    assert refusal().startswith(f"PHONOSCOPE_CONFIG={file}: is not TOML: ")


def test_the_settings_file_may_lie_in_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine.toml").write_text("port = 9")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PHONOSCOPE_CONFIG", "~/mine.toml")
    assert Kettle.from_arguments([]).port == 9


def test_a_standard_variable_counts_where_nothing_else_is_set(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text("")
    monkeypatch.setenv("KETTLE_NAME", "standard")
    assert Kettle.from_arguments([]).name == "standard"
    file.write_text('name = "file"')
    assert Kettle.from_arguments([]).name == "file"
    monkeypatch.setenv("PHONOSCOPE_NAME", "variable")
    assert Kettle.from_arguments([]).name == "variable"
    assert Kettle.from_arguments(["--name", "flag"]).name == "flag"


def test_of_several_standard_variables_the_first_that_is_set_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KETTLE_NAME", "general")
    monkeypatch.setenv("KETTLE_FULL_NAME", "")
    assert Kettle.from_arguments([]).name == "general"
    monkeypatch.setenv("KETTLE_FULL_NAME", "particular")
    assert Kettle.from_arguments([]).name == "particular"


def test_a_standard_variable_sets_no_other_field(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KETTLE_NAME", "standard")
    assert Kettle.from_arguments([]).model_dump() == Kettle().model_dump() | {"name": "standard"}
    assert Kettle.from_arguments([]).port == 1
