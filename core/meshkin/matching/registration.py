"""Registration: a map becomes more precise when one surface is laid onto the other.

Smooth functions carry over the coarse shape only: fingers come out too short, toes run together. So the domain is bent
to where the map sends it, as rigidly as possible (its fingers keep their shape), and then pulled to the nearest points
of the other surface, less and less rigidly. This is non-rigid iterated closest points (Amberg, Romdhani and Vetter,
"Optimal Step Nonrigid ICP Algorithms for Surface Registration", CVPR 2007) with as-rigid-as-possible springs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..base.progress import ProgressCallback, silent
from ..data.surface_map import SurfaceMap
from ..geometry.arap import RigidSprings, laplacian_springs
from ..geometry.arrays import Floats, unit_rows
from ..geometry.closest_points import ClosestPoints, closest_points
from ..geometry.coarsening import coarsen
from ..geometry.laplacian import laplacian
from ..geometry.mesh import clean_faces, surface_area, vertex_normals
from ..geometry.rigid_motions import rigid_alignment
from ..geometry.welding import weld

Mesh = tuple[Floats, NDArray[np.integer]]
"""Vertices float64 (V, 3) and faces (F, 3)."""

_TINY = 1e-30
"""Smallest divisor: keeps a division by an area or a sum of 0 finite."""


@dataclass(frozen=True)
class RegistrationSettings:
    """How a surface is laid onto another one. All values are chosen.

    Attributes:
        lengths: for each stage the length over which the pull is evened out, in square roots of the surface's area:
            the rigidity, which falls.
        first_steps: steps of the first stage, which follows the map.
        later_steps: steps of each later stage, which goes to the nearest points.
        map_share: share of the pull that the map keeps in the later stages.
        confidence_power: power of the confidence with which the map keeps pulling: fingers are hardly pulled by it.
        least_cosine: of the two normals, for a nearest point to pull, and to be taken in the end.
        usual_distance: distance to the nearest point, in medians, at which the point pulls half as much.
        most_distance: distance that may be left for the nearest point to be taken, in square roots of the area.
        lost: confidence below which a point of the map is given up for the nearest one, however that lies: a hand
            whose own answers are wrong still goes where its arm goes.
        damping: pull of a vertex to its last position, which keeps the system regular where nothing else pulls.
        most_vertices: a mesh with more vertices is replaced by a coarser one for the registration.
    """

    lengths: tuple[float, ...] = (0.1, 0.05, 0.05, 0.03, 0.03, 0.02, 0.02)
    first_steps: int = 10
    later_steps: int = 4
    map_share: float = 0.04
    confidence_power: float = 4
    least_cosine: float = 0.3
    usual_distance: float = 3.0
    most_distance: float = 0.03
    lost: float = 0.1
    damping: float = 1e-9
    most_vertices: int = 20_000


def register(
    domain: Mesh,
    surface: Mesh,
    surface_map: SurfaceMap,
    report: ProgressCallback = silent,
    settings: RegistrationSettings = RegistrationSettings(),
) -> SurfaceMap:
    """Return the map with its points where the surfaces lie on each other after registration.

    Points where the surfaces do not lie on each other stay as they were unless their confidence is low; so do those
    without confidence.

    Args:
        domain: vertices (V, 3) and faces of the shape whose vertices are mapped.
        surface: vertices (U, 3) and faces of the shape that they are mapped to.
        surface_map: every domain vertex's point on ``surface``, with a confidence.
        report: is told the share that is done; may raise Cancelled.
        settings: of the registration.
    """
    vertices, faces = surface[0].astype(np.float64), surface[1].astype(np.int64)
    size = float(np.sqrt(surface_area(vertices, faces)))
    laid = _laid_on(domain, (vertices, faces), surface_map, report, settings)
    closest = closest_points(laid, vertices, faces)
    cosine = _normal_cosine((laid, domain[1]), closest, vertex_normals(vertices, faces)[faces[closest.face]])
    fits = (cosine > settings.least_cosine) & (closest.square < (settings.most_distance * size) ** 2)
    fits |= surface_map.confidence < settings.lost
    fits &= surface_map.confidence > 0
    registered = SurfaceMap.at_points(closest.face, closest.barycentric, surface_map.confidence, vertices, faces)
    return SurfaceMap(
        np.where(fits, registered.face, surface_map.face),
        np.where(fits[:, None], registered.barycentric, surface_map.barycentric),
        np.where(fits, registered.vertex, surface_map.vertex),
        surface_map.confidence,
    )


def _laid_on(
    domain: Mesh, surface: Mesh, surface_map: SurfaceMap, report: ProgressCallback, settings: RegistrationSettings
) -> Floats:
    """Return the positions (V, 3) of the domain's vertices after it was laid onto the surface."""
    first, place = weld(domain[0])
    points, faces = domain[0].astype(np.float64)[first], clean_faces(place[domain[1]])
    goals, confidence = surface_map.pull(*surface)[first], surface_map.confidence[first].astype(np.float64)
    if len(np.unique(faces)) <= settings.most_vertices:
        return _lay_on((points, faces), surface, goals, confidence, report, settings)[place]
    coarse = coarsen(points, faces, settings.most_vertices)
    mesh, picked = (coarse.vertices, coarse.faces), coarse.vertex
    moved = _lay_on(mesh, surface, goals[picked], confidence[picked], report, settings)
    laid: Floats = (coarse.prolong @ moved)[place]
    return laid


