"""What a benchmark ran on: without it, no figure means anything."""

import os
import platform
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import torch

from phonoscope.server.engines.cores import usable_cores


@dataclass(frozen=True, slots=True)
class Machine:
    """The machine, and the versions of what is compared."""

    cpu: str
    features: str
    cores: int
    kernel: str
    python: str
    phonoscope: str
    torch: str
    onnxruntime: str
    piper_tts: str
    date: str

    @property
    def line(self) -> str:
        """All of it in one line."""
        return (
            f"{self.date} · {self.cpu}, {self.features}, {self.cores} cores · Linux {self.kernel} · "
            f"Python {self.python} · phonoscope {self.phonoscope} · torch {self.torch} · "
            f"onnxruntime {self.onnxruntime} · piper-tts {self.piper_tts}"
        )


def this_machine() -> Machine:
    """Reads the machine that this process runs on."""
    return Machine(
        cpu=_cpu_model(),
        features=_cpu_features(),
        cores=usable_cores(),
        kernel=platform.release(),
        python=platform.python_version(),
        phonoscope=version("phonoscope"),
        torch=version("torch"),
        onnxruntime=version("onnxruntime"),
        piper_tts=version("piper-tts"),
        date=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    )


def _cpu_features() -> str:
    """Returns the widest vectors that torch uses, and whether the CPU multiplies bfloat16."""
    flags = Path("/proc/cpuinfo").read_text(encoding="utf-8").partition("flags")[2].partition("\n")[0].split()
    narrow = [name for name in ("avx512_bf16", "amx_bf16") if name in flags]
    return " ".join([torch.backends.cpu.get_cpu_capability(), *narrow])


def load_average() -> float:
    """Returns the processes that ran or waited to run, on average over the last minute."""
    return round(os.getloadavg()[0], 2)


def _cpu_model() -> str:
    """Returns the model's name, family and number: clouds give many CPUs the same name."""
    fields: dict[str, str] = {}
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        name, _, value = line.partition(":")
        fields.setdefault(name.strip(), value.strip())
    name = fields.get("model name", platform.machine())
    if "cpu family" not in fields:
        return name
    return f"{name} (family {fields['cpu family']}, model {fields['model']})"
