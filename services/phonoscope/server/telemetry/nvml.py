"""Reads one GPU's values from NVML, NVIDIA's management library, through its Python binding (pynvml).

Called by `gpu.py`, on its thread: any of these calls may hang with a broken driver. `Nvml` is the part of pynvml that
is used; the unit test has a fake with simulated GPUs.
Reference: https://docs.nvidia.com/deploy/nvml-api/
"""

# ruff: noqa: ANN401, D102, N802  NVML's own names, and its opaque handles

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeVar

import pynvml  # type: ignore[import-untyped]  # generated from C headers, without annotations

_Figure = TypeVar("_Figure")
NvmlError: Final[type[Exception]] = pynvml.NVMLError
# A value that this GPU, driver or container does not provide; others may still be available.
_NOT_TOLD: Final = (
    pynvml.NVMLError_NotSupported,
    pynvml.NVMLError_FunctionNotFound,
    pynvml.NVMLError_NoPermission,
)
_NOT_HERE: Final = (pynvml.NVMLError_NotFound, pynvml.NVMLError_InvalidArgument)


class Nvml(Protocol):
    """The functions of pynvml that are called here; handles are opaque."""

    NVML_TEMPERATURE_GPU: int

    def nvmlInit(self) -> None: ...
    def nvmlShutdown(self) -> None: ...
    def nvmlDeviceGetHandleByUUID(self, uuid: str, /) -> Any: ...
    def nvmlDeviceGetHandleByPciBusId(self, bus_id: str, /) -> Any: ...
    def nvmlDeviceIsMigDeviceHandle(self, device: Any, /) -> int: ...
    def nvmlDeviceGetDeviceHandleFromMigDeviceHandle(self, device: Any, /) -> Any: ...
    def nvmlDeviceGetMigMode(self, device: Any, /) -> Any: ...
    def nvmlDeviceGetIndex(self, device: Any, /) -> int: ...
    def nvmlDeviceGetMemoryInfo(self, device: Any, /) -> Any: ...
    def nvmlDeviceGetUtilizationRates(self, device: Any, /) -> Any: ...
    def nvmlDeviceGetPowerUsage(self, device: Any, /) -> int: ...
    def nvmlDeviceGetTemperature(self, device: Any, sensor: int, /) -> int: ...


@dataclass(frozen=True, slots=True)
class GpuReading:
    """A GPU's values; None for a value that is not available.

    Attributes:
        index: the GPU's number in NVML and nvidia-smi, regardless of CUDA_VISIBLE_DEVICES.
    """

    index: int
    memory_used_bytes: int | None
    memory_total_bytes: int | None
    utilization_ratio: float | None
    power_watts: float | None
    temperature_celsius: float | None


class Gpu:
    """One GPU, found by its permanent identifiers. Opens NVML on the first read, and again after a failure."""

    def __init__(self, uuid: str, pci_bus_id: str, nvml: Nvml = pynvml) -> None:
        self._uuid = uuid
        self._pci_bus_id = pci_bus_id
        self._nvml = nvml
        self._is_open = False
        self._part: Any = None  # the device used: the board, or a MIG slice of it
        self._board: Any = None

    def read(self) -> GpuReading:
        """Returns the current values.

        Raises:
            NvmlError: NVML is missing, does not know this GPU, or has lost it.
        """
        try:
            self._open()
            return self._read()
        except NvmlError:
            self.close()
            raise

    def close(self) -> None:
        """Closes NVML; it may already be lost."""
        if self._is_open:
            self._is_open = False
            with contextlib.suppress(NvmlError):
                self._nvml.nvmlShutdown()

    def _open(self) -> None:
        if self._is_open:
            return
        self._nvml.nvmlInit()
        self._is_open = True
        self._part = self._find()
        is_slice = _unless_untold(lambda: self._nvml.nvmlDeviceIsMigDeviceHandle(self._part))
        self._board = self._nvml.nvmlDeviceGetDeviceHandleFromMigDeviceHandle(self._part) if is_slice else self._part

    def _find(self) -> Any:
        """Returns the handle; CUDA's identifier is the slice's or its board's, depending on the driver."""
        for prefix in ("MIG-", "GPU-"):
            with contextlib.suppress(*_NOT_HERE):
                return self._nvml.nvmlDeviceGetHandleByUUID(prefix + self._uuid)
        return self._nvml.nvmlDeviceGetHandleByPciBusId(self._pci_bus_id)

    def _read(self) -> GpuReading:
        nvml, board = self._nvml, self._board
        memory = (
            None if self._is_board_of_slices() else _unless_untold(lambda: nvml.nvmlDeviceGetMemoryInfo(self._part))
        )
        rates = _unless_untold(lambda: nvml.nvmlDeviceGetUtilizationRates(self._part))
        milliwatts = _unless_untold(lambda: nvml.nvmlDeviceGetPowerUsage(board))
        celsius = _unless_untold(lambda: nvml.nvmlDeviceGetTemperature(board, nvml.NVML_TEMPERATURE_GPU))
        return GpuReading(
            index=nvml.nvmlDeviceGetIndex(board),
            memory_used_bytes=None if memory is None else memory.used,
            memory_total_bytes=None if memory is None else memory.total,
            utilization_ratio=None if rates is None else rates.gpu / 100,
            power_watts=None if milliwatts is None else milliwatts / 1000,
            temperature_celsius=celsius,
        )

    def _is_board_of_slices(self) -> bool:
        """Whether the handle is of a board divided into slices: its memory is not that of our slice."""
        if self._part is not self._board:
            return False
        mode = _unless_untold(lambda: self._nvml.nvmlDeviceGetMigMode(self._board))
        return mode is not None and bool(mode[0])


def _unless_untold(read: Callable[[], _Figure]) -> _Figure | None:
    try:
        return read()
    except _NOT_TOLD:
        return None
