"""`phonoscope serve` hands over, and loads the server only then."""

import sys
from types import ModuleType

import pytest

SERVER = "phonoscope.server.__main__"


@pytest.fixture
def handed_over(monkeypatch) -> list[list[str]]:
    """What a stand-in for the server's main was called with; it ends with 7."""
    calls: list[list[str]] = []
    module = ModuleType(SERVER)
    module.main = lambda argv: calls.append(argv) or 7  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, SERVER, module)
    return calls


@pytest.mark.parametrize(
    "arguments", [[], ["--port", "0", "--device=cpu", "--no-reflection"], ["--help"], ["-h"], ["a", "--", "--b"]]
)
def test_every_argument_reaches_the_server_and_its_status_comes_back(run, handed_over, arguments):
    assert run("serve", *arguments).exit_code == 7
    assert handed_over == [[argument for argument in arguments if argument != "--"]]


def test_without_its_extra_it_says_what_to_install(run, monkeypatch):
    monkeypatch.setitem(sys.modules, SERVER, None)
    result = run("serve")
    assert result.exit_code == 1
    assert result.stderr.startswith("phonoscope: the server is not installed (")
    assert result.stderr.endswith("pip install 'phonoscope[server]'\n")


@pytest.mark.parametrize("service", ["gateway", "emotion"])
def test_the_other_services_get_their_arguments_too(run, monkeypatch, service):
    calls: list[list[str]] = []
    module = ModuleType(service)
    module.main = lambda argv: calls.append(argv) or 7  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, f"phonoscope.{service}.__main__", module)
    assert run(service, "--port", "0").exit_code == 7
    assert calls == [["--port", "0"]]
