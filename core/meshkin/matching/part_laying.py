"""Parts beyond a wrist, laid onto their counterparts afresh.

When a whole body is bent onto another one, a hand comes to lie about where the other hand is, and may then bend its
fingers onto the neighbors of those that they belong to: they are as near, and have features as alike. The hand as a
whole tells better. So such a part is taken back to its own shape, moved to where it lies by a similarity alone, and
bent from there at its own scale. Features say nothing at this scale.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from ..geometry.arrays import Floats, Integers
from ..geometry.mesh import surface_area, vertex_normals
from ..geometry.rigid_motions import robust_similarity
from .close_up_part import PartSettings, necked_parts
from .registration import (
    RegisteredMesh,
    RegistrationSettings,
    Start,
    joint_coordinates,
    lay_onto,
    registered_mesh,
    surface_distance,
)


@dataclass(frozen=True)
class PartLayingSettings:
    """Which parts are laid on afresh, and when the result is taken. All values are chosen, on nine pairs of characters.

    Attributes:
        part: of the search for parts.
        least_density: share of the vertices over share of the area that a part has, at least: artists spend vertices on
            hands, and flat stumps gain nothing.
        fewest: points that a part must have on both meshes.
        around: how far it is looked at, in distances from the tip to the neck. From 1 on the new places are mixed with
            the old ones.
        rigid: most median distance between where the part lies and a similarity, in square roots of its area.
        better: the new places are taken if they lie at most this many times as far from the counterpart.
    """

    part: PartSettings = field(default_factory=PartSettings)
    least_density: float = 1.5
    fewest: int = 60
    around: float = 1.2
    rigid: float = 0.1
    better: float = 0.95


def lay_parts_afresh(
    source: RegisteredMesh,
    target: RegisteredMesh,
    points: Floats,
    tick: Callable[[], None],
    registration: RegistrationSettings,
    settings: PartLayingSettings = PartLayingSettings(),
) -> Floats:
    """The source's points (P, 3) after its parts beyond a wrist were laid onto their counterparts afresh.

    Args:
        source, target: the meshes.
        points: (P, 3), where the source lies on the target.
        tick: called in every round; may raise Cancelled.
        registration: of the parts.
        settings: of the parts.
    """
    near = _nearest_points(source, target, points, registration)
    for part in necked_parts(source.points, source.faces, settings.part):
        if part.density >= settings.least_density:
            fields = part.distance, part.distance[near]
            points = _laid_afresh(source, target, points, fields, tick, registration, settings)
    return points


def _nearest_points(
    source: RegisteredMesh, target: RegisteredMesh, points: Floats, registration: RegistrationSettings
) -> Integers:
    """For each point of the target, (Q,), the nearest of the source's points, which lie at (P, 3) and face its way."""
    weights = registration.normal_weight, 0.0
    own, other = (
        joint_coordinates(place, normals, mesh.features[:, :0], registration.final_radius, weights)
        for mesh, place, normals in (
            (source, points, vertex_normals(points, source.faces)),
            (target, target.points, target.normals),
        )
    )
    return np.asarray(cKDTree(own).query(other)[1], np.int64)


def _laid_afresh(  # all that a part is laid on with, and the two kinds of settings
    source: RegisteredMesh,
    target: RegisteredMesh,
    points: Floats,
    fields: tuple[Floats, Floats],
    tick: Callable[[], None],
    registration: RegistrationSettings,
    settings: PartLayingSettings,
) -> Floats:
    """The source's points (P, 3) with one part laid on afresh, or as they are where it does not fit.

    ``fields`` are distances from the part's tip, 1 at its neck: of the source's points, (P,), and of the target's by
    what lies on them, (Q,).
    """
    distance = fields[0]
    (part, part_faces), (counterpart, counterpart_faces) = (
        _cut(mesh, field <= settings.around) for mesh, field in zip((source, target), fields, strict=True)
    )
    if min(len(part), len(counterpart)) < settings.fewest:
        return points
    goals = target.points[counterpart]
    size, center = float(np.sqrt(surface_area(goals, counterpart_faces))), goals.mean(axis=0)
    weight = source.mass[part] * (distance[part] <= 1)
    moved, apart = robust_similarity(source.points[part], points[part], weight)
    if not apart <= settings.rigid * size:
        return points
    ends = [
        registered_mesh((places - center) / size, faces, np.zeros((len(places), 1)))
        for places, faces in ((moved, part_faces), (goals, counterpart_faces))
    ]
    laid = lay_onto(ends[0], ends[1], Start(ends[0].points, ends[0].points), tick, registration)
    before = surface_distance(ends[0], ends[1], (points[part] - center) / size, registration)
    if not laid.distance <= settings.better * before:
        return points
    ramp = np.clip((settings.around - distance[part]) / (settings.around - 1), 0, 1)[:, None]
    result = points.copy()
    result[part] += ramp * (laid.points * size + center - points[part])
    return result


def _cut(mesh: RegisteredMesh, inside: NDArray[np.bool_]) -> tuple[Integers, Integers]:
    """The points with faces inside, (Q,), and these faces with them as corners, (H, 3)."""
    points, corners = np.unique(mesh.faces[inside[mesh.faces].all(axis=1)], return_inverse=True)
    return points.astype(np.int64), corners.reshape(-1, 3).astype(np.int64)
