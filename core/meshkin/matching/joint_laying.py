"""Laying of one surface onto another whose joints are known: from where it lies once it is posed onto them.

Where a joint lies in a body neither its form nor its features tell: a wolf's hock and a horse's are bent onto each
other's neighbors as easily. So the source starts where its joints are the target's, and where it lies then remains one
of the things in which a point and its partner have to be near, until the end. Normals, features and closeness settle
what joints cannot tell: faces, fingers, folds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from scipy.spatial import cKDTree

from ..geometry.arrays import AnyFloats, Floats
from ..geometry.rigid_motions import Similarity
from .compared_surfaces import ComparedSurface
from .laying import Laying, LayingSettings, strain_of
from .part_laying import lay_parts_afresh
from .registration import RegisteredMesh, Start, lay_finely, surface_distance

PLACE_RADIUS = 0.05
"""Distance between where the joints bring two points, in square roots of the area, that counts as much as features that
have nothing in common."""


def lay_by_joints(
    source: ComparedSurface,
    target: ComparedSurface,
    posed: Floats,
    tick: Callable[[], None],
    settings: LayingSettings = LayingSettings(),
) -> Laying:
    """Lay the source onto the target, starting where it is posed onto the target's joints.

    Args:
        source, target: the surfaces.
        posed: (V, 3), where the source's vertices lie then, in the frame of the target's meshes.
        tick: called in every round; may raise Cancelled.
        settings: of all stages.
    """
    registration = settings.registration
    starts = _at(source, source.fine, posed)
    ends = _placed(source.fine, starts), _placed(target.fine, target.fine.points)
    fine = lay_finely(*ends, Start(starts, starts), tick, registration)
    fine = lay_parts_afresh(*ends, fine, tick, registration, settings.parts)
    places = np.asarray(source.prolong @ fine)
    rough = _at(source, source.rough, places)
    distance = surface_distance(source.rough, target.rough, rough, registration)
    return Laying(places, source.sense, distance, strain_of(source.rough, rough), 0, upright=True, by_joints=True)


def in_frame_of(surface: ComparedSurface, vertices: AnyFloats, points: AnyFloats) -> Floats:
    """Points (N, 3) of the frame in which a surface's vertices are (V, 3), in the frame of its meshes."""
    there = Similarity.between(np.asarray(vertices, np.float64), surface.vertices)
    return there.apply(np.asarray(points, np.float64))


def _at(surface: ComparedSurface, mesh: RegisteredMesh, places: Floats) -> Floats:
    """Where the points of one of a surface's meshes lie, (P, 3), when its vertices lie at ``places`` (V, 3)."""
    return np.asarray(places[cKDTree(surface.vertices).query(mesh.points)[1]])


def _placed(mesh: RegisteredMesh, places: Floats) -> RegisteredMesh:
    """A mesh whose features tell where the joints bring its points, (P, 3), too."""
    return replace(mesh, features=np.hstack((mesh.features, places / PLACE_RADIUS)))
