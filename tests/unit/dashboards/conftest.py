"""The committed dashboards, and what may be asked in their queries."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
FILES = sorted((ROOT / "dashboards").glob("*.json"))


@dataclass(frozen=True)
class Dashboard:
    """One dashboard as Grafana reads it."""

    name: str
    json: dict[str, Any]

    @property
    def panels(self) -> list[dict[str, Any]]:
        return self.json["panels"]

    @property
    def graphs(self) -> list[dict[str, Any]]:
        """The panels that show data."""
        return [panel for panel in self.panels if panel["type"] not in ("row", "text")]

    @property
    def variables(self) -> list[dict[str, Any]]:
        return self.json["templating"]["list"]

    def queries(self) -> Iterator[str]:
        """Yields every PromQL expression: of panels, variables and annotations."""
        yield from (target["expr"] for panel in self.graphs for target in panel["targets"])
        yield from (annotation["expr"] for annotation in self.json["annotations"]["list"])
        for variable in self.variables:
            if variable["type"] == "query":
                asked = re.fullmatch(r"label_values\((.+), \w+\)", variable["query"]["query"])
                assert asked, variable["query"]
                yield asked[1]


DASHBOARDS = [Dashboard(path.stem, json.loads(path.read_text())) for path in FILES]


@pytest.fixture(params=DASHBOARDS, ids=lambda dashboard: dashboard.name)
def dashboard(request: pytest.FixtureRequest) -> Dashboard:
    return request.param


@pytest.fixture
def dashboards() -> list[Dashboard]:
    return DASHBOARDS


@pytest.fixture
def rules() -> str:
    """The text of all rule files."""
    return "\n".join(path.read_text() for path in sorted((ROOT / "deploy/prometheus/rules").glob("*.yml")))
