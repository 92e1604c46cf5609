"""A transfer of attributes, UV maps and displacements from start to end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...base.progress import ProgressCallback, silent
from ...data.surface_map import SurfaceMap
from ..kept_maps import without_crumbs
from .displacements import surface_detail, transfer_displacements
from .kinds import DETAIL_RADIUS, Domain, Kind
from .lookup import Array, MappedMesh, MeshWithEdges
from .rotations import quaternion_products, quaternions_of_products
from .uv_maps import transfer_uv_map
from .values import (
    transfer_corner_values,
    transfer_edge_values,
    transfer_face_values,
    transfer_point_values,
)


@dataclass(frozen=True)
class AttributeValues:
    """Values of one domain of the source.

    Attributes:
        domain: what has a value each; read for numbers, labels and rotations.
        kind: what they mean.
        values: (N, C), one row for each element of the domain; (F, 3, 2) at triangle corners for a UV map; (U, 3) for
            offsets; not read for detail.
    """

    domain: Domain
    kind: Kind
    values: Array


def transfer_attributes(
    source: MeshWithEdges,
    target: MeshWithEdges,
    to_source: SurfaceMap,
    attributes: Sequence[AttributeValues],
    detail_radius: float = DETAIL_RADIUS,
    report: ProgressCallback = silent,
) -> list[Array]:
    """Carry attributes of the source to the target.

    Args:
        source: the source.
        target: the mesh that values are for; its polygons and corners count its own.
        to_source: every target vertex's point on the source.
        attributes: what to carry.
        detail_radius: sculpted detail is what is smaller than this, in hundredths of the square root of the source's
            area.
        report: told the share done; may raise Cancelled.

    Returns:
        an array for each attribute, in order: (M, C) of the type of its values for numbers and labels, float32 (M, 4)
        for rotations, float32 (corners, 2) for a UV map, float32 (V, 3) for offsets and detail.
    """
    mapped = MappedMesh(source.shape, target.shape, to_source)
    moves = any(attribute.kind in ("detail", "offsets") for attribute in attributes)
    kept = replace(mapped, to_source=without_crumbs(to_source, source.shape, target.shape)) if moves else mapped
    transferred = []
    for number, attribute in enumerate(attributes):
        report("Carrying values", number / len(attributes))
        values = np.asarray(attribute.values)
        if attribute.kind == "uv_map":
            transferred.append(transfer_uv_map(mapped, values.astype(np.float64)))
        elif attribute.kind == "detail":
            detail = surface_detail(source.shape, detail_radius)
            transferred.append(transfer_displacements(kept, detail, reach=0).astype(np.float32))
        elif attribute.kind == "offsets":
            transferred.append(transfer_displacements(kept, values).astype(np.float32))
        elif attribute.kind == "rotations":
            products = quaternion_products(values)
            transferred.append(
                quaternions_of_products(_transfer_values(source, target, mapped, attribute.domain, products, False))
            )
        else:
            labels = attribute.kind == "labels"
            transferred.append(_transfer_values(source, target, mapped, attribute.domain, values, labels))
    return transferred


def _transfer_values(
    source: MeshWithEdges, target: MeshWithEdges, mapped: MappedMesh, domain: Domain, values: Array, labels: bool
) -> Array:
    """Values of a domain of the source on the same domain of the target."""
    if domain == "EDGE":
        return transfer_edge_values(source, target, mapped, values)
    transfer: dict[Domain, Callable[[MappedMesh, Array, bool], Array]] = {
        "POINT": transfer_point_values,
        "CORNER": transfer_corner_values,
        "FACE": transfer_face_values,
    }
    return transfer[domain](mapped, values, labels)
