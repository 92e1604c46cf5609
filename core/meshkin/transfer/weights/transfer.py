"""A transfer of skinning weights from start to end: through the map or learned from features, and checked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...base.progress import ProgressCallback, silent
from ...data.snapshot import Snapshot
from ...data.surface_map import SurfaceMap
from ...geometry.joining import joined_mesh
from .garment_map import map_garment
from .groups import WeightedSurface
from .interpolation import normalize_weights
from .loose_parts import LoosePartWeights, copy_from_corresponding_parts
from .options import WeightOptions
from .problems import WeightProblems, find_problems
from .regression import Comparison, compare_methods, predict_weights
from .skinning import finish_weights, weights_through_map

DOUBTFUL = 0.5
"""Share of inpainted vertices from which a map is doubtful, and learned weights are tried with "auto" (chosen)."""


@dataclass(frozen=True)
class VertexGroups:
    """The weights of a mesh's vertex groups.

    Attributes:
        weights: (U, B), one row for each vertex, one column for each group.
        mirror: int (B,), the group of the other side, -1 for none.
    """

    weights: NDArray[np.floating]
    mirror: NDArray[np.integer]


@dataclass(frozen=True)
class FeaturePair:
    """Features of two shapes, comparable with each other.

    Attributes:
        source, target: (U, C) and (V, C).
    """

    source: NDArray[np.floating]
    target: NDArray[np.floating]


@dataclass(frozen=True)
class TransferredWeights:
    """Skinning weights on the target, and what is to be said about them.

    Attributes:
        weights: float32 (V, B), non-negative, rows sum to 1 (within 1e-6), at most ``limit`` values above zero in each.
        inpainted: bool (V,), where they were continued from the vertices around.
        unsolved: bool (V,), vertices for which continuing could not be solved (a numerically singular mesh), so that
            the nearest vertex stands in: the report should say so.
        learned: whether they were read off features instead of carried through the map.
        comparison: how the two methods do on the source; None if they were not compared.
        problems: bones that came over badly.
    """

    weights: NDArray[np.float32]
    inpainted: NDArray[np.bool_]
    unsolved: NDArray[np.bool_]
    learned: bool
    comparison: Comparison | None
    problems: WeightProblems


def transfer_weights(
    groups: VertexGroups,
    source: Snapshot,
    target: Snapshot,
    to_source: SurfaceMap | None,
    options: WeightOptions = WeightOptions(),
    load_features: Callable[[], FeaturePair] | None = None,
    report: ProgressCallback = silent,
) -> TransferredWeights:
    """Carry the weights of the source's vertex groups to the target, by the method that the options name.

    Args:
        groups: the source's.
        source, target: the two shapes.
        to_source: every target vertex's point on the source; None if the target is a garment that lies on the source.
        options: influence limit, smoothing, least confidence and method.
        load_features: called if features are needed; None if there are none, and the map is used.
        report: told the share done; may raise Cancelled.

    Raises:
        InputError: ``weights-size``, ``weights-limit``, ``no-weights``, as :func:`weights_through_map`.
    """
    report("Carrying weights", 0)
    garment = to_source is None
    unsolved = np.zeros(len(target.vertices), bool)
    if to_source is None:
        joined = joined_mesh(target)
        garment_map = map_garment(source, joined.shape)
        to_source, unsolved = garment_map.to_body.at(joined.place), garment_map.unsolved[joined.place]
    mapped = weights_through_map(groups.weights, source, target, to_source, garment, options)
    weights, inpainted, unsolved = mapped.weights, mapped.inpainted, unsolved | mapped.unsolved
    learned, comparison = False, None
    doubtful = not garment and mapped.inpainted.mean() > DOUBTFUL
    if load_features and (options.method == "features" or (options.method == "auto" and doubtful)):
        report("Learning weights", 0.2)
        features, normalized = load_features(), normalize_weights(groups.weights)
        comparison = compare_methods(features.source, normalized, source)
        learned = options.method == "features" or comparison.learned_better
        if learned:
            predicted = predict_weights(features.source, features.target, normalized, source)
            weights = finish_weights(predicted, target, options)
            inpainted, unsolved = np.zeros(len(weights), bool), np.zeros(len(weights), bool)
    report("Checking weights", 0.8)
    problems = find_problems(source, groups.weights, target, weights, groups.mirror)
    return TransferredWeights(weights, inpainted, unsolved, learned, comparison, problems)


def transfer_loose_parts(
    rows: NDArray[np.floating],
    shape: Snapshot,
    body: Snapshot,
    source: Snapshot,
    to_source: SurfaceMap,
    source_meshes: WeightedSurface,
    options: WeightOptions = WeightOptions(),
) -> LoosePartWeights:
    """Give the loose parts of a mesh the weights of the source's parts that they correspond to, finished.

    Arguments and result as :func:`meshkin.transfer.weights.loose_parts.copy_from_corresponding_parts`, but for
    ``rows`` (V, A): the weights so far may have fewer columns than ``source_meshes.weights`` (W, B); these are the
    first A of its groups. ``options`` gives the influence limit.
    """
    rows = np.pad(rows, ((0, 0), (0, source_meshes.weights.shape[1] - rows.shape[1])))
    copied = copy_from_corresponding_parts(rows, shape, body, source, to_source, source_meshes)
    if not copied.matched.any():
        return LoosePartWeights(rows, copied.matched)
    finished = finish_weights(copied.weights, shape, WeightOptions(limit=options.limit))
    return LoosePartWeights(np.where(copied.matched[:, None], finished, rows), copied.matched)
