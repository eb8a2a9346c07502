"""A made Piper voice for the unit tests."""

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

MAKER = Path(__file__).parents[4] / "parity" / "piper_voices.py"


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """Small convolutions lose more to waiting threads than they gain, above all beside other processes."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def piper_voices() -> Any:
    """The maker of voices, which the parity tests use too."""
    spec = importlib.util.spec_from_file_location("piper_voices", MAKER)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def choir_path(piper_voices: Any) -> Path:
    """A made voice of five speakers; shared, so do not write to it."""
    return Path(piper_voices.voice_path("xx_XX-choir-medium"))


@pytest.fixture
def copied(choir_path: Path, tmp_path: Path) -> Path:
    """A copy of the made voice, to damage."""
    copy = tmp_path / "xx_XX-copy-medium.onnx"
    copy.write_bytes(choir_path.read_bytes())
    json_path = choir_path.with_name(choir_path.name + ".json")
    copy.with_name(copy.name + ".json").write_bytes(json_path.read_bytes())
    return copy
