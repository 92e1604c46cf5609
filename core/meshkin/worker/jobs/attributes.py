"""Jobs about values on a mesh and hair."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from ...base.progress import ProgressCallback
from ...data.snapshot import Snapshot
from ...data.surface_map import Match
from ..requests.arrays import load_array, save_array
from ..requests.attributes import (
    CarryKeyPoints,
    CarryKeyPointsResult,
    CarryStrands,
    CarryStrandsResult,
    CarryValues,
    CarryValuesResult,
    StrandArrays,
    ValuesToCarry,
)

_LAYOUTS: dict[str, str] = {"uv_map": "F32", "offsets": "U3", "detail": "0"}
"""Layouts, as :class:`meshkin.worker.requests.arrays.ArrayBundle` has them, of values that are not numbers by rows."""


def carry_key_points(request: CarryKeyPoints, report: ProgressCallback) -> CarryKeyPointsResult:
    """Carry points on a surface, or within it, to another."""
    from ...transfer.rig.key_points import carried_key_points

    source, target = Snapshot.load(request.source), Snapshot.load(request.target)
    points, to_target = load_array(request.points, "N3"), Match.load(request.map).to_target
    moved = carried_key_points(points, source, target, to_target, lambda share: report("Placing key points", share))
    return CarryKeyPointsResult(save_array(request.output, moved))


def carry_values(request: CarryValues, report: ProgressCallback) -> CarryValuesResult:
    """Carry values of any domain, UV maps, displacements or detail to a target's own mesh."""
    from ...transfer.attributes.lookup import MeshWithEdges
    from ...transfer.attributes.transfer import AttributeValues, transfer_attributes

    source, own = Snapshot.load(request.source), Snapshot.load(request.own)
    to_source = Match.load(request.map).to_source.at(load_array(request.original, "W", W=len(own.vertices)))
    carried = transfer_attributes(
        MeshWithEdges(source, load_array(request.source_edges, "E2")),
        MeshWithEdges(own, load_array(request.own_edges, "E2")),
        to_source,
        [AttributeValues(item.domain, item.kind, _values(item, source)) for item in request.values],
        report=report,
    )
    folded = [
        _folded(item, source, own, result) if item.kind in ("offsets", "detail") else 0.0
        for item, result in zip(request.values, carried, strict=True)
    ]
    return CarryValuesResult(
        tuple(save_array(request.folder / f"carried{number}.npy", result) for number, result in enumerate(carried)),
        tuple(folded),
    )


def _values(item: ValuesToCarry, source: Snapshot) -> NDArray[Any]:
    """The values of the source, as :class:`AttributeValues` has them."""
    layout = _LAYOUTS.get(item.kind, "UC" if item.domain == "POINT" else "NC")
    return load_array(item.values, layout, U=len(source.vertices), F=len(source.faces))


def _folded(item: ValuesToCarry, source: Snapshot, own: Snapshot, offsets: NDArray[Any]) -> float:
    """How much more a displacement folds of the target than of the source."""
    from ...transfer.folds import folded_share

    on_source = 0.0
    if item.kind == "offsets":
        on_source = folded_share(source.vertices, source.vertices + _values(item, source), source.faces)
    return max(folded_share(own.vertices, own.vertices + offsets, own.faces) - on_source, 0.0)


def carry_strands(request: CarryStrands, report: ProgressCallback) -> CarryStrandsResult:
    """Carry hair to a target."""
    from ...transfer.attributes import hair

    match = Match.load(request.map)
    report("Carrying hair", 0)
    source, target = Snapshot.load(request.source), Snapshot.load(request.target)
    points, first = load_array(request.points, "P3"), load_array(request.first, "N")
    carried = hair.transfer_hair(source, target, match.to_target, points, first)
    return CarryStrandsResult(StrandArrays(carried.points, carried.root_uvs).save(request.output))
