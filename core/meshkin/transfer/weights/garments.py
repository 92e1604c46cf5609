"""Whether a mesh is a garment: whether it lies on a body, as clothes, hair, eyes and teeth do."""

from __future__ import annotations

from dataclasses import dataclass, field

import igl
import numpy as np
from numpy.typing import NDArray

from ...data.snapshot import Snapshot
from ...geometry.arrays import Floats
from ...geometry.joining import joined_mesh
from ...geometry.mesh import bounding_diagonal
from .garment_map import GarmentMapSettings, in_body_frame, nearest_points_map


@dataclass(frozen=True)
class GarmentSettings:
    """When a mesh is a garment. All values are chosen; "diagonals" are those of the body's bounding box.

    Attributes:
        nearest: how points of the body are found, and what confidence means there.
        outside: how far outside the body a garment may be, in diagonals.
        inside: how far inside it may be (eyes and teeth are), in diagonals.
        suit_inside: how far inside a garment as large as the body may be, in diagonals.
        share: share of the vertices for which these limits must hold.
        small: a mesh whose diagonal is a smaller share of the body's cannot be another character of its kind.
        accessory: a mesh smaller than this (eyes, teeth), in diagonals, need not face as the body does.
        facing: share of the vertices at which anything larger faces as the body does; that of a smaller animal beside
            the body is less.
        confidence: of the nearest point, from which a vertex faces as the body does.
        whole: a mesh that reaches this far in every direction, in extents of the body, is a whole suit or another
            character.
    """

    nearest: GarmentMapSettings = field(default_factory=GarmentMapSettings)
    outside: float = 0.12
    inside: float = 0.04
    suit_inside: float = 0.005
    share: float = 0.95
    small: float = 0.75
    accessory: float = 0.2
    facing: float = 0.4
    confidence: float = 0.4
    whole: float = 0.9


def is_garment(body: Snapshot, mesh: Snapshot, settings: GarmentSettings = GarmentSettings()) -> bool:
    """Whether the mesh lies on the body, where both stand in the world: a garment, hair, eyes, a suit.

    Nearly all of its vertices are near the body; it is smaller than the body, or nowhere inside it; unless it is very
    small it faces as the body beneath it does; and if it reaches as far as the body in every direction, the body
    sticks out of it nowhere. Another character in the same place fails one of these tests.
    """
    mesh = joined_mesh(mesh).shape  # both sides of cloth are one
    points, surface = in_body_frame(body, mesh)
    extents = np.ptp(surface, axis=0)
    diagonal = bounding_diagonal(surface)
    depth, distance = _depths(points, surface, body.faces)
    if np.mean(distance <= settings.outside * diagonal) < settings.share:
        return False
    size = bounding_diagonal(points)
    deepest = settings.inside if size < settings.small * diagonal else settings.suit_inside
    if np.mean(depth <= deepest * diagonal) < settings.share:
        return False
    if size >= settings.accessory * diagonal:
        confidence = nearest_points_map(body, mesh, settings.nearest).confidence
        if np.mean(confidence >= settings.confidence) < settings.facing:
            return False
    if (np.ptp(points, axis=0) < settings.whole * extents).any():
        return True
    covered, gap = _depths(surface, points, mesh.faces)
    return bool(np.mean((covered > 0) | (gap <= 2 * settings.suit_inside * diagonal)) >= settings.share)


def _depths(points: Floats, surface: Floats, faces: NDArray[np.integer]) -> tuple[Floats, Floats]:
    """How deep each point is inside a surface, 0 for outside; and how far it is from the surface, (N,) each."""
    square = igl.point_mesh_squared_distance(points, surface, faces.astype(np.int64))[0]
    distance = np.sqrt(np.maximum(square, 0))
    inside = igl.fast_winding_number(surface, faces.astype(np.int64), points) > 0.5
    return np.where(inside, distance, 0), distance
