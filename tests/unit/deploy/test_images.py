"""What the build argument KOKORO makes of the images, by docker-compose.yml and both Dockerfiles, without building."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3]
DOCKERFILES = ("Dockerfile", "Dockerfile.gpu")


def requirements(dockerfile: str, kokoro: str) -> "subprocess.CompletedProcess[str]":
    """Runs the program of a Dockerfile that prints what to install."""
    stage = (ROOT / dockerfile).read_text().partition("AS requirements\n")[2]
    assert "\nARG KOKORO=\n" in f"\n{stage}"
    match = re.search(r'RUN python3 -c "(.*?)" *(?:\\\n *)?> /(?:requirements|all).txt', stage, re.DOTALL)
    assert match
    program = match[1].replace("\\\n", "").replace("${KOKORO}", kokoro).replace("${EXTRAS}", "server gateway")
    program = program.replace("/pyproject.toml", str(ROOT / "pyproject.toml"))
    return subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True)


def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


@pytest.mark.parametrize("dockerfile", DOCKERFILES)
@pytest.mark.parametrize(("kokoro", "extras"), [("", ()), ("0", ()), ("1", ("kokoro",))])
def test_the_argument_adds_the_extra_and_nothing_else(dockerfile: str, kokoro: str, extras: tuple[str, ...]) -> None:
    own = project()
    wanted = [one for extra in ("server", "gateway", *extras) for one in own["optional-dependencies"][extra]]
    assert requirements(dockerfile, kokoro).stdout.splitlines() == [*own["dependencies"], *wanted]


@pytest.mark.parametrize("dockerfile", DOCKERFILES)
def test_another_value_ends_the_build(dockerfile: str) -> None:
    done = requirements(dockerfile, "yes")
    assert done.returncode == 1
    assert "KOKORO is 1 to add phonoscope[kokoro], or empty: not yes" in done.stderr


def test_every_image_of_the_stack_gets_the_argument() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    built = {name: service["build"]["args"] for name, service in services.items() if "build" in service}
    built = {name: arguments for name, arguments in built.items() if "EXTRAS" not in arguments}
    assert {"server-cpu", "server-gpu", "gateway"} <= set(built)
    assert {arguments["KOKORO"] for arguments in built.values()} == {"${KOKORO:-}"}
