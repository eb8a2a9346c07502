"""The libraries under torch are configured before it is loaded, and by the user where the user decides."""

import subprocess
import sys

import pytest

from phonoscope.server.engines.libraries import KERNELS_KEPT, SPIN_COUNT, configure_libraries


def test_spinning_is_bounded_and_kernels_are_kept() -> None:
    environment: dict[str, str] = {}
    configure_libraries(environment)
    assert environment == {
        "GOMP_SPINCOUNT": str(SPIN_COUNT),
        "ONEDNN_PRIMITIVE_CACHE_CAPACITY": str(KERNELS_KEPT),
    }


@pytest.mark.parametrize("decided", [{"GOMP_SPINCOUNT": "7"}, {"OMP_WAIT_POLICY": "active"}])
def test_what_the_environment_says_of_spinning_stays(decided: dict[str, str]) -> None:
    environment = dict(decided)
    configure_libraries(environment)
    assert environment.items() >= decided.items()
    assert len(environment) == len(decided) + 1


def test_what_the_environment_says_of_the_cache_stays() -> None:
    environment = {"ONEDNN_PRIMITIVE_CACHE_CAPACITY": "64"}
    configure_libraries(environment)
    assert environment["ONEDNN_PRIMITIVE_CACHE_CAPACITY"] == "64"


def test_the_server_configures_them_before_torch_is_loaded() -> None:
    code = """
import os, sys
os.environ.pop("GOMP_SPINCOUNT", None)
os.environ.pop("ONEDNN_PRIMITIVE_CACHE_CAPACITY", None)
class Watch:
    def find_spec(self, name, path=None, target=None):
        if name == "torch":
            print(os.environ.get("GOMP_SPINCOUNT"), os.environ.get("ONEDNN_PRIMITIVE_CACHE_CAPACITY"))
            sys.meta_path.remove(self)
sys.meta_path.insert(0, Watch())
import phonoscope.server.__main__, phonoscope.server.engines.registry
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert ran.stdout == f"{SPIN_COUNT} {KERNELS_KEPT}\n"
