"""The precision of vocoders: chosen by the device, verified against float32 by a perceptual distance.

Used by the engines whose networks are torch's; docs/architecture.md says what each computes in which precision.
"""

import math
from collections.abc import Mapping
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from phonoscope.common.errors import SettingsError
from phonoscope.server.engines.decisions import cpu_conditions
from phonoscope.server.engines.onednn import can_pack_bfloat16

PRECISIONS: Final = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
# Mean difference of two log-mel spectrograms. The smallest differences of level that people notice are about 1 dB.
LARGEST_DISTANCE_DB: Final = 1.0
FFT_SAMPLES: Final = 1024
HOP_SAMPLES: Final = 256
MEL_BANDS: Final = 80
# Levels below this one, 80 dB under a full-scale sine in one band, are not compared.
QUIETEST: Final = 1e-4 * FFT_SAMPLES / 4


def resolve_precision(asked: str, device: torch.device) -> torch.dtype:
    """Returns the precision for "auto", "float32", "bfloat16" or "float16" on a device.

    Raises:
        SettingsError: the name is none of these, or the device has no fast arithmetic of that kind.
    """
    if asked == "auto":
        return _best(device)
    if asked not in PRECISIONS:
        raise SettingsError(f"precision {asked!r} is unknown; use auto, {', '.join(PRECISIONS)}")
    if device.type == "cpu" and asked == "float16":
        raise SettingsError("precision float16 is not supported on a CPU; use auto, float32 or bfloat16")
    if device.type == "cpu" and asked == "bfloat16" and not _cpu_multiplies_bfloat16():
        raise SettingsError(
            "precision bfloat16 needs a CPU with AVX512-BF16 or AMX and a torch with oneDNN; use auto or float32"
        )
    return PRECISIONS[asked]


def _best(device: torch.device) -> torch.dtype:
    if device.type == "cuda":
        return torch.float16
    return torch.bfloat16 if _cpu_multiplies_bfloat16() else torch.float32


def _cpu_multiplies_bfloat16() -> bool:
    """Whether this CPU multiplies bfloat16 faster than float32, and torch uses that."""
    checks = (getattr(torch.cpu, name, None) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"))
    return can_pack_bfloat16() and any(check is not None and bool(check()) for check in checks)


def precision_name(dtype: torch.dtype) -> str:
    """Returns "float32", "bfloat16" or "float16"."""
    return next(name for name, known in PRECISIONS.items() if known == dtype)


def device_conditions(device: torch.device) -> Mapping[str, str]:
    """Returns what identifies a device, for results that `decisions.py` keeps."""
    if device.type != "cuda":
        return cpu_conditions()
    return {"device": torch.cuda.get_device_name(device), "cuda": torch.version.cuda or ""}


def log_mel_distance_db(one: NDArray[np.float32], other: NDArray[np.float32], sample_rate_hz: int) -> float:
    """Returns the mean absolute difference of two waveforms' log-mel spectrograms, in decibels.

    80 bands on the mel scale of O'Shaughnessy (1987), Hann windows of 1024 samples, 256 apart; levels below -80 dB
    count as -80 dB.

    Args:
        one: samples in [-1, 1].
        other: as many samples.
        sample_rate_hz: of both.
    """
    bands = _mel_bands(sample_rate_hz)
    levels = [20 * torch.log10((bands @ _magnitudes(samples)).clamp(min=QUIETEST)) for samples in (one, other)]
    return float((levels[0] - levels[1]).abs().mean())


def _magnitudes(samples: NDArray[np.float32]) -> torch.Tensor:
    spectrum = torch.stft(
        torch.from_numpy(samples),
        FFT_SAMPLES,
        HOP_SAMPLES,
        window=torch.hann_window(FFT_SAMPLES),
        return_complex=True,
        pad_mode="constant",
    )
    return spectrum.abs()  # (bins, hops)


def _mel_bands(sample_rate_hz: int) -> torch.Tensor:
    """Returns triangular bands, (bands, bins), even on the mel scale."""
    top = 2595 * math.log10(1 + sample_rate_hz / 2 / 700)
    edges = 700 * (10 ** (torch.linspace(0, top, MEL_BANDS + 2) / 2595) - 1)
    bins = torch.fft.rfftfreq(FFT_SAMPLES, 1 / sample_rate_hz)
    low, middle, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    return torch.minimum((bins - low) / (middle - low), (high - bins) / (high - middle)).clamp(min=0)
