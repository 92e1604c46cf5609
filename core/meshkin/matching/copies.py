"""Shapes that are one and the same: moved, turned, scaled, or with vertices in another order. Their map is certain."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.spatial import cKDTree

from ..data.snapshot import Snapshot
from ..data.surface_map import Match, SurfaceMap
from ..geometry.arrays import Flags, Floats, Integers
from ..geometry.closest_points import closest_points
from ..geometry.mesh import bounding_diagonal, edges, face_areas, face_vectors, vertex_normals
from ..geometry.rigid_motions import SAME_PLACE, Similarity, common_similarity

ROUGHLY = 0.02
"""Mean distance of a copy's vertices up to which a first guess of how it lies is refined, in diagonals. Chosen."""
TRIED_VERTICES = 1000
"""Vertices that are looked at to see whether a first guess is right, at most. Chosen."""
REFINEMENTS = 10
"""Most rounds in which a guess is refined to nearest vertices. Chosen: moments of copies leave hardly any to do."""
NORMAL_SHARE = 0.01
"""Weight of the normal beside places when the vertices of a copy are told apart, in diagonals. Chosen: far below a
limb's width, far above :data:`meshkin.geometry.rigid_motions.SAME_PLACE`."""


def match_copy(source: Snapshot, target: Snapshot) -> Match | None:
    """Return the map between two shapes if one is a copy of the other, else None.

    A copy may be moved, turned and scaled, have its vertices in another order, be split or welded along seams, and cut
    into triangles otherwise where it is flat. Every vertex of either shape lies on the other.

    Of a shape that lies on itself in several ways, the copy's vertices tell by their order which is meant, or it is as
    it stands; if neither does, this is no answer.
    """
    tolerance = SAME_PLACE * bounding_diagonal(source.vertices)
    vertices, points = (np.asarray(shape.vertices, np.float64) for shape in (source, target))
    if len(points) == len(vertices):
        motion = common_similarity(points, vertices, tolerance)
        if _are_near(motion.apply(points), vertices, tolerance).all():
            own_number = np.arange(len(points))
            return _same_shape(onto_vertices(source, own_number), onto_vertices(target, own_number), source, target)
    found = []
    for guess in _guesses(source, target):
        refined = _refined(guess, vertices, points, tolerance)
        if refined is not None and (copy := _match_placed(source, target, refined, tolerance)) is not None:
            if np.allclose(refined.rotation, np.eye(3), atol=SAME_PLACE):
                return copy
            found.append(copy)
    return found[0] if len(found) == 1 else None


def _are_near(points: Floats, goals: Floats, tolerance: float) -> Flags:
    near: Flags = np.linalg.norm(points - goals, axis=1) <= tolerance
    return near


def _guesses(source: Snapshot, target: Snapshot) -> Iterator[Similarity]:
    """Yield how the target may lie on the source: as it stands, and with the principal axes of both brought together.

    The four ways of the axes are those without a mirror image.
    """
    center, covariance = _moments(target)
    source_center, source_covariance = _moments(source)
    scale = float(np.sqrt(np.trace(source_covariance) / np.trace(covariance)))
    _, axes = np.linalg.eigh(covariance)
    _, source_axes = np.linalg.eigh(source_covariance)
    source_axes[:, 0] *= np.sign(np.linalg.det(axes) * np.linalg.det(source_axes))
    turns = [np.eye(3)]
    for signs in ((1, 1, 1), (1, -1, -1), (-1, 1, -1), (-1, -1, 1)):
        turns.append(source_axes @ np.diag(signs) @ axes.T)
    for turn in turns:
        yield Similarity(scale, turn, source_center - scale * turn @ center)


def _moments(shape: Snapshot) -> tuple[Floats, Floats]:
    """Return the centroid (3,) and the covariance (3, 3) of a surface, which do not depend on its vertices' number."""
    corners = shape.vertices.astype(np.float64)[shape.faces]
    areas = face_areas(shape.vertices, shape.faces)
    middles = corners.mean(axis=1)
    center = areas @ middles / areas.sum()
    # The mean of x x^T over a triangle is (9 m m^T + sum of c c^T) / 12, of its middle m and its corners c.
    middles, corners = middles - center, corners - center
    squares = 9 * np.einsum("f,fi,fj->ij", areas, middles, middles) + np.einsum(
        "f,fki,fkj->ij", areas, corners, corners
    )
    return center, squares / (12 * areas.sum())


def _refined(guess: Similarity, vertices: Floats, points: Floats, tolerance: float) -> Similarity | None:
    """Return how a copy lies exactly, from a guess; None if that is far off (iterative closest points)."""
    tried = _tried(points)
    tree = cKDTree(vertices)
    motion = guess
    for _ in range(REFINEMENTS):
        distances, nearest = tree.query(motion.apply(tried))
        if distances.mean() > ROUGHLY * bounding_diagonal(vertices):
            return None
        if distances.max() <= tolerance / 10:
            break
        motion = common_similarity(tried, vertices[nearest], tolerance)
    return motion


