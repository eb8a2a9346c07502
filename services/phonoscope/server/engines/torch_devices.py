"""The device of engines on torch, whether it still works, and the build of torch. Used by these engines."""

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


def device_error(device: torch.device) -> str:
    """Returns why a device does not work any more, in a line; "" if it works.

    Some CUDA errors, such as a failed assertion in a kernel, end the process's context on the device: every later call
    returns the same error.
    """
    if device.type != "cuda":
        return ""
    try:
        torch.cuda.synchronize(device)
    except RuntimeError as error:
        return first_line(error)
    return ""


def first_line(error: Exception) -> str:
    """Returns the first line of an error: torch adds several lines of advice."""
    return str(error).strip().split("\n", 1)[0] or type(error).__name__
