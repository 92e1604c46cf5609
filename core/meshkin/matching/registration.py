"""A map made finer by laying one surface onto the other.

Smooth functions bring over the rough: fingers come out too short, toes run together. So the asking surface is bent to
where the map sends it, as rigidly as it can (its fingers stay fingers), and then drawn, ever more softly, to the
nearest points of the other surface: non-rigid iterated closest points (Amberg, Romdhani and Vetter, "Optimal Step
Nonrigid ICP Algorithms for Surface Registration", CVPR 2007) with as-rigid-as-possible springs.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..base.progress import ProgressCallback, silent
from ..data.surface_map import SurfaceMap
from ..geometry.arap import RigidSprings, laplacian_springs
from ..geometry.arrays import unit_rows
from ..geometry.closest_points import closest_points
from ..geometry.coarsening import coarsen
from ..geometry.laplacian import laplacian
from ..geometry.mesh import clean_faces, surface_area, vertex_normals
from ..geometry.rigid_motions import rigid_alignment
from ..geometry.welding import weld

Floats = NDArray[np.float64]
Surface = tuple[Floats, NDArray[np.integer]]

REACHES = (0.1, 0.05, 0.05, 0.03, 0.03, 0.02, 0.02)
"""How far each stage's pull is evened out over the surface, in square roots of its area."""
FIRST, LATER = 10, 4
"""Steps of the first stage, which follows the map, and of each later one, which goes to the nearest points."""
KEPT = 0.04
"""Share of the pull that the map keeps in the later stages."""
SURE = 4
"""Power of the confidence with which the map keeps pulling: of fingers it hardly does."""
FACING = 0.3
"""Cosine of the normals from which a nearest point pulls, and is taken in the end."""
FAR = 3.0
"""Distance to the nearest point, in medians, from which it pulls half as much or less."""
LEFT = 0.03
"""Distance that may be left where the nearest point is taken, in square roots of the area."""
WEAK = 1e-9
"""Pull of a vertex on its last place, which keeps the system regular where nothing else does."""
LARGEST = 20_000
"""Vertices from which a coarser mesh is laid on instead."""


def registered(domain: Surface, surface: Surface, found: SurfaceMap, report: ProgressCallback = silent) -> SurfaceMap:
    """The map with its points where the surfaces lie on each other after registration; where they do not, as it was.

    Args:
        domain: vertices (V, 3) and faces of the shape that asks.
        surface: of the shape that answers.
        found: every vertex's point on ``surface``, with a confidence.
        report: told the share done; may raise Cancelled.
    """
    places = surface[0].astype(np.float64)
    faces = surface[1].astype(np.int64)
    size = float(np.sqrt(surface_area(places, faces)))
    laid = _laid(domain, (places, faces), found, report)
    closest = closest_points(laid, places, faces)
    square, face, shares = closest.square, closest.face, closest.barycentric
    outward = np.einsum("vk,vkd->vd", shares, vertex_normals(places, faces)[faces[face]])
    facing = np.einsum("vd,vd->v", unit_rows(outward), vertex_normals(laid, domain[1]))
    fits = (facing > FACING) & (square < (LEFT * size) ** 2) & (found.confidence > 0)
    face = np.where(fits, face, found.face)
    shares = np.where(fits[:, None], shares, found.barycentric)
    corners = faces[face]
    middle = np.einsum("vk,vkd->vd", shares, places[corners])
    nearest = np.linalg.norm(places[corners] - middle[:, None], axis=2).argmin(axis=1)[:, None]
    vertex = np.where(fits, np.take_along_axis(corners, nearest, axis=1)[:, 0], found.vertex)
    return SurfaceMap(face.astype(np.int32), shares.astype(np.float32), vertex.astype(np.int32), found.confidence)


def _laid(domain: Surface, surface: Surface, found: SurfaceMap, report: ProgressCallback) -> Floats:
    """Where the vertices of ``domain`` come to lie, (V, 3)."""
    first, place = weld(domain[0])
    points, faces = domain[0].astype(np.float64)[first], clean_faces(place[domain[1]])
    goals, sure = found.pull(*surface)[first], found.confidence[first].astype(np.float64)
    if len(np.unique(faces)) <= LARGEST:
        return _registered(points, faces, surface, goals, sure, report)[place]
    coarse = coarsen(points, faces, LARGEST)
    moved = _registered(coarse.vertices, coarse.faces, surface, goals[coarse.vertex], sure[coarse.vertex], report)
    laid: Floats = (coarse.prolong @ moved)[place]
    return laid


def _registered(
    points: Floats, faces: NDArray[np.integer], surface: Surface, mapped: Floats, sure: Floats, report: ProgressCallback
) -> Floats:
    places, triangles = surface
    points = points * np.sqrt(surface_area(places, triangles) / max(surface_area(points, faces), 1e-30))
    stiffness, mass = laplacian(points, faces)
    mass = mass / max(float(mass.sum()), 1e-30)
    outward = vertex_normals(places, triangles)
    body = RigidSprings(points, *laplacian_springs(stiffness))
    pull, kept = _weights(sure * mass), _weights(sure**SURE * mass)
    turn, shift = rigid_alignment(points, mapped, pull)
    laid, goals = points @ turn.T - shift, mapped
    turns = np.broadcast_to(turn, (len(points), 3, 3))
    for stage, reach in enumerate(REACHES):
        report("Laying the surfaces on each other", stage / len(REACHES))
        if stage:
            closest = closest_points(laid, places, triangles)
            near = closest.point
            normal = np.einsum("vk,vkd->vd", closest.barycentric, outward[triangles[closest.face]])
            facing = np.einsum("vd,vd->v", unit_rows(normal), vertex_normals(laid, faces)) > FACING
            if not facing.any():
                break
            apart = np.sqrt(np.maximum(closest.square, 0))
            usual = max(FAR * float(np.median(apart[facing])), 1e-30)
            drawn = (1 - KEPT) * _weights(np.where(facing, mass / (1 + (apart / usual) ** 2), 0))
            pull = drawn + KEPT * kept
            goals = (drawn[:, None] * near + KEPT * kept[:, None] * mapped) / np.maximum(pull, 1e-30)[:, None]
        hold = pull / reach**2
        solve = body.position_solver(hold + WEAK)
        for _ in range(LATER if stage else FIRST):
            laid = solve(turns, hold[:, None] * goals + WEAK * laid)
            turns = body.rotations(laid)
    return laid


def _weights(values: Floats) -> Floats:
    """The values divided by their sum."""
    return np.asarray(values / max(float(values.sum()), 1e-30))
