"""A GPU's figures, read off an NVML whose GPUs are not there but whose errors are pynvml's own."""

# ruff: noqa: N802  NVML's own names

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pynvml
import pytest

from phonoscope.server.telemetry.nvml import Gpu, GpuReading

UUID = "0f2a7c44-5d1e-4b0a-9c3d-8e6f10b2a7d5"
SLICE = "7b9d21e0-11f3-5c8e-a2b4-d6f80c1e3a59"
BUS_ID = "00000000:1B:00.0"
GIBIBYTE = 2**30


@dataclass(eq=False)
class FakeBoard:
    uuid: str = UUID
    bus_id: str = BUS_ID
    index: int = 0
    used: int = 3 * GIBIBYTE
    is_cut: bool = False


@dataclass(eq=False)
class FakeSlice:
    uuid: str
    board: FakeBoard
    used: int = GIBIBYTE


@dataclass
class FakeNvml:
    """The part of pynvml that Gpu calls; `failing` maps a function to the error that it raises."""

    parts: list[FakeBoard | FakeSlice] = field(default_factory=lambda: [FakeBoard()])
    failing: dict[str, Exception] = field(default_factory=dict)
    openings: int = 0
    open_count: int = 0
    NVML_TEMPERATURE_GPU: int = pynvml.NVML_TEMPERATURE_GPU

    def _enter(self, function: str) -> None:
        if function in self.failing:
            raise self.failing[function]
        if function != "nvmlInit" and not self.open_count:
            raise pynvml.NVMLError_Uninitialized

    def nvmlInit(self) -> None:
        self._enter("nvmlInit")
        self.openings += 1
        self.open_count += 1

    def nvmlShutdown(self) -> None:
        self.open_count -= 1
        if "nvmlShutdown" in self.failing:
            raise self.failing["nvmlShutdown"]

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> Any:
        self._enter("nvmlDeviceGetHandleByUUID")
        for part in self.parts:
            if uuid == ("GPU-" if isinstance(part, FakeBoard) else "MIG-") + part.uuid:
                return part
        raise pynvml.NVMLError_InvalidArgument if uuid.startswith("MIG-") else pynvml.NVMLError_NotFound

    def nvmlDeviceGetHandleByPciBusId(self, bus_id: str) -> Any:
        self._enter("nvmlDeviceGetHandleByPciBusId")
        for part in self.parts:
            if isinstance(part, FakeBoard) and part.bus_id == bus_id:
                return part
        raise pynvml.NVMLError_NotFound

    def nvmlDeviceIsMigDeviceHandle(self, part: Any) -> int:
        self._enter("nvmlDeviceIsMigDeviceHandle")
        return int(isinstance(part, FakeSlice))

    def nvmlDeviceGetDeviceHandleFromMigDeviceHandle(self, part: Any) -> Any:
        return part.board

    def nvmlDeviceGetMigMode(self, board: Any) -> list[int]:
        self._enter("nvmlDeviceGetMigMode")
        return [int(board.is_cut), 0]

    def nvmlDeviceGetIndex(self, board: Any) -> int:
        self._enter("nvmlDeviceGetIndex")
        assert isinstance(board, FakeBoard)
        return board.index

    def nvmlDeviceGetMemoryInfo(self, part: Any) -> Any:
        self._enter("nvmlDeviceGetMemoryInfo")
        return SimpleNamespace(used=part.used, total=80 * GIBIBYTE, free=0)

    def nvmlDeviceGetUtilizationRates(self, part: Any) -> Any:
        self._enter("nvmlDeviceGetUtilizationRates")
        if isinstance(part, FakeSlice) or part.is_cut:
            raise pynvml.NVMLError_NotSupported
        return SimpleNamespace(gpu=37, memory=4)

    def nvmlDeviceGetPowerUsage(self, board: Any) -> int:
        self._enter("nvmlDeviceGetPowerUsage")
        assert isinstance(board, FakeBoard)
        return 251_500

    def nvmlDeviceGetTemperature(self, board: Any, sensor: int) -> int:
        self._enter("nvmlDeviceGetTemperature")
        assert isinstance(board, FakeBoard)
        assert sensor == pynvml.NVML_TEMPERATURE_GPU
        return 54


WHOLE = GpuReading(
    index=0,
    memory_used_bytes=3 * GIBIBYTE,
    memory_total_bytes=80 * GIBIBYTE,
    utilization_ratio=0.37,
    power_watts=251.5,
    temperature_celsius=54,
)


def test_all_the_fake_has_is_in_pynvml() -> None:
    assert all(hasattr(pynvml, name) for name in dir(FakeNvml) if name.lower().startswith("nvml"))


def test_figures_come_in_bytes_watts_degrees_and_ratios() -> None:
    assert Gpu(UUID, BUS_ID, FakeNvml()).read() == WHOLE


