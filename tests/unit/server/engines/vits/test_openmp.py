"""How long OpenMP's threads spin is decided before torch is loaded, and by the user where the user decides."""

import subprocess
import sys

import pytest

from phonoscope.server.engines.vits.openmp import SPIN_COUNT, bound_spinning


def test_spinning_is_bounded() -> None:
    environment: dict[str, str] = {}
    bound_spinning(environment)
    assert environment == {"GOMP_SPINCOUNT": str(SPIN_COUNT)}


@pytest.mark.parametrize("decided", [{"GOMP_SPINCOUNT": "7"}, {"OMP_WAIT_POLICY": "active"}])
def test_what_the_environment_says_stays(decided: dict[str, str]) -> None:
    environment = dict(decided)
    bound_spinning(environment)
    assert environment == decided


def test_the_server_bounds_it_before_torch_is_loaded() -> None:
    code = """
import os, sys
os.environ.pop("GOMP_SPINCOUNT", None)
class Watch:
    def find_spec(self, name, path=None, target=None):
        if name == "torch":
            print(os.environ.get("GOMP_SPINCOUNT"))
            sys.meta_path.remove(self)
sys.meta_path.insert(0, Watch())
import phonoscope.server.__main__
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert ran.stdout == f"{SPIN_COUNT}\n"
