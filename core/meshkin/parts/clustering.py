"""Soft labels: how much each face belongs to each part, by what its features are like."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans

from ..geometry.arrays import AnyFloats, AnyIntegers, Floats, Integers, unit_rows


@dataclass(frozen=True)
class ClusteringSettings:
    """How faces are clustered.

    Attributes:
        restarts: of k-means. Chosen.
        seed: of its random numbers.
        temperature: of the soft labels, beside twice the variance within the clusters. Chosen.
        centers_per_label: at most so many stand for one label that was given. Chosen.
        sampled: rows that a clustering looks at, at most; drawn by their weights from more. Chosen.
    """

    restarts: int = 3
    seed: int = 0
    temperature: float = 0.5
    centers_per_label: int = 4
    sampled: int = 10_000


@dataclass(frozen=True)
class Prototypes:
    """What the parts are like.

    Attributes:
        centers: float64 (P, C).
        labels: int64 (P,), the part that each stands for, from 0.
        variance: mean squared distance of rows from the nearest center of their part.
    """

    centers: Floats
    labels: Integers
    variance: float


def face_rows(features: AnyFloats, faces: AnyIntegers) -> Floats:
    """The rows of faces, (F, C), unit: the means of their corners' features (V, C), themselves made unit rows."""
    rows = unit_rows(np.asarray(features, np.float64))
    means: Floats = unit_rows(rows[faces].mean(axis=1))
    return means


def labeled_prototypes(
    rows: AnyFloats,
    areas: AnyFloats,
    labels: NDArray[np.integer],
    settings: ClusteringSettings = ClusteringSettings(),
) -> Prototypes:
    """What parts with given labels are like: a few centers for each.

    Args:
        rows: (F, C), unit rows.
        areas: (F,), their weights.
        labels: int (F,), from 0; -1 for faces of no part.
        settings: of the number of centers and of k-means.
    """
    centers: list[Floats] = []
    own: list[int] = []
    spread = 0.0
    for label in np.unique(labels[labels >= 0]):
        inside = labels == label
        means, variance = _k_means(rows[inside], areas[inside], settings.centers_per_label, settings)
        centers.append(means)
        own += [int(label)] * len(means)
        spread += variance * float(np.sum(areas[inside]))
    known = np.sum(areas[labels >= 0])
    return Prototypes(np.concatenate(centers), np.asarray(own, np.int64), spread / float(known))


def soft_labels(rows: AnyFloats, prototypes: Prototypes, settings: ClusteringSettings = ClusteringSettings()) -> Floats:
    """How much each face belongs to each part, float64 (F, K), rows sum to 1: the softmax of its nearest centers.

    Args:
        rows: (F, C).
        prototypes: what the parts are like.
        settings: of the temperature.
    """
    centers = prototypes.centers.astype(rows.dtype)
    square = np.einsum("fc,fc->f", rows, rows)[:, None] - 2 * rows @ centers.T + np.einsum("pc,pc->p", centers, centers)
    count = int(prototypes.labels.max()) + 1
    nearest = np.full((len(square), count), np.inf)
    for label in range(count):
        own = prototypes.labels == label
        if own.any():
            nearest[:, label] = square[:, own].min(axis=1)
    least_variance = float(np.finfo(np.float32).eps)
    scaled = -nearest / (2 * settings.temperature * max(prototypes.variance, least_variance))
    shares = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    labels: Floats = shares / shares.sum(axis=1, keepdims=True)
    return labels


def _k_means(rows: AnyFloats, areas: AnyFloats, count: int, settings: ClusteringSettings) -> tuple[Floats, float]:
    """Centers (K, C) of clusters of rows, unit rows, and the mean squared distance of the rows from them."""
    chances = np.asarray(areas, np.float64) / np.sum(areas)
    if len(rows) > settings.sampled:
        drawn = np.random.default_rng(settings.seed).choice(len(rows), settings.sampled, p=chances)
        rows, chances = rows[drawn], np.full(settings.sampled, 1 / settings.sampled)
    distinct = len(np.unique(rows, axis=0))
    means = KMeans(min(count, distinct), n_init=settings.restarts, random_state=settings.seed)
    means.fit(rows, sample_weight=chances)
    return unit_rows(np.asarray(means.cluster_centers_, np.float64)), float(means.inertia_)