def _tried(points: Floats) -> Floats:
    """Return some of the points (V, 3), which tell most guesses that are wrong."""
    return points[:: max(1, len(points) // TRIED_VERTICES)]


def _match_placed(source: Snapshot, target: Snapshot, motion: Similarity, tolerance: float) -> Match | None:
    """Return the map of a target that a motion brings onto the source; None where that leaves a vertex beside it."""
    to_source = _onto(source, motion.apply(np.asarray(target.vertices, np.float64)), motion, target, tolerance)
    if to_source is None:
        return None
    back = motion.inverse()
    source_points = back.apply(np.asarray(source.vertices, np.float64))
    to_target = _onto(target, source_points, back, source, tolerance * back.scale)
    return None if to_target is None else _same_shape(to_source, to_target, source, target)


def _onto(
    surface: Snapshot, points: Floats, motion: Similarity, shape: Snapshot, tolerance: float
) -> SurfaceMap | None:
    """Return where a shape's vertices, moved to ``points`` (V, 3), lie on a surface; None if one lies beside it.

    Of several vertices at one place (shells that touch, cloth of two sides) the one with the same neighbors is taken.
    """
    if closest_points(_tried(points), surface.vertices, surface.faces).square.max() > tolerance**2:
        return None
    rows = _vertex_rows(surface, np.asarray(surface.vertices, np.float64), np.eye(3))
    queries = _vertex_rows(shape, points, motion.rotation)
    on_faces = np.unique(surface.faces)
    nearest = on_faces[cKDTree(rows[on_faces]).query(queries)[1]]
    result = onto_vertices(surface, nearest)
    beside = np.flatnonzero(~_are_near(points, rows[nearest, :3], tolerance))
    if len(beside):
        closest = closest_points(points[beside], surface.vertices, surface.faces)
        if closest.square.max() > tolerance**2:
            return None
        on_surface = SurfaceMap.at_points(
            closest.face, closest.barycentric, np.ones(len(beside)), surface.vertices, surface.faces
        )
        result = result.with_rows(beside, on_surface)
    return result


def _vertex_rows(shape: Snapshot, points: Floats, rotation: Floats) -> Floats:
    """Return what tells vertices apart, (V, 9): their place, the middle of their neighbors, and their normal.

    Args:
        shape: the mesh.
        points: (V, 3), its vertices as they are placed.
        rotation: (3, 3), how it was turned for that.
    """
    start, end = edges(shape.faces).T
    count = np.bincount(np.concatenate((start, end)), minlength=len(points))
    around = np.zeros_like(points)
    for one, other in ((start, end), (end, start)):
        for axis in range(3):
            around[:, axis] += np.bincount(one, points[other, axis], len(points))
    middle = np.where(count[:, None] > 0, around / np.maximum(count, 1)[:, None], points)
    normals = vertex_normals(shape.vertices, shape.faces) @ rotation.T
    return np.hstack((points, middle, NORMAL_SHARE * bounding_diagonal(points) * normals))


def onto_vertices(surface: Snapshot, vertices: Integers) -> SurfaceMap:
    """Return the certain map to vertices int (V,) of a surface, each in the largest triangle that it is a corner of.

    A vertex without a triangle is represented by the nearest that has one.
    """
    order = np.argsort(np.linalg.norm(face_vectors(surface.vertices, surface.faces), axis=1), kind="stable")
    place = np.full((len(surface.vertices), 2), -1)
    corners = surface.faces[order]
    place[corners.ravel()] = np.stack((np.repeat(order, 3), np.tile(np.arange(3), len(order))), axis=1)
    stray = np.flatnonzero(place[:, 0] < 0)
    if len(stray):
        on_faces = np.flatnonzero(place[:, 0] >= 0)
        place[stray] = place[on_faces[cKDTree(surface.vertices[on_faces]).query(surface.vertices[stray])[1]]]
    face, corner = place[vertices].T
    barycentric = (corner[:, None] == np.arange(3)).astype(np.float32)
    return SurfaceMap(
        face.astype(np.int32),
        barycentric,
        surface.faces[face, corner].astype(np.int32),
        np.ones(len(vertices), np.float32),
    )


def certain_match(
    to_source: SurfaceMap, to_target: SurfaceMap, source: Snapshot, target: Snapshot, sentence: str
) -> Match:
    """Return the match of two maps that are certain, with the sentence that says why."""
    notes = {"orientation": 1.0, "sided": True, "ambiguous": False, "warnings": [], "sentences": [sentence]}
    return Match(to_source, to_target, source.faces, target.faces, notes)


def _same_shape(to_source: SurfaceMap, to_target: SurfaceMap, source: Snapshot, target: Snapshot) -> Match:
    sentence = f"“{source.name}” and “{target.name}” are the same shape: the match is exact."
    return certain_match(to_source, to_target, source, target, sentence)
