"""What torch says of a CUDA device, with torch's answers written by the test; tests/gpu asks a real one."""

from types import SimpleNamespace

import pytest
import torch

from phonoscope.server.engines.cuda_memory import CudaDevice, TorchMemory, cuda_device, cuda_memory


class FakeUuid:
    def __str__(self) -> str:
        return "0f2a7c44-5d1e-4b0a-9c3d-8e6f10b2a7d5"


@pytest.mark.parametrize(
    ("properties", "device"),
    [
        ({}, CudaDevice("", "")),
        ({"uuid": FakeUuid()}, CudaDevice(str(FakeUuid()), "")),
        (
            {"uuid": FakeUuid(), "pci_domain_id": 1, "pci_bus_id": 27, "pci_device_id": 0},
            CudaDevice(str(FakeUuid()), "00000001:1B:00.0"),
        ),
    ],
)
def test_a_device_is_reported_by_what_torch_knows_of_it(
    properties: dict[str, object], device: CudaDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    monkeypatch.setattr(
        "torch.cuda.get_device_properties", lambda name: asked.append(name) or SimpleNamespace(**properties)
    )
    assert cuda_device("cuda:1") == device
    assert asked == [torch.device("cuda", 1)]


def test_memory_is_what_torch_holds_on_that_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.memory_allocated", lambda device: {torch.device("cuda", 1): 10}[device])
    monkeypatch.setattr("torch.cuda.memory_reserved", lambda device: {torch.device("cuda", 1): 20}[device])
    assert cuda_memory("cuda:1") == TorchMemory(allocated_bytes=10, reserved_bytes=20)
