"""The harmonic source: a sum of sines at multiples of F0, with a little noise, or noise alone where F0 is low.

Used by `decoder.py`. Source: Wang et al. 2019 (neural source-filter models, arXiv:1904.12088). The network was trained
on this source, so its constants are not free.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  the usual name

from phonoscope.server.engines.kokoro.config import SAMPLE_RATE_HZ

HARMONICS = 9
LOWEST_VOICED_HZ = 10.0
SINE_AMPLITUDE = 0.1
VOICED_NOISE = 0.003
UNVOICED_NOISE = SINE_AMPLITUDE / 3


class HarmonicSource(nn.Module):
    """Sines that are weighed and squashed.

    Args:
        samples_per_point: samples for each value of F0.
    """

    def __init__(self, samples_per_point: int) -> None:
        super().__init__()
        self.samples_per_point = samples_per_point
        self.l_linear = nn.Linear(HARMONICS, 1)

    def forward(self, f0: Tensor, noise: Tensor) -> Tensor:
        """Returns samples (time,) for F0 in Hz (points,) and standard normal noise (time,).

        Every sine has its own noise in the model; their weighed sum is again normal, so one draw serves all.
        """
        is_voiced = (f0 > LOWEST_VOICED_HZ).float().repeat_interleave(self.samples_per_point)  # (time,)
        weights = self.l_linear.weight[0]  # (harmonics,)
        tone = SINE_AMPLITUDE * (weights @ self._sines(f0)) * is_voiced
        level = torch.where(is_voiced > 0, VOICED_NOISE, UNVOICED_NOISE) * torch.linalg.vector_norm(weights)
        return torch.tanh(tone + level * noise + self.l_linear.bias)

    def _sines(self, f0: Tensor) -> Tensor:
        """Returns each harmonic (harmonics, time); phases are added up at the rate of F0, in its precision."""
        multiples = torch.arange(1, HARMONICS + 1, device=f0.device)[:, None]
        cycles_per_sample = (f0 * multiples / SAMPLE_RATE_HZ) % 1
        phases = cycles_per_sample.cumsum(dim=1) * (2 * math.pi) * self.samples_per_point
        return F.interpolate(phases[None], scale_factor=float(self.samples_per_point), mode="linear")[0].sin_()
