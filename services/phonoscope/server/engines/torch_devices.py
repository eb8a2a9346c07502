"""The device of engines on torch, and the build of torch. Used by their loaders."""

import re

import torch

from phonoscope.common.errors import SettingsError


def torch_build() -> dict[str, str]:
    """Returns the versions of torch and of the CUDA that it was built for, "" for none."""
    return {"torch": torch.__version__, "cuda": torch.version.cuda or ""}


def resolve_device(name: str) -> torch.device:
    """Returns the device for "auto", "cpu", "cuda" or "cuda:N".

    Raises:
        SettingsError: the name is none of these, or that device does not exist.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if not (match := re.fullmatch(r"cpu|cuda(?::([0-9]+))?", name)):
        raise SettingsError(f"device {name!r} is unknown; use auto, cpu, cuda or cuda:N")
    if name != "cpu" and int(match[1] or 0) >= torch.cuda.device_count():
        raise SettingsError(
            f"device {name!r} does not exist: torch finds {torch.cuda.device_count()} CUDA device(s); check the "
            "driver and that torch is a CUDA build, or use cpu"
        )
    return torch.device(name)