def test_the_gpu_is_found_by_its_uuid_wherever_it_stands() -> None:
    nvml = FakeNvml([FakeBoard(uuid="another", bus_id="another"), FakeBoard(index=1, used=5 * GIBIBYTE)])
    reading = Gpu(UUID, "", nvml).read()
    assert (reading.index, reading.memory_used_bytes) == (1, 5 * GIBIBYTE)


@pytest.mark.parametrize("uuid", ["", "a-uuid-that-nvml-does-not-know"])
def test_a_gpu_without_a_known_uuid_is_found_by_its_bus(uuid: str) -> None:
    nvml = FakeNvml([FakeBoard(uuid="another", bus_id="another"), FakeBoard(index=1)])
    assert Gpu(uuid, BUS_ID, nvml).read().index == 1


def test_a_gpu_that_nvml_does_not_know_is_an_error_and_not_another_gpu() -> None:
    nvml = FakeNvml([FakeBoard(uuid="another", bus_id="another")])
    with pytest.raises(pynvml.NVMLError_NotFound):
        Gpu(UUID, BUS_ID, nvml).read()
    assert nvml.open_count == 0


def test_a_slice_has_memory_of_its_own_and_the_rest_of_its_board() -> None:
    board = FakeBoard(index=2, is_cut=True)
    reading = Gpu(SLICE, BUS_ID, FakeNvml([board, FakeSlice(SLICE, board)])).read()
    assert reading == GpuReading(2, GIBIBYTE, 80 * GIBIBYTE, None, 251.5, 54)


def test_a_board_that_is_cut_does_not_lend_its_memory_to_a_slice() -> None:
    board = FakeBoard(is_cut=True)
    reading = Gpu(UUID, BUS_ID, FakeNvml([board])).read()
    assert (reading.memory_used_bytes, reading.memory_total_bytes) == (None, None)
    assert reading.power_watts == 251.5


@pytest.mark.parametrize(
    "error", [pynvml.NVMLError_NotSupported, pynvml.NVMLError_FunctionNotFound, pynvml.NVMLError_NoPermission]
)
@pytest.mark.parametrize(
    ("function", "absent"),
    [
        ("nvmlDeviceGetMemoryInfo", {"memory_used_bytes", "memory_total_bytes"}),
        ("nvmlDeviceGetUtilizationRates", {"utilization_ratio"}),
        ("nvmlDeviceGetPowerUsage", {"power_watts"}),
        ("nvmlDeviceGetTemperature", {"temperature_celsius"}),
    ],
)
def test_a_figure_that_the_gpu_does_not_give_is_left_out_alone(
    function: str, absent: set[str], error: type[Exception]
) -> None:
    reading = Gpu(UUID, BUS_ID, FakeNvml(failing={function: error()})).read()
    for name in GpuReading.__slots__:
        assert getattr(reading, name) == (None if name in absent else getattr(WHOLE, name))


def test_a_driver_from_before_slices_is_read_like_any_other() -> None:
    old = {
        name: pynvml.NVMLError_FunctionNotFound() for name in ("nvmlDeviceIsMigDeviceHandle", "nvmlDeviceGetMigMode")
    }
    assert Gpu(UUID, BUS_ID, FakeNvml(failing=old)).read() == WHOLE


def test_nvml_is_opened_once_for_many_readings_and_closed_once() -> None:
    nvml = FakeNvml()
    gpu = Gpu(UUID, BUS_ID, nvml)
    for _ in range(3):
        gpu.read()
    assert (nvml.openings, nvml.open_count) == (1, 1)
    gpu.close()
    gpu.close()
    assert nvml.open_count == 0


@pytest.mark.parametrize(
    "function",
    ["nvmlDeviceGetMemoryInfo", "nvmlDeviceGetIndex", "nvmlDeviceGetPowerUsage", "nvmlDeviceGetHandleByUUID"],
)
def test_a_lost_gpu_is_an_error_and_nvml_is_opened_anew_when_it_is_back(function: str) -> None:
    nvml = FakeNvml()
    gpu = Gpu(UUID, BUS_ID, nvml)
    nvml.failing[function] = pynvml.NVMLError_GpuIsLost()
    nvml.failing["nvmlShutdown"] = pynvml.NVMLError_Unknown()
    with pytest.raises(pynvml.NVMLError_GpuIsLost):
        gpu.read()
    assert nvml.open_count == 0
    nvml.failing.clear()
    assert gpu.read() == WHOLE
    assert nvml.openings == 2


def test_without_the_library_every_reading_is_an_error() -> None:
    nvml = FakeNvml(failing={"nvmlInit": pynvml.NVMLError_LibraryNotFound()})
    gpu = Gpu(UUID, BUS_ID, nvml)
    for _ in range(2):
        with pytest.raises(pynvml.NVMLError_LibraryNotFound):
            gpu.read()
    gpu.close()
    assert nvml.open_count == 0
