"""GPU telemetry: what a scrape sees, what the log says, and that a driver that hangs holds up nobody."""

import threading
from collections.abc import Iterator
from typing import Any

import pynvml
import pytest
import structlog
from prometheus_client import CollectorRegistry

from phonoscope.server.engines.cuda_memory import CudaDevice, TorchMemory
from phonoscope.server.telemetry import gpu as gpu_module
from phonoscope.server.telemetry.gpu import LOST_AFTER_INTERVALS, GpuTelemetry, gpu_telemetry
from phonoscope.server.telemetry.nvml import GpuReading

INTERVAL_SECONDS = 5.0
LOST_AFTER_SECONDS = LOST_AFTER_INTERVALS * INTERVAL_SECONDS
READING = GpuReading(1, 3_000, 80_000, 0.37, 251.5, 54)
MEMORY = TorchMemory(allocated_bytes=1_000, reserved_bytes=2_000)
FIGURES = {
    "tts_gpu_memory_used_bytes": 3_000,
    "tts_gpu_memory_total_bytes": 80_000,
    "tts_gpu_memory_allocated_bytes": 1_000,
    "tts_gpu_memory_reserved_bytes": 2_000,
    "tts_gpu_utilization_ratio": 0.37,
    "tts_gpu_power_watts": 251.5,
    "tts_gpu_temperature_celsius": 54,
}


class FakeGpu:
    """A GPU with scripted values, which can hang until it is released."""

    def __init__(self) -> None:
        self.reading = READING
        self.error: Exception | None = None
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.asked = threading.Event()
        self.closed = threading.Event()

    def read(self) -> GpuReading:
        self.asked.set()
        assert self.may_answer.wait(10)
        if self.error:
            raise self.error
        return self.reading

    def close(self) -> None:
        self.closed.set()


class Told:
    """A telemetry with a clock that the test turns, and the log's lines."""

    def __init__(self, **kwargs: Any) -> None:
        self.now = 1_000.0
        self.gpu = FakeGpu()
        self.memory_error: Exception | None = None
        self.logger = structlog.testing.CapturingLogger()
        kwargs = {"interval_seconds": INTERVAL_SECONDS, "stop_seconds": 0.01, **kwargs}
        self.telemetry = GpuTelemetry(self.gpu, self.memory, self.logger, clock=lambda: self.now, **kwargs)
        self.registry = CollectorRegistry()
        self.registry.register(self.telemetry)

    def memory(self) -> TorchMemory:
        if self.memory_error:
            raise self.memory_error
        return MEMORY

    def figures(self) -> dict[str, float]:
        return figures_of(self.registry)

    def log(self) -> list[tuple[str, dict[str, Any]]]:
        return [(call.args[0], call.kwargs) for call in self.logger.calls]


def figures_of(registry: CollectorRegistry) -> dict[str, float]:
    return {family.name: sample.value for family in registry.collect() for sample in family.samples}


@pytest.fixture
def told() -> Iterator[Told]:
    told = Told()
    yield told
    told.gpu.may_answer.set()


def test_a_scrape_sees_the_last_sample_with_the_number_that_nvml_gives_the_gpu(told: Told) -> None:
    told.telemetry.sample()
    assert told.figures() == FIGURES
    assert {str(s.labels) for family in told.registry.collect() for s in family.samples} == {"{'gpu': '1'}"}
    assert told.log() == []


def test_the_registry_knows_the_families_before_there_is_a_sample(told: Told) -> None:
    assert [family.name for family in told.telemetry.describe()] == list(FIGURES)
    assert list(told.registry.collect()) == []


@pytest.mark.parametrize(
    ("field", "names"),
    [
        ("memory_used_bytes", {"tts_gpu_memory_used_bytes"}),
        ("memory_total_bytes", {"tts_gpu_memory_total_bytes"}),
        ("utilization_ratio", {"tts_gpu_utilization_ratio"}),
        ("power_watts", {"tts_gpu_power_watts"}),
        ("temperature_celsius", {"tts_gpu_temperature_celsius"}),
    ],
)
def test_a_figure_that_the_gpu_does_not_give_is_a_family_that_is_absent(
    told: Told, field: str, names: set[str]
) -> None:
    values = {name: getattr(READING, name) for name in GpuReading.__slots__}
    told.gpu.reading = GpuReading(**{**values, field: None})
    told.telemetry.sample()
    assert told.figures() == {name: value for name, value in FIGURES.items() if name not in names}


def test_an_idle_gpu_is_reported_as_zero(told: Told) -> None:
    told.gpu.reading = GpuReading(1, 3_000, 80_000, 0.0, 251.5, 54)
    told.telemetry.sample()
    assert told.figures()["tts_gpu_utilization_ratio"] == 0.0


