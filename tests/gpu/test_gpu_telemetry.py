"""GPU telemetry on a real GPU: NVML finds torch's device, and its figures agree with torch's."""

import pytest
import structlog
import torch
from prometheus_client import CollectorRegistry

from phonoscope.server.engines.cuda_memory import cuda_device, cuda_memory
from phonoscope.server.telemetry.gpu import GpuTelemetry, gpu_telemetry
from phonoscope.server.telemetry.nvml import Gpu

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device; torch sees none"),
]

DEVICE = "cuda:0"


@pytest.fixture
def gpu():
    device = cuda_device(DEVICE)
    gpu = Gpu(device.uuid, device.pci_bus_id)
    yield gpu
    gpu.close()


def test_nvml_finds_the_device_that_torch_computes_on(gpu):
    held = torch.empty(2**30, dtype=torch.uint8, device=DEVICE)
    torch.cuda.synchronize()
    reading = gpu.read()
    assert reading.memory_used_bytes >= held.numel()
    total = torch.cuda.get_device_properties(DEVICE).total_memory
    assert reading.memory_total_bytes == pytest.approx(total, rel=0.05)


def test_each_way_of_finding_it_leads_to_the_same_gpu(gpu):
    device = cuda_device(DEVICE)
    if not device.pci_bus_id:
        pytest.skip("this torch does not tell the bus")
    by_bus = Gpu("", device.pci_bus_id)
    assert by_bus.read().index == gpu.read().index
    by_bus.close()


def test_figures_are_plausible(gpu):
    reading = gpu.read()
    assert reading.utilization_ratio is None or 0 <= reading.utilization_ratio <= 1
    assert reading.power_watts is None or 1 < reading.power_watts < 2_000
    assert reading.temperature_celsius is None or 5 < reading.temperature_celsius < 120


def test_torch_tells_what_it_holds():
    before = cuda_memory(DEVICE)
    held = torch.empty(2**26, dtype=torch.uint8, device=DEVICE)
    after = cuda_memory(DEVICE)
    assert after.allocated_bytes - before.allocated_bytes == held.numel()
    assert after.reserved_bytes >= after.allocated_bytes


def test_a_sample_becomes_families_with_the_number_of_the_gpu(gpu):
    telemetry = GpuTelemetry(gpu, lambda: cuda_memory(DEVICE), structlog.testing.CapturingLogger())
    telemetry.sample()
    families = {family.name: family.samples for family in telemetry.collect()}
    assert {"tts_gpu_memory_allocated_bytes", "tts_gpu_memory_reserved_bytes"} <= set(families)
    assert {sample.labels["gpu"] for samples in families.values() for sample in samples} == {str(gpu.read().index)}


def test_the_server_starts_and_ends_it():
    registry = CollectorRegistry()
    logger = structlog.testing.CapturingLogger()
    with gpu_telemetry(DEVICE, registry, logger):
        pass
    assert logger.calls == []
    assert list(registry.collect()) == []
