"""Chooses a sample of an utterance that represents all of it, for estimating the moments of norms.

Used by `windows.py`. Points whose features are alike, such as those of one vowel, form a cluster (k-means, Lloyd
1982); the most typical one stands for all, with their number as its weight. Then the weights change a little, so that
the sample's mean features become those of the utterance (calibration; Deville and Särndal 1992). A sample at even
distances needs several times as many points for moments as good: a few rare sounds decide much of a variance.
"""

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

# Points in a sample. With more, the estimate gains little: docs/kokoro.md has the figures.
SAMPLE_POINTS: Final = 96
# Positions of context on each side of a part; more change nothing.
MARGIN: Final = 20
# Principal components of the features, of the signal and of the source.
SIGNAL_COMPONENTS: Final = 24
SOURCE_COMPONENTS: Final = 8
_SUBSPACE_ROUNDS: Final = 3
_CLUSTER_ROUNDS: Final = 10
_SMALL: Final = 1e-6
# How much a change of weights costs beside a difference of mean features.
_STIFFNESS: Final = 0.01
# The sum of the weights counts this much more than a feature.
_SUM_WEIGHT: Final = 3.0


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """Short parts of an utterance.

    Attributes:
        starts: first position of each, margin included, in positions of the last stage.
        length: positions of each, margins included.
        weights: share of the utterance that each stands for, (parts,).
    """

    starts: tuple[int, ...]
    length: int
    weights: Tensor


def choose_sample(x: Tensor, source: Tensor, points: int) -> Sample:
    """Returns a sample of an utterance.

    Args:
        x: the last stage's signal, (1, channels, 1, time).
        source: spectra, (1, fft + 2, 1, time).
        points: of the utterance, at least 2; time is a multiple of it, and 1.
    """
    features = torch.cat(
        [
            _components(_pooled(x, points), SIGNAL_COMPONENTS),
            _components(_pooled(source, points), SOURCE_COMPONENTS),
        ],
        dim=1,
    )
    chosen, shares = _typical(features, min(SAMPLE_POINTS, points))
    weights = _calibrated(shares, features[chosen], features.mean(dim=0))
    per_point, time = (x.shape[3] - 1) // points, x.shape[3]
    length = min(per_point + 2 * MARGIN, time)
    starts = tuple(min(max(point * per_point - MARGIN, 0), time - length) for point in chosen.tolist())
    return Sample(starts, length, weights)


def _pooled(x: Tensor, points: int) -> Tensor:
    """Returns each channel's mean and mean square over each point, (points, 2 x channels)."""
    by_point = x[0, :, 0, :-1].T.float().reshape(points, -1, x.shape[1])  # (points, positions, channels)
    return torch.cat([by_point.mean(dim=1), by_point.square().mean(dim=1)], dim=1)


def _components(features: Tensor, count: int) -> Tensor:
    """Returns the principal components of features (points, n), (points, count), by subspace iteration."""
    features = (features - features.mean(dim=0)) / (features.std(dim=0) + _SMALL)
    count = min(count, *features.shape)
    start = torch.randn(features.shape[1], count, generator=torch.Generator().manual_seed(0)).to(features.device)
    basis = torch.linalg.qr(start)[0]
    for _ in range(_SUBSPACE_ROUNDS):
        basis = torch.linalg.qr(features.T @ (features @ basis))[0]
    components: Tensor = features @ basis
    return components.div_(components.std() + _SMALL)


def _typical(features: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Returns the most typical point of each of `count` clusters or fewer, and the share of points in it."""
    points = len(features)
    centres = features[((torch.arange(count) + 0.5) * (points / count)).long()]
    for _ in range(_CLUSTER_ROUNDS):
        nearest = torch.cdist(features, centres).argmin(dim=1)
        sizes = torch.bincount(nearest, minlength=count)
        sums = torch.zeros_like(centres).index_add_(0, nearest, features)
        centres = torch.where(sizes[:, None] > 0, sums / sizes[:, None].clamp(min=1), centres)
    distances = torch.cdist(features, centres)
    nearest = distances.argmin(dim=1)
    is_own = nearest[:, None] == torch.arange(count, device=features.device)
    typical = torch.where(is_own, distances, torch.inf).argmin(dim=0)
    sizes = is_own.sum(dim=0)
    return typical[sizes > 0], sizes[sizes > 0] / points


def _calibrated(weights: Tensor, features: Tensor, target: Tensor) -> Tensor:
    """Returns weights with which the mean of features (parts, n) comes near the target (n,); none is negative."""
    total = features.new_tensor([_SUM_WEIGHT])
    rows = torch.cat([features, total.expand(len(features), 1)], dim=1).T  # (n + 1, parts)
    lacking = torch.cat([target, total]) - rows @ weights
    scaled = rows * weights
    products = scaled @ scaled.T
    eye = torch.eye(len(products), device=products.device)
    change = scaled.T @ torch.linalg.solve(products + _STIFFNESS * products.trace() / len(products) * eye, lacking)
    calibrated: Tensor = (weights * (1 + change)).clamp(min=0)
    return calibrated.div_(calibrated.sum())