def test_a_failure_or_two_are_bridged_by_the_last_sample(told: Told) -> None:
    told.telemetry.sample()
    told.gpu.error = pynvml.NVMLError_Timeout()
    told.now += LOST_AFTER_SECONDS
    told.telemetry.sample()
    assert told.figures() == FIGURES
    assert told.log() == []


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (pynvml.NVMLError_GpuIsLost(), "GPU is lost"),
        (pynvml.NVMLError(pynvml.NVML_ERROR_DRIVER_NOT_LOADED), "Driver Not Loaded"),
        (OSError("no such device"), "no such device"),
        (RuntimeError(), "RuntimeError"),
    ],
)
def test_a_gpu_that_is_lost_is_absent_with_one_line_and_present_with_another(
    told: Told, error: Exception, cause: str
) -> None:
    told.telemetry.sample()
    told.gpu.error = error
    for _ in range(6):
        told.now += INTERVAL_SECONDS
        told.telemetry.sample()
        told.figures()
    assert told.figures() == {}
    assert told.log() == [("gpu_telemetry_lost", {"seconds": 20.0, "cause": cause})]
    told.gpu.error = None
    told.telemetry.sample()
    assert told.figures() == FIGURES
    assert told.log()[1:] == [("gpu_telemetry_back", {})]


def test_each_loss_has_its_own_line(told: Told) -> None:
    for _ in range(2):
        told.telemetry.sample()
        told.now += LOST_AFTER_SECONDS + 1
        told.figures()
        told.figures()
    told.telemetry.sample()
    assert [event for event, _ in told.log()] == ["gpu_telemetry_lost", "gpu_telemetry_back"] * 2


def test_torch_failing_is_a_loss_like_nvml_failing(told: Told) -> None:
    told.memory_error = RuntimeError("CUDA error: an illegal memory access was encountered")
    told.telemetry.sample()
    assert told.figures() == {}
    told.now += LOST_AFTER_SECONDS + 1
    told.telemetry.sample()
    ((event, fields),) = told.log()
    assert (event, fields["cause"]) == ("gpu_telemetry_lost", str(told.memory_error))


def test_nvml_that_never_was_there_is_one_line_and_no_families(told: Told) -> None:
    told.gpu.error = pynvml.NVMLError_LibraryNotFound()
    for _ in range(10):
        told.telemetry.sample()
        assert told.figures() == {}
        told.now += INTERVAL_SECONDS
    assert told.log() == [("gpu_telemetry_lost", {"seconds": 20.0, "cause": "NVML Shared Library Not Found"})]


def test_a_driver_that_hangs_holds_up_neither_a_scrape_nor_the_stop(told: Told) -> None:
    told.gpu.error = pynvml.NVMLError_Timeout()
    told.telemetry.sample()
    told.gpu.error = None
    told.telemetry.sample()
    told.gpu.may_answer.clear()
    told.gpu.asked.clear()
    with told.telemetry:
        assert told.gpu.asked.wait(10)
        assert told.figures() == FIGURES
        told.now += LOST_AFTER_SECONDS + 1
        assert told.figures() == {}
        assert told.figures() == {}
    (left_behind,) = (thread for thread in threading.enumerate() if thread.name == "gpu-telemetry")
    assert left_behind.daemon
    assert not told.gpu.closed.is_set()
    assert told.log() == [("gpu_telemetry_lost", {"seconds": 18.5, "cause": "the driver does not answer"})]


def test_a_driver_that_answers_after_the_stop_is_let_go(told: Told) -> None:
    told.gpu.may_answer.clear()
    with told.telemetry:
        assert told.gpu.asked.wait(10)
    told.gpu.may_answer.set()
    assert told.gpu.closed.wait(10)


def test_the_thread_samples_again_and_again_and_lets_nvml_go_at_the_end() -> None:
    told = Told(interval_seconds=0.001, stop_seconds=10.0)
    with told.telemetry:
        for _ in range(3):
            told.gpu.asked.clear()
            assert told.gpu.asked.wait(10)
        assert "gpu-telemetry" in {thread.name for thread in threading.enumerate()}
    assert told.gpu.closed.is_set()
    assert "gpu-telemetry" not in {thread.name for thread in threading.enumerate()}


def test_on_a_cpu_nothing_starts_and_nothing_is_logged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu_module, "Gpu", None)
    registry, logger, before = CollectorRegistry(), structlog.testing.CapturingLogger(), threading.active_count()
    with gpu_telemetry("cpu", registry, logger):
        assert list(registry.collect()) == []
        assert threading.active_count() == before
    assert logger.calls == []


@pytest.mark.parametrize("device", ["cuda", "cuda:1"])
def test_on_cuda_the_device_of_the_server_is_reported_while_it_serves(
    device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    gpu, sampled, asked = FakeGpu(), threading.Event(), []

    def memory(name: str) -> TorchMemory:
        asked.append(("memory", name))
        sampled.set()
        return MEMORY

    monkeypatch.setattr(gpu_module, "cuda_device", lambda name: asked.append(("device", name)) or CudaDevice("u", "b"))
    monkeypatch.setattr(gpu_module, "cuda_memory", memory)
    monkeypatch.setattr(gpu_module, "Gpu", lambda uuid, bus_id: gpu if (uuid, bus_id) == ("u", "b") else None)
    registry = CollectorRegistry()
    with gpu_telemetry(device, registry, structlog.testing.CapturingLogger()):
        assert sampled.wait(10)
    assert gpu.closed.wait(10)
    assert asked == [("device", device), ("memory", device)]
    assert list(registry.collect()) == []
    registry.register(GpuTelemetry(gpu, lambda: MEMORY, structlog.testing.CapturingLogger()))
