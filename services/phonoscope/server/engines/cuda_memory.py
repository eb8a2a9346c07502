"""Which CUDA device torch uses, and what its allocator holds there. Called by server/telemetry/gpu.py."""

import contextlib
from dataclasses import dataclass
from typing import Any

import torch


@dataclass(frozen=True, slots=True)
class TorchMemory:
    """The allocator's figures: bytes in tensors, and bytes taken from the device, whether in tensors or not."""

    allocated_bytes: int
    reserved_bytes: int


@dataclass(frozen=True, slots=True)
class CudaDevice:
    """What identifies a device to others than this process, whose numbers CUDA_VISIBLE_DEVICES changes.

    Attributes:
        uuid: without a prefix such as "GPU-"; "" where torch does not tell.
        pci_bus_id: as "00000000:1B:00.0"; "" where torch does not tell, as before 2.8.
    """

    uuid: str
    pci_bus_id: str


def cuda_device(name: str) -> CudaDevice:
    """Returns what identifies a device such as "cuda" or "cuda:1"."""
    properties: Any = torch.cuda.get_device_properties(torch.device(name))  # torch's stubs leave out the bus
    pci_bus_id = ""
    with contextlib.suppress(AttributeError):
        pci_bus_id = f"{properties.pci_domain_id:08X}:{properties.pci_bus_id:02X}:{properties.pci_device_id:02X}.0"
    return CudaDevice(str(getattr(properties, "uuid", "")), pci_bus_id)


def cuda_memory(name: str) -> TorchMemory:
    """Returns what torch's allocator holds on a device such as "cuda" or "cuda:1"."""
    device = torch.device(name)
    return TorchMemory(torch.cuda.memory_allocated(device), torch.cuda.memory_reserved(device))
