"""CUDA graphs: a fixed sequence of kernels, recorded once and launched as one. Called by `cuda_graph_runner.py`.

A VITS network has about a thousand small kernels. Launched one by one from Python, each costs some microseconds of
CPU time, more than most of them take on the GPU; a graph is one launch. It reads and writes the memory that it was
recorded with, so callers fill the same tensors and read the same results each time (CUDA C++ Programming Guide, "CUDA
Graphs").
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from phonoscope.server.engines.torch_devices import first_line

Outputs = tuple[Tensor, ...]
# cuDNN and cuBLAS choose algorithms and allocate workspace on their first calls, which a graph must not contain.
RUNS_BEFORE: Final = 2


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """A recorded run: `replay` recomputes `outputs` in place from the current inputs."""

    outputs: Outputs
    replay: Callable[[], None]


class Recorder(Protocol):
    """Records work on a device, and synchronises with it."""

    @property
    def is_recording_graphs(self) -> bool:
        """Whether recording is enabled; if not, work runs kernel by kernel."""

    @property
    def pins(self) -> bool:
        """Whether host memory that is copied to and from the device is pinned."""

    def record(self, run: Callable[[], Outputs]) -> Recording:
        """Records one run.

        Raises:
            RuntimeError: the device is out of memory, or an operation waits for the device.
        """

    def synchronise(self) -> None:
        """Waits until the device has finished all its work.

        Raises:
            RuntimeError: the device failed, now or in any earlier work that it could not recover from.
        """


def device_error(recorder: Recorder) -> str:
    """Returns why the device does not work any more, in a line; "" if it works.

    Some CUDA errors, such as a failed assertion in a kernel, end the process's context on the device: every later call
    returns the same error. Others, such as too little memory, are over once they are raised.
    """
    try:
        recorder.synchronise()
    except RuntimeError as error:
        return first_line(error)
    return ""


class CudaRecorder:
    """Records CUDA graphs on one device, all in one pool of memory, since they run one after another."""

    pins = True

    def __init__(self, device: torch.device, *, uses_graphs: bool) -> None:
        self.is_recording_graphs = uses_graphs
        self._device = device
        self._pool: Any = None

    def record(self, run: Callable[[], Outputs]) -> Recording:
        """Warms up the work on a side stream, then records it."""
        current = torch.cuda.current_stream(self._device)
        aside = torch.cuda.Stream(self._device)  # type: ignore[no-untyped-call]  # torch's stubs
        aside.wait_stream(current)
        with torch.cuda.stream(aside):
            for _ in range(RUNS_BEFORE):
                run()
        current.wait_stream(aside)
        self._pool = self._pool or torch.cuda.graph_pool_handle()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.device(self._device), torch.cuda.graph(graph, pool=self._pool):
            outputs = run()
        return Recording(outputs, graph.replay)

    def synchronise(self) -> None:
        """Waits for the stream that the engine computes on."""
        torch.cuda.current_stream(self._device).synchronize()


class HostRecorder:
    """The fake, for tests without a GPU: records the operations themselves and repeats them on the same tensors.

    As with a graph, Python's decisions during recording are fixed, and results are written to the same tensors.

    Attributes:
        recorded: how many runs were recorded.
        waits: how often `synchronise` was called.
        refuses: makes `record` fail, with this reason.
        is_lost: makes `synchronise` fail.
    """

    pins = False

    def __init__(self, *, uses_graphs: bool = True, refuses: str = "") -> None:
        self.is_recording_graphs = uses_graphs
        self.refuses = refuses
        self.recorded = 0
        self.waits = 0
        self.is_lost = False

    def record(self, run: Callable[[], Outputs]) -> Recording:
        """Records every operation of one run."""
        if self.refuses:
            raise RuntimeError(self.refuses)
        with _Tape() as tape:
            outputs = run()
        self.recorded += 1
        return Recording(outputs, tape.replay)

    def synchronise(self) -> None:
        """Counts the call: work on a CPU is always finished."""
        self.waits += 1
        if self.is_lost:
            raise RuntimeError("CUDA error: device-side assert triggered\nCompile with `TORCH_USE_CUDA_DSA`.")


@dataclass(frozen=True, slots=True, eq=False)
class _Call:
    function: Callable[..., object]
    args: tuple[object, ...]
    kwargs: dict[str, object]
    results: list[Tensor]


class _Tape(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch's stubs
    """The operations of a run, in order, with the very tensors that they read and wrote."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch's stubs
        self._calls: list[_Call] = []

    def __torch_dispatch__(
        self,
        func: Callable[..., object],
        types: object,
        args: tuple[object, ...] = (),
        kwargs: dict[str, object] | None = None,
    ) -> object:
        del types
        result = func(*args, **(kwargs or {}))
        self._calls.append(_Call(func, args, kwargs or {}, _tensors(result)))
        return result

    def replay(self) -> None:
        for call in self._calls:
            again = _tensors(call.function(*call.args, **call.kwargs))
            for held, fresh in zip(call.results, again, strict=True):
                if held.data_ptr() != fresh.data_ptr():  # not a view of its input, nor the input changed in place
                    held.copy_(fresh)


def _tensors(result: object) -> list[Tensor]:
    if isinstance(result, Tensor):
        return [result]
    return [tensor for tensor in result if isinstance(tensor, Tensor)] if isinstance(result, tuple | list) else []
