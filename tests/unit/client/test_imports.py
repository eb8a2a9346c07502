"""What importing the client loads."""

import json
import subprocess
import sys

import pytest

HEAVY = {"torch", "numpy", "pydantic", "httpx", "rich", "opentelemetry", "phonoscope.server", "phonoscope.loadgen"}


def modules_after(statement: str) -> set[str]:
    command = f"import json, sys; {statement}; print(json.dumps(list(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", command], check=True, capture_output=True, text=True)
    return set(json.loads(run.stdout))


@pytest.mark.parametrize("statement", ["import phonoscope", "import phonoscope.client"])
def test_the_client_loads_nothing_of_the_server(statement):
    assert not modules_after(statement) & HEAVY


def test_the_package_itself_does_not_load_grpc():
    assert "grpc" not in modules_after("import phonoscope")


def test_the_package_offers_the_client_on_first_use():
    assert "phonoscope.client" in modules_after("import phonoscope; phonoscope.Client; phonoscope.AsyncClient")


def test_an_unknown_name_is_an_attribute_error():
    import phonoscope

    with pytest.raises(AttributeError, match="Nonsense"):
        _ = phonoscope.Nonsense
