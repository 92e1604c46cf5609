"""Skinning weights read off features: a linear map and a softmax, fitted on the rigged source, applied to any shape.

Source: Uzolas, Eisemann and Kellnhofer, "Surface-Aware Distilled 3D Semantic Features" (SIGGRAPH Asia 2025), the
skinning recipe of its released notebook: no bias, AdamW at 0.1, decay 0.99, 200 epochs. Two things differ here: the
loss is the cross entropy instead of the squared error (measured: half the error on parametric people), and the inputs
are principal components of the features.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from ...data.snapshot import Snapshot
from ...geometry.arrays import Singles
from ...matching.feature_search import sample_evenly
from ...spectral import pca


@dataclass(frozen=True)
class RegressionSettings:
    """How weights are learned from features.

    Attributes:
        learning_rate, decay, epochs: of the optimizer, as in the paper's notebook; ``decay`` multiplies the learning
            rate after every epoch.
        components: number of principal components of the features that are used (chosen).
        samples: number of source vertices that are learned from, about (chosen).
        patches: number of patches that the source is cut into for cross-validation, so that what is held out has no
            neighbors among what is learned from (chosen).
        folds: number of groups of patches that are held out in turn (chosen).
        usable_error: greatest mean absolute error, summed over bones, up to which learned weights are of use: below it
            most of a vertex's weight is on the right bones (chosen; the largest possible error is 2).
    """

    learning_rate: float = 0.1
    decay: float = 0.99
    epochs: int = 200
    components: int = 128
    samples: int = 3000
    patches: int = 60
    folds: int = 3
    usable_error: float = 0.6


@dataclass(frozen=True)
class Comparison:
    """How well two methods predict the weights of held-out patches of the source.

    Attributes:
        learned_error: mean over vertices of the absolute error, summed over bones, of the linear map; 0 to 2.
        copied_error: the same of copying from the vertex of the most similar features, which is the best that a map
            can do.
        usable_error: greatest error up to which learned weights are of use.
    """

    learned_error: float
    copied_error: float
    usable_error: float = RegressionSettings.usable_error

    @property
    def learned_better(self) -> bool:
        """Whether learned weights are better than copied ones, and of use at all."""
        return self.learned_error < min(self.copied_error, self.usable_error)


def predict_weights(
    source_features: NDArray[np.floating],
    target_features: NDArray[np.floating],
    weights: NDArray[np.floating],
    source: Snapshot,
    settings: RegressionSettings = RegressionSettings(),
) -> Singles:
    """The target's weights read off its features alone, float32 (V, B), positive, rows sum to 1.

    Args:
        source_features, target_features: (U, C) and (V, C), comparable.
        weights: (U, B), the source's; rows sum to 1 or are all zero; all-zero rows are not learned from.
        source: for its vertices and faces.
        settings: what is tuned.
    """
    source_inputs, target_inputs = _reduce(source_features, target_features, settings.components)
    sample = _sample_weighted(source, weights, settings.samples)
    return fit_weights(source_inputs[sample], weights[sample], settings)(target_inputs)


def compare_methods(
    source_features: NDArray[np.floating],
    weights: NDArray[np.floating],
    source: Snapshot,
    settings: RegressionSettings = RegressionSettings(),
) -> Comparison:
    """Cross-validate learning and copying on the source: patches of it are held out in turn.

    Arguments as :func:`predict_weights`.
    """
    features, _ = _reduce(source_features, source_features, settings.components)
    sample = _sample_weighted(source, weights, settings.samples)
    features, rows = features[sample], np.asarray(weights[sample], np.float32)
    points = source.vertices[sample]
    generator = np.random.default_rng(0)
    centers = points[generator.choice(len(points), min(settings.patches, len(points)), replace=False)]
    fold = cKDTree(centers).query(points)[1] % settings.folds
    errors: list[tuple[float, float]] = []
    for number in range(settings.folds):
        held, kept = fold == number, fold != number
        if not held.any() or not kept.any():
            continue
        predicted = fit_weights(features[kept], rows[kept], settings)(features[held])
        copied = rows[kept][cKDTree(features[kept]).query(features[held])[1]]
        errors.append((float(np.abs(predicted - rows[held]).sum()), float(np.abs(copied - rows[held]).sum())))
    learned, copied_error = np.sum(errors, axis=0) / max(len(rows), 1) if errors else (2.0, 2.0)
    return Comparison(float(learned), float(copied_error), settings.usable_error)


def fit_weights(
    features: Singles, weights: NDArray[np.floating], settings: RegressionSettings = RegressionSettings()
) -> Callable[[Singles], Singles]:
    """A function from features (V, C) to weights float32 (V, B), fitted to features (N, C) and weights (N, B).

    The same input gives the same function.
    """
    import torch

    inputs = torch.from_numpy(np.ascontiguousarray(features, np.float32))
    expected = torch.from_numpy(np.ascontiguousarray(weights, np.float32))
    matrix = torch.zeros((inputs.shape[1], expected.shape[1]), requires_grad=True)
    optimizer = torch.optim.AdamW([matrix], lr=settings.learning_rate)
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, settings.decay)
    for _ in range(settings.epochs):
        optimizer.zero_grad()
        loss = -(expected * torch.log_softmax(inputs @ matrix, 1)).sum(1).mean()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
    fitted = matrix.detach().numpy()

    def predict(values: Singles) -> Singles:
        scores = np.asarray(values, np.float32) @ fitted
        exponentials = np.exp(scores - scores.max(axis=1, keepdims=True))
        return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True), np.float32)

    return predict


def _reduce(
    source_features: NDArray[np.floating], target_features: NDArray[np.floating], components: int
) -> tuple[Singles, Singles]:
    """Both shapes' features in common principal components, the strongest of which has a standard deviation of 1 on
    the source."""
    basis = pca.basis([source_features, target_features], components)
    source, target = pca.project(basis, source_features), pca.project(basis, target_features)
    scale = np.float32(1 / max(float(source.std(axis=0).max()), 1e-12))
    return source * scale, target * scale


def _sample_weighted(source: Snapshot, weights: NDArray[np.floating], count: int) -> NDArray[np.int64]:
    """About ``count`` vertices that have a weight, spread over the source."""
    weighted = np.flatnonzero(np.asarray(weights).any(axis=1))
    return sample_evenly(source.vertices, source.faces, weighted, count)
