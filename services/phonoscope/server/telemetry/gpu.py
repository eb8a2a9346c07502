"""GPU metrics for the metrics endpoint, from NVML and torch's allocator.

Started by `__main__` once the voices are loaded: `with gpu_telemetry(engine.device, registry, logger): …`. On a CPU
nothing starts. A separate thread reads every few seconds and keeps the last good sample; a scrape only reads
that, so a driver that hangs blocks neither a scrape nor the shutdown. What cannot be read is absent, never 0.
"""

import contextlib
import functools
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

import structlog
from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from phonoscope.server.engines.cuda_memory import TorchMemory, cuda_device, cuda_memory
from phonoscope.server.telemetry.nvml import Gpu, GpuReading, NvmlError

INTERVAL_SECONDS: Final = 5.0
LOST_AFTER_INTERVALS: Final = 3.5
STOP_SECONDS: Final = 1.0
Logger = structlog.typing.FilteringBoundLogger


@contextlib.contextmanager
def gpu_telemetry(device: str, registry: CollectorRegistry, logger: Logger) -> Iterator[None]:
    """Exports the figures of `device`, such as "cuda:0", while the context lasts; does nothing for "cpu"."""
    if not device.startswith("cuda"):
        yield
        return
    cuda = cuda_device(device)
    gpu = Gpu(cuda.uuid, cuda.pci_bus_id)
    telemetry = GpuTelemetry(gpu, functools.partial(cuda_memory, device), logger)
    registry.register(telemetry)
    try:
        with telemetry:
            yield
    finally:
        registry.unregister(telemetry)


@dataclass(frozen=True, slots=True)
class _Sample:
    taken_at: float
    reading: GpuReading
    memory: TorchMemory


# The metrics: name, meaning, and how to get the value from the sample.
_GAUGES: Final[tuple[tuple[str, str, Callable[[_Sample], float | None]], ...]] = (
    ("tts_gpu_memory_used_bytes", "GPU memory in use, by all.", lambda s: s.reading.memory_used_bytes),
    ("tts_gpu_memory_total_bytes", "GPU memory that there is.", lambda s: s.reading.memory_total_bytes),
    ("tts_gpu_memory_allocated_bytes", "GPU memory in torch's tensors.", lambda s: s.memory.allocated_bytes),
    ("tts_gpu_memory_reserved_bytes", "GPU memory that torch keeps.", lambda s: s.memory.reserved_bytes),
    ("tts_gpu_utilization_ratio", "Share of time with a kernel running.", lambda s: s.reading.utilization_ratio),
    ("tts_gpu_power_watts", "Power that the GPU draws.", lambda s: s.reading.power_watts),
    ("tts_gpu_temperature_celsius", "Temperature of the GPU.", lambda s: s.reading.temperature_celsius),
)


class GpuTelemetry(Collector):
    """Samples one GPU and exports the last good sample, until that is older than a few intervals.

    Logs one line when sampling fails, `gpu_telemetry_lost` with its cause, and one when it recovers.
    """

    def __init__(
        self,
        gpu: Gpu,
        memory: Callable[[], TorchMemory],
        logger: Logger,
        *,
        interval_seconds: float = INTERVAL_SECONDS,
        stop_seconds: float = STOP_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._gpu = gpu
        self._memory = memory
        self._logger = logger
        self._interval_seconds = interval_seconds
        self._stop_seconds = stop_seconds
        self._clock = clock
        self._last: _Sample | None = None
        self._last_good_at = clock()
        self._failure = ""
        self._is_lost = False
        self._judging = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="gpu-telemetry", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._thread.join(self._stop_seconds)  # bounded: a hanging driver's thread is abandoned

    def sample(self) -> None:
        """Reads the GPU once; blocks for as long as the driver does."""
        try:
            reading, memory = self._gpu.read(), self._memory()
        except (NvmlError, RuntimeError, OSError) as error:  # torch raises RuntimeError when the device has failed
            self._failure = str(error) or type(error).__name__
        else:
            self._failure = ""
            self._last = _Sample(self._clock(), reading, memory)
        self._fresh()

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Yields the families without samples, for the registry."""
        for name, meaning, _figure in _GAUGES:
            yield GaugeMetricFamily(name, meaning, labels=["gpu"])

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yields the families for which the last sample is fresh and has a value."""
        if (sample := self._fresh()) is None:
            return
        for family, (_name, _meaning, figure) in zip(self.describe(), _GAUGES, strict=True):
            if (value := figure(sample)) is not None:
                family.add_metric([str(sample.reading.index)], value)
                yield family

    def _run(self) -> None:
        self.sample()
        while not self._stopping.wait(self._interval_seconds):
            self.sample()
        self._gpu.close()

    def _fresh(self) -> _Sample | None:
        """Returns the last good sample if it is fresh; logs when that changes."""
        with self._judging:
            sample, now = self._last, self._clock()
            if sample is not None:
                self._last_good_at = sample.taken_at
            age_seconds = now - self._last_good_at
            if age_seconds > LOST_AFTER_INTERVALS * self._interval_seconds:
                sample = None
                self._note_lost(age_seconds)
            elif self._is_lost and sample is not None:
                self._is_lost = False
                self._logger.info("gpu_telemetry_back")
            return sample

    def _note_lost(self, age_seconds: float) -> None:
        if not self._is_lost:
            self._is_lost = True
            cause = self._failure or "the driver does not answer"
            self._logger.warning("gpu_telemetry_lost", seconds=round(age_seconds, 1), cause=cause)
