"""Jobs about skin weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...base.progress import ProgressCallback
from ...data.snapshot import Snapshot
from ...data.surface_map import Match
from ..requests.arrays import load_array
from ..requests.weights import (
    IsGarment,
    IsGarmentResult,
    LoosePartArrays,
    MethodErrors,
    ProblemColumns,
    TransferLooseParts,
    TransferLoosePartsResult,
    TransferWeights,
    TransferWeightsResult,
    WeightArrays,
    WeightedSurfaceArrays,
)

if TYPE_CHECKING:
    from ...transfer.weights.regression import Comparison


def is_garment(request: IsGarment, report: ProgressCallback) -> IsGarmentResult:
    """Whether the target is worn by the source, where both stand."""
    from ...transfer.weights import garments

    report("Comparing places", 0)
    return IsGarmentResult(garments.is_garment(Snapshot.load(request.source), Snapshot.load(request.target)))


def transfer_weights(request: TransferWeights, report: ProgressCallback) -> TransferWeightsResult:
    """Carry weights of the source's vertices to the target's."""
    from ...cache import store as cache
    from ...transfer.weights import transfer

    paths = request.features

    def load_features() -> transfer.FeaturePair:
        return transfer.FeaturePair(*(cache.read(path).features for path in paths or ()))

    source = Snapshot.load(request.source)
    weights = load_array(request.weights, "UB", U=len(source.vertices), B=len(request.mirror))
    result = transfer.transfer_weights(
        transfer.VertexGroups(weights, np.array(request.mirror, np.int64)),
        source,
        Snapshot.load(request.target),
        Match.load(request.map).to_source if request.map else None,
        request.options,
        load_features if paths else None,
        report,
    )
    problems = result.problems
    return TransferWeightsResult(
        WeightArrays(result.weights, result.inpainted, result.unsolved).save(request.output),
        result.learned,
        _errors(result.comparison),
        ProblemColumns(
            missing=tuple(problems.missing.tolist()),
            split=tuple(problems.split.tolist()),
            crossed=tuple(problems.crossed.tolist()),
            missing_share=problems.missing_share,
        ),
    )


def _errors(comparison: Comparison | None) -> MethodErrors | None:
    """None where the methods were not compared, or nothing could be held out."""
    if comparison is None or not np.isfinite([comparison.learned_error, comparison.copied_error]).all():
        return None
    return MethodErrors(float(comparison.learned_error), float(comparison.copied_error))


def transfer_loose_parts(request: TransferLooseParts, report: ProgressCallback) -> TransferLoosePartsResult:
    """Give the loose parts of a shape the weights of the source's parts that they correspond to."""
    from ...transfer.weights import transfer
    from ...transfer.weights.groups import WeightedSurface
    from ...transfer.weights.options import WeightOptions

    meshes = WeightedSurfaceArrays.load(request.meshes)
    target = Snapshot.load(request.target)
    shape = target if request.shape == request.target else Snapshot.load(request.shape)
    result = transfer.transfer_loose_parts(
        load_array(request.weights, "VA", V=len(shape.vertices)),
        shape,
        target,
        Snapshot.load(request.source),
        Match.load(request.map).to_source,
        WeightedSurface(meshes.vertices.astype(np.float64), meshes.faces, meshes.weights),
        WeightOptions(limit=request.limit),
    )
    return TransferLoosePartsResult(LoosePartArrays(result.weights, result.matched).save(request.output))
