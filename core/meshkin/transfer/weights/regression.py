"""Skin weights read off features: a linear map and a softmax, fitted on the rigged source, applied to any shape.

Source: Uzolas, Eisemann and Kellnhofer, "Surface-Aware Distilled 3D Semantic Features" (SIGGRAPH Asia 2025), the
skinning recipe of its released notebook: no bias, AdamW at 0.1, decay 0.99, 200 epochs. Here with the cross entropy
instead of the squared error, which halves the error on parametric people, and on principal components.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from ...data.snapshot import Snapshot
from ...features import pca
from ...matching.nearest import spread

Singles = NDArray[np.float32]
Predict = Callable[[Singles], Singles]

COMPONENTS = 128
"""Principal components of the features that are used."""
SAMPLES = 3000
"""Vertices of the source that are learned from, about."""
EPOCHS = 200
PATCHES = 60
"""Patches that the source is cut into, so that what is held out has no neighbors among what is learned from."""
FOLDS = 3
USABLE = 0.6
"""Error up to which learned weights are of use: most of a vertex's weight is on the right bones then."""


@dataclass(frozen=True)
class Comparison:
    """Mean absolute error (summed over bones) of weights predicted for held-out patches of the source.

    Attributes:
        regressor: by the linear map.
        nearest: by copying from the vertex of the most similar features, which is what a match does at best.
    """

    regressor: float
    nearest: float

    @property
    def better(self) -> str:
        """ "features" or "map": weights learned badly are no way, even if copies were worse."""
        return "features" if self.regressor < min(self.nearest, USABLE) else "map"


def predict_weights(
    source_features: NDArray[np.floating],
    target_features: NDArray[np.floating],
    weights: NDArray[np.floating],
    source: Snapshot,
) -> Singles:
    """The target's weights by features alone, float32 (V, B), positive, rows sum to 1.

    Args:
        source_features, target_features: (U, C) and (V, C), comparable.
        weights: (U, B), rows sum to 1 or are all zero; rows without a weight are not learned from.
        source: for its vertices and faces.
    """
    one, two = _reduced(source_features, target_features)
    chosen = _sample(source, weights)
    return fit(one[chosen], weights[chosen])(two)


def compare(source_features: NDArray[np.floating], weights: NDArray[np.floating], source: Snapshot) -> Comparison:
    """Cross-validate both ways on the source: patches held out in turn. Arguments as :func:`predict_weights`."""
    features, _ = _reduced(source_features, source_features)
    chosen = _sample(source, weights)
    features, rows = features[chosen], np.asarray(weights[chosen], np.float32)
    places = source.vertices[chosen]
    generator = np.random.default_rng(0)
    centers = places[generator.choice(len(places), min(PATCHES, len(places)), replace=False)]
    fold = (cKDTree(centers).query(places)[1]) % FOLDS
    errors: list[tuple[float, float]] = []
    for number in range(FOLDS):
        held, kept = fold == number, fold != number
        if not held.any() or not kept.any():
            continue
        predicted = fit(features[kept], rows[kept])(features[held])
        copied = rows[kept][cKDTree(features[kept]).query(features[held])[1]]
        errors.append((float(np.abs(predicted - rows[held]).sum()), float(np.abs(copied - rows[held]).sum())))
    regressor, nearest = np.sum(errors, axis=0) / max(len(rows), 1) if errors else (2.0, 2.0)
    return Comparison(float(regressor), float(nearest))


def fit(features: Singles, weights: NDArray[np.floating]) -> Predict:
    """Fit the linear map to (N, C) features and (N, B) weights; the same input gives the same result."""
    import torch

    inputs = torch.from_numpy(np.ascontiguousarray(features, np.float32))
    wanted = torch.from_numpy(np.ascontiguousarray(weights, np.float32))
    matrix = torch.zeros((inputs.shape[1], wanted.shape[1]), requires_grad=True)
    optimizer = torch.optim.AdamW([matrix], lr=0.1)
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.99)
    for _ in range(EPOCHS):
        optimizer.zero_grad()
        loss = -(wanted * torch.log_softmax(inputs @ matrix, 1)).sum(1).mean()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
    fitted = matrix.detach().numpy()

    def predict(values: Singles) -> Singles:
        scores = np.asarray(values, np.float32) @ fitted
        shares = np.exp(scores - scores.max(axis=1, keepdims=True))
        return np.asarray(shares / shares.sum(axis=1, keepdims=True), np.float32)

    return predict


def _reduced(one: NDArray[np.floating], two: NDArray[np.floating]) -> tuple[Singles, Singles]:
    """Both shapes' features in principal components, the first of which has unit deviation on the first shape."""
    basis = pca.basis([one, two], COMPONENTS)
    first, second = pca.project(basis, one), pca.project(basis, two)
    scale = np.float32(1 / max(float(first.std(axis=0).max()), 1e-12))
    return first * scale, second * scale


def _sample(source: Snapshot, weights: NDArray[np.floating]) -> NDArray[np.int64]:
    weighted = np.flatnonzero(np.asarray(weights).any(axis=1))
    return spread(source.vertices, source.faces, weighted, SAMPLES)
