"""What a benchmark ran on: without it, no figure means anything."""

import os
import platform
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import torch

from phonoscope.server.engines.cores import core_quota, usable_cores


@dataclass(frozen=True, slots=True)
class Machine:
    """The machine, and the versions of what is compared."""

    cpu: str
    features: str
    cores: int
    quota: str
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
            f"{self.date} · {self.cpu}, {self.features}, {self.cores} cores, {self.quota} · Linux {self.kernel} · "
            f"Python {self.python} · phonoscope {self.phonoscope} · torch {self.torch} · "
            f"onnxruntime {self.onnxruntime} · piper-tts {self.piper_tts}"
        )


def this_machine() -> Machine:
    """Reads the machine that this process runs on."""
    return Machine(
        cpu=_cpu_model(),
        features=_cpu_features(),
        cores=usable_cores(),
        quota="no quota" if (quota := core_quota()) is None else f"quota of {quota:.2g} cores",
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


@dataclass(frozen=True, slots=True)
class Neighbours:
    """What else the machine does at one moment, while this process waits.

    Attributes:
        load_average: processes that ran or waited to run, on average over the last minute.
        busy_cores: cores that other processes keep busy.
        stolen_share: share of the cores' time that the hypervisor gave to other machines.
    """

    load_average: float
    busy_cores: float
    stolen_share: float

    @property
    def line(self) -> str:
        """All of it in one line."""
        return (
            f"load average {self.load_average}, other processes on {self.busy_cores} cores, "
            f"{self.stolen_share:.0%} of the time stolen"
        )


def neighbours(seconds: float = 1.0) -> Neighbours:
    """Watches the machine for a while."""
    began = _jiffies()
    time.sleep(seconds)
    user, nice, system, idle, io_wait, hard, soft, stolen = (
        after - before for before, after in zip(began, _jiffies(), strict=True)
    )
    total = max(1, user + nice + system + idle + io_wait + hard + soft + stolen)
    busy = (user + nice + system + hard + soft) / total
    cores = os.cpu_count() or 1
    return Neighbours(round(os.getloadavg()[0], 2), round(busy * cores, 2), stolen / total)


def _jiffies() -> Sequence[int]:
    """Returns all cores' time in user, nice, system, idle, iowait, irq, softirq and steal (proc(5), /proc/stat)."""
    first = Path("/proc/stat").read_text(encoding="utf-8").partition("\n")[0]
    return [int(value) for value in first.split()[1:9]]


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
