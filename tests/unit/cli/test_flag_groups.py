"""Groups of flags: a command takes a record, the command line has its fields."""

from dataclasses import dataclass
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from phonoscope.cli.flag_groups import with_flags


@dataclass(frozen=True, slots=True, kw_only=True)
class Meal:
    dish: Annotated[str, typer.Option("--dish", "-d", help="What to eat.")]
    portions: Annotated[int, typer.Option(min=1)] = 2


@pytest.fixture
def served() -> list[tuple[str, Meal, bool]]:
    return []


@pytest.fixture
def invoke(served):
    app = typer.Typer()

    @app.command()
    @with_flags(meal=Meal)
    def order(*, name: Annotated[str, typer.Argument()], meal: Meal, to_go: bool = False) -> None:
        """Orders a meal."""
        served.append((name, meal, to_go))

    return lambda *arguments: CliRunner().invoke(app, arguments)


def test_the_command_gets_the_group_and_its_other_parameters(invoke, served):
    assert invoke("Ada", "-d", "soup", "--to-go").exit_code == 0
    assert served == [("Ada", Meal(dish="soup", portions=2), True)]


def test_the_fields_are_flags_with_their_help_and_their_limits(invoke, served):
    shown = invoke("--help").stdout
    assert "What to eat." in shown
    assert "--meal" not in shown
    assert invoke("Ada", "-d", "soup", "--portions", "0").exit_code == 2
    assert invoke("Ada").exit_code == 2
    assert served == []
