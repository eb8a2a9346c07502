"""The CUDA device that torch uses, and its allocator's memory there. Called by server/telemetry/gpu.py.

torch is imported when a device is asked for: telemetry is there before the engines are.
"""

import contextlib
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class TorchMemory:
    """The allocator's memory: bytes in tensors, and bytes reserved on the device, whether in tensors or not."""

    allocated_bytes: int
    reserved_bytes: int


@dataclass(frozen=True, slots=True)
class CudaDevice:
    """Identifies a device outside this process, whose device numbers depend on CUDA_VISIBLE_DEVICES.

    Attributes:
        uuid: without a prefix such as "GPU-"; "" if torch does not report it.
        pci_bus_id: as "00000000:1B:00.0"; "" if torch does not report it, as before 2.8.
    """

    uuid: str
    pci_bus_id: str


def cuda_device(name: str) -> CudaDevice:
    """Returns the identity of a device such as "cuda" or "cuda:1"."""
    import torch  # noqa: PLC0415

    properties: Any = torch.cuda.get_device_properties(torch.device(name))  # torch's stubs omit the bus
    pci_bus_id = ""
    with contextlib.suppress(AttributeError):
        pci_bus_id = f"{properties.pci_domain_id:08X}:{properties.pci_bus_id:02X}:{properties.pci_device_id:02X}.0"
    return CudaDevice(str(getattr(properties, "uuid", "")), pci_bus_id)


def cuda_memory(name: str) -> TorchMemory:
    """Returns the memory of torch's allocator on a device such as "cuda" or "cuda:1"."""
    import torch  # noqa: PLC0415

    device = torch.device(name)
    return TorchMemory(torch.cuda.memory_allocated(device), torch.cuda.memory_reserved(device))