def _lay_on(
    mesh: Mesh,
    surface: Mesh,
    goals: Floats,
    confidence: Floats,
    report: ProgressCallback,
    settings: RegistrationSettings,
) -> Floats:
    """Return the positions (P, 3) of a mesh's vertices after it was laid onto a surface.

    Args:
        mesh: points (P, 3) and faces, without coincident points.
        surface: vertices (U, 3) and faces.
        goals: (P, 3), where the map sends each point.
        confidence: (P,), of the map.
        report, settings: as :func:`register`.
    """
    points, faces = mesh
    points = points * np.sqrt(surface_area(*surface) / max(surface_area(points, faces), _TINY))
    stiffness, mass = laplacian(points, faces)
    mass = mass / max(float(mass.sum()), _TINY)
    normals = vertex_normals(*surface)
    body = RigidSprings(points, *laplacian_springs(stiffness))
    map_pull = _normalized(confidence**settings.confidence_power * mass)
    pull, targets = _normalized(confidence * mass), goals
    rotation, shift = rigid_alignment(points, goals, pull)
    laid = points @ rotation.T - shift
    rotations = np.broadcast_to(rotation, (len(points), 3, 3))
    for stage, length in enumerate(settings.lengths):
        report("Laying the surfaces on each other", stage / len(settings.lengths))
        if stage:
            nearest, surface_pull = _nearest_pull((laid, faces), surface, normals, mass, settings)
            if nearest is None:
                break
            surface_pull *= 1 - settings.map_share
            kept_pull = settings.map_share * map_pull
            pull = surface_pull + kept_pull
            targets = surface_pull[:, None] * nearest + kept_pull[:, None] * goals
            targets /= np.maximum(pull, _TINY)[:, None]
        hold = pull / length**2
        solve = body.position_solver(hold + settings.damping)
        for _ in range(settings.later_steps if stage else settings.first_steps):
            laid = solve(rotations, hold[:, None] * targets + settings.damping * laid)
            rotations = body.rotations(laid)
    return laid


def _nearest_pull(
    mesh: Mesh, surface: Mesh, normals: Floats, mass: Floats, settings: RegistrationSettings
) -> tuple[Floats | None, Floats]:
    """Return the point of the surface nearest to each of the mesh's points, (P, 3), and how much it pulls, (P,).

    Points that face another way do not pull; if none is left, the first result is None. The pulls sum to 1.

    Args:
        mesh: points (P, 3) and faces.
        surface: vertices (U, 3) and faces.
        normals: (U, 3), of the surface.
        mass: (P,), of the mesh.
        settings: of the registration.
    """
    closest = closest_points(mesh[0], *surface)
    is_facing = _normal_cosine(mesh, closest, normals[surface[1][closest.face]]) > settings.least_cosine
    if not is_facing.any():
        return None, np.zeros(len(mesh[0]))
    distance = np.sqrt(np.maximum(closest.square, 0))
    usual = max(settings.usual_distance * float(np.median(distance[is_facing])), _TINY)
    return closest.point, _normalized(np.where(is_facing, mass / (1 + (distance / usual) ** 2), 0))


def _normal_cosine(mesh: Mesh, closest: ClosestPoints, corner_normals: Floats) -> Floats:
    """Return the cosine (P,) between the normals of a mesh's points and of the closest points of a surface.

    Args:
        mesh: points (P, 3) and faces.
        closest: to these points.
        corner_normals: (P, 3, 3), the surface's normals at the corners of the triangles of the closest points.
    """
    normals = unit_rows(np.einsum("vk,vkd->vd", closest.barycentric, corner_normals))
    return np.asarray(np.einsum("vd,vd->v", normals, vertex_normals(*mesh)))


def _normalized(values: Floats) -> Floats:
    """Return the values divided by their sum."""
    return np.asarray(values / max(float(values.sum()), _TINY))
