"""Loads Piper voices into a VITS engine. Listed in `engines/registry.py`."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Final

from phonoscope.server.engines.cores import usable_cores
from phonoscope.server.engines.decisions import Decisions
from phonoscope.server.engines.loading import EngineKind, LoadedEngine, Loading, Logger
from phonoscope.server.engines.precision import resolve_precision
from phonoscope.server.engines.torch_devices import resolve_device, torch_build
from phonoscope.server.engines.vits.config import PiperVoice
from phonoscope.server.engines.vits.engine import VitsEngine
from phonoscope.server.engines.vits.loading import LoadedVoice, load_voice


def load_vits(paths: Sequence[Path], loading: Loading) -> LoadedEngine | None:
    """Loads voices, NAME.onnx beside NAME.onnx.json, onto the device of the settings.

    OpenMP gives every thread that calls torch a pool of its own, and all pools use a slower wait once their threads
    outnumber the cores: the engine's thread then takes twice as long. So call it on a thread that ends.

    Raises:
        VoiceFileError: a file is invalid, and the settings do not allow skipping it.
        SettingsError: the device does not exist.
    """
    settings = loading.settings
    device = resolve_device(settings.device)

    def load(path: Path) -> tuple[PiperVoice, LoadedVoice]:
        loaded = load_voice(path, device)
        return loaded.voice, loaded

    voices = list(loading.each(paths, str(device), load))
    if not voices:
        return None
    decisions = Decisions(settings.cache_dir)
    engine = VitsEngine(
        voices,
        device,
        threads=settings.threads or usable_cores(),
        precision=resolve_precision(settings.precision, device),
        must_be_faster=settings.precision == "auto" and device.type == "cpu",
        decisions=decisions,
        uses_graphs=settings.cuda_graphs == "auto",
    )
    return LoadedEngine(engine, partial(_log_state, engine, decisions, settings.precision), torch_build())


def _log_state(engine: VitsEngine, decisions: Decisions, asked_precision: str, logger: Logger) -> None:
    """Logs the engine's precision and its number of CUDA graphs."""
    distances_db = {voice: round(distance, 3) for voice, distance in engine.distances_db.items()}
    measured: dict[str, object] = {"log_mel_distances_db": distances_db}
    if engine.speedup is not None:
        measured["speedup"] = round(engine.speedup, 2)
    is_faster = engine.speedup is None or engine.speedup > 1
    if distances_db and engine.precision == "float32" and is_faster:
        logger.warning("precision_refused", asked=asked_precision, **measured)
    else:
        logger.info("precision", precision=engine.precision, **measured)
    if decisions.problem:
        logger.info("cache_unavailable", problem=decisions.problem, advice="set --cache-dir to a writable directory")
    if engine.graphs_refused:
        logger.warning("cuda_graphs_refused", recorded=engine.graphs, reason=engine.graphs_refused)
    elif engine.graphs:
        logger.info("cuda_graphs", recorded=engine.graphs)


VITS: Final = EngineKind("*.onnx", load_vits)
