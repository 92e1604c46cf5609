"""The map from a garment (clothes, hair, eyes, teeth) to the body that it lies on, by nearness in space."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from ...data.snapshot import Snapshot
from ...data.surface_map import SurfaceMap
from ...geometry.arrays import Floats, Singles, unit_rows
from ...geometry.closest_points import closest_points
from ...geometry.filling import fill_biharmonic
from ...geometry.mesh import bounding_diagonal, vertex_normals
from ...geometry.rigid_motions import SAME_PLACE
from ...geometry.smoothing import smooth_along_edges, smoothed_normals
from ...matching.feature_search import precise_points
from ..trust import trusted_vertices
from .garment_normals import normals_away_from_body


@dataclass(frozen=True)
class GarmentMapSettings:
    """How the point of the body beneath each vertex of a garment is found.

    All values are chosen on the clothes of tests/benchmarks/weights.py (results/weights.txt, "clothes"). "Diagonals"
    are those of the body's bounding box; "gap" is the distance between cloth and skin.

    Attributes:
        confidence: confidence from which the closest point is trusted and tells how far the cloth is from the skin.
        aligned: degrees; where the two surfaces' normals differ by more, the point nearest in place and normal is
            taken instead of the closest one.
        worst_angle: degrees; where normals differ by this or more, confidence is 0.
        touching: up to this distance, in diagonals, the direction from skin to cloth means nothing.
        least_gap: smaller gaps count as this, in diagonals.
        crease: degrees; at sharper edges cloth turns over (the rim of a thick cloth).
        fold: a piece of cloth with less than this share of its loose part's faces is a fold, not a side of thick cloth.
        levels: number of gaps for which the skin is inflated.
        place_weight: weight of the neighbors' opinion about the place, beside lying on the normal.
        facing_weight: weight of facing as the cloth does, in gaps: where the inflated skin is folded, so is the cloth.
        rounds_with_neighbors: how many times points are drawn to their neighbors' points.
        smoothing_steps: steps of smoothing each time.
        rounds_alone: how many times points then move to where the normal goes through the cloth.
        candidates: number of vertices of the inflated skin around which each point is looked for. Where the skin is
            squeezed the nearest vertex does not always belong to the nearest triangle.
        beside: how far beside the skin's normal the cloth may lie, in gaps.
    """

    confidence: float = 0.75
    aligned: float = 30.0
    worst_angle: float = 60.0
    touching: float = 0.01
    least_gap: float = 1e-3
    crease: float = 50.0
    fold: float = 0.1
    levels: int = 8
    place_weight: float = 1.0
    facing_weight: float = 0.15
    rounds_with_neighbors: int = 6
    smoothing_steps: int = 3
    rounds_alone: int = 2
    candidates: int = 4
    beside: float = 0.1


@dataclass(frozen=True)
class GarmentMap:
    """Where a garment lies on a body.

    Attributes:
        to_body: for every vertex of the garment the point of the body that it lies on. Its confidence is 1 where cloth
            lies above its point, or where both normals and the direction between the points agree; 0.5 where the worst
            of these is 30 degrees off, 0 from 60 degrees on.
        unsolved: bool (V,), vertices for which continuing from trusted closest points could not be solved, so that they
            were looked for beside the point of the nearest trusted vertex.
    """

    to_body: SurfaceMap
    unsolved: NDArray[np.bool_]


def map_garment(body: Snapshot, garment: Snapshot, settings: GarmentMapSettings = GarmentMapSettings()) -> GarmentMap:
    """Find the point of the body that each vertex of the garment lies on.

    1. :func:`nearest_points_map` takes the closest point of the body, if the two surfaces face the same way there.
    2. The skin is inflated until it reaches the cloth; each point of the cloth belongs to the skin below it. In armpits
       and between legs, where cloth folds, that is far from the closest point. Where the closest point is trusted, it
       tells how far to inflate and roughly where to look; both are continued over the rest of the cloth.
    3. Where cloth folds, a point lies above several places of the skin. Two things decide between them: the inflated
       skin, which folds as the cloth does, must face the same way; and each point is moved towards the points of its
       neighbors, in turns with looking it up on the inflated skin.
    """
    return _map_by_inflating(body, garment, nearest_points_map(body, garment, settings), settings)


def nearest_points_map(
    body: Snapshot, garment: Snapshot, settings: GarmentMapSettings = GarmentMapSettings()
) -> SurfaceMap:
    """For every vertex of the garment the closest point of the body that faces the same way.

    Where the surfaces face different ways at the closest point, the point nearest in position and normal together is
    taken; an opposite normal counts as far as the typical gap is wide. So a trouser leg is not mapped to the other leg.
    Confidence as :class:`GarmentMap` says.
    """
    points, surface = in_body_frame(body, garment)
    faces = body.faces.astype(np.int64)
    diagonal = bounding_diagonal(surface)
    closest = closest_points(points, surface, faces)
    face, barycentric = closest.face, closest.barycentric
    gap = np.sqrt(np.maximum(closest.square, 0))
    body_normals = vertex_normals(surface, body.faces)
    facing = unit_rows(np.einsum("vk,vkd->vd", barycentric, body_normals[faces[face]]))
    cloth_normals = normals_away_from_body(garment, points, closest.point, facing, settings.crease, settings.fold)
    off = np.einsum("vd,vd->v", cloth_normals, facing) < np.cos(np.radians(settings.aligned))
    if off.any():
        reach = max(float(np.median(gap)), settings.least_gap * diagonal)
        rows = np.hstack((surface, reach * body_normals)).astype(np.float32)
        queries = np.hstack((points[off], reach * cloth_normals[off])).astype(np.float32)
        used = np.unique(faces)
        start = used[cKDTree(rows[used]).query(queries)[1]]
        face[off], barycentric[off], _ = precise_points(queries, start, rows, body.faces)
    corners = faces[face]
    mapped = np.einsum("vk,vkd->vd", barycentric, surface[corners])
    facing = unit_rows(np.einsum("vk,vkd->vd", barycentric, body_normals[corners]))
    normal_angle = _degrees_between(cloth_normals, facing)
    away = points - mapped
    touching = np.linalg.norm(away, axis=1) < settings.touching * diagonal
    direction_angle = np.where(touching, 0, _degrees_between(unit_rows(away), facing))
    confidence = np.clip(1 - np.maximum(normal_angle, direction_angle) / settings.worst_angle, 0, 1)
    return _surface_map(body, face, barycentric, confidence)


def in_body_frame(body: Snapshot, garment: Snapshot) -> tuple[Floats, Floats]:
    """The garment's and the body's vertices in the body's frame, the garment where it stands in the world."""
    return garment.vertices + (garment.location - body.location), body.vertices.astype(np.float64)


@dataclass(frozen=True)
class _Cloth:
    """What is known about the garment's vertices.

    Attributes:
        points: float64 (V, 3), in the body's frame.
        normals: float64 (V, 3), away from the body.
        faces: (F, 3).
        gap: float64 (V,), how far each is from the skin below it, inside negative.
    """

    points: Floats
    normals: Floats
    faces: NDArray[np.integer]
    gap: Floats


@dataclass(frozen=True)
class _InflatedSkin:
    """The body's vertices moved along their normals, as rows of a search tree.

    Attributes:
        height: how far they were moved.
        rows: float32 (U, 9): where a vertex is now, where it was (weighted), how the skin faces now (weighted).
        used: int64 (N,), the vertices that have a face.
        tree: of their rows.
        place_tree: the same without the last three columns.
    """

    height: float
    rows: Singles
    used: NDArray[np.int64]
    tree: cKDTree
    place_tree: cKDTree


def _map_by_inflating(
    body: Snapshot, garment: Snapshot, nearest: SurfaceMap, settings: GarmentMapSettings
) -> GarmentMap:
    """The map with points replaced by those whose normal goes through the cloth, where such points are found."""
    points, surface = in_body_frame(body, garment)
    meshes = (surface, body.faces), (points, garment.faces)
    known = trusted_vertices(nearest, *meshes, settings.confidence, check_orientation=False)
    if not known.any():
        return GarmentMap(nearest, np.zeros(len(points), bool))
    body_normals = smoothed_normals(surface, body.faces)
    closest, facing = nearest.pull(surface, body.faces), nearest.pull(body_normals, body.faces)
    cloth_normals = normals_away_from_body(garment, points, closest, unit_rows(facing), settings.crease, settings.fold)
    height = np.einsum("vd,vd->v", points - closest, facing)
    continued = fill_biharmonic(np.column_stack((closest, height)), known, points, garment.faces)
    values = np.asarray(continued.values, np.float64)
    start, gap = values[:, :3], values[:, 3]
    cloth = _Cloth(points, cloth_normals, garment.faces, gap)
    bend = settings.facing_weight * float(np.median(np.abs(gap)))
    heights = np.unique(np.quantile(gap, np.linspace(0, 1, settings.levels)))
    skins = [_inflate(surface, body.faces, body_normals, level, settings.place_weight, bend) for level in heights]
    settled = np.where(known[:, None], closest, np.inf)
    face, barycentric = _find_below(cloth, skins, (surface, body.faces), start, settled, settings)
    corners = body.faces[face]
    away = points - np.einsum("vk,vkd->vd", barycentric, surface[corners])
    normal = unit_rows(np.einsum("vk,vkd->vd", barycentric, body_normals[corners]))
    beside = np.linalg.norm(away - np.einsum("vd,vd->v", away, normal)[:, None] * normal, axis=1)
    diagonal = bounding_diagonal(surface)
    fits = beside < settings.beside * np.abs(gap) + settings.least_gap * diagonal
    # Cloth that is cut out of the skin and lies in it has nothing below it but its own place.
    fits &= np.linalg.norm(points - closest, axis=1) > SAME_PLACE * diagonal
    face = np.where(fits, face, nearest.face)
    barycentric = np.where(fits[:, None], barycentric, nearest.barycentric)
    to_body = _surface_map(body, face, barycentric, np.where(fits, 1, nearest.confidence))
    return GarmentMap(to_body, continued.unsolved)


def _inflate(
    surface: Floats,
    faces: NDArray[np.integer],
    normals: Floats,
    height: float,
    place_weight: float,
    facing_weight: float,
) -> _InflatedSkin:
    """The skin with every vertex moved by ``height`` along its normal."""
    skin = surface + height * normals
    rows = np.hstack((skin, place_weight * surface, facing_weight * vertex_normals(skin, faces))).astype(np.float32)
    used = np.unique(faces).astype(np.int64)
    return _InflatedSkin(height, rows, used, cKDTree(rows[used]), cKDTree(rows[used, :6]))


def _find_below(
    cloth: _Cloth,
    skins: list[_InflatedSkin],
    body: tuple[Floats, NDArray[np.integer]],
    start: Floats,
    settled: Floats,
    settings: GarmentMapSettings,
) -> tuple[NDArray[np.int64], Floats]:
    """The point of the body below each vertex of the garment: face int64 (V,) and barycentric coordinates (V, 3).

    Args:
        cloth: the garment.
        skins: the body inflated to several heights.
        body: vertices (U, 3) and faces (F, 3).
        start: (V, 3), places on the body to begin with.
        settled: (V, 3), places that are certain, inf where none is; a point first found there is not moved any more
            until the last rounds.
        settings: what is tuned.
    """
    surface, faces = body
    heights = np.array([skin.height for skin in skins])
    level = np.abs(cloth.gap[:, None] - heights).argmin(axis=1)
    # Points move as far from their level's skin as the cloth is from its own, so that few levels will do.
    lift = (cloth.gap - heights[level])[:, None]
    bend = settings.facing_weight * float(np.median(np.abs(cloth.gap)))
    below, unsettled = start, np.ones(len(start), bool)
    face, barycentric = np.empty(len(start), np.int64), np.empty((len(start), 3))
    for number in range(1 + settings.rounds_with_neighbors + settings.rounds_alone):
        with_neighbors = number <= settings.rounds_with_neighbors
        if number and with_neighbors:
            smoothed = smooth_along_edges(below, cloth.points, cloth.faces, settings.smoothing_steps)
            below = np.where(unsettled[:, None], smoothed, below)
        places = cloth.points - lift * unit_rows(cloth.points - below)
        columns = (places, settings.place_weight * below, bend * cloth.normals)
        queries = np.hstack(columns if with_neighbors else columns[:2]).astype(np.float32)
        for index, skin in enumerate(skins):
            chosen = np.flatnonzero((level == index) & (unsettled | (not with_neighbors)))
            if len(chosen):
                face[chosen], barycentric[chosen] = _nearest_on_skin(queries[chosen], skin, faces, settings.candidates)
        below = np.einsum("vk,vkd->vd", barycentric, surface[faces[face]])
        if number == 0:
            unsettled = np.linalg.norm(below - settled, axis=1) > settings.beside * np.abs(cloth.gap)
    return face, barycentric


def _nearest_on_skin(
    queries: Singles, skin: _InflatedSkin, faces: NDArray[np.integer], candidates: int
) -> tuple[NDArray[np.int64], Floats]:
    """The point of an inflated skin nearest to each query: face int64 (Q,), barycentric coordinates float64 (Q, 3).

    Args:
        queries: float32 (Q, D), as the skin's rows; with D = 6 the direction that it faces does not count.
        skin: the skin.
        faces: (F, 3).
        candidates: around how many vertices each point is looked for.
    """
    dimensions = queries.shape[1]
    tree = skin.tree if dimensions == skin.rows.shape[1] else skin.place_tree
    near = skin.used[tree.query(queries, candidates)[1]]
    count = len(queries)
    rows = skin.rows[:, :dimensions]
    face, barycentric, square = precise_points(np.repeat(queries, candidates, axis=0), near.ravel(), rows, faces)
    best = np.arange(count) * candidates + square.reshape(count, candidates).argmin(axis=1)
    return face[best], barycentric[best]


def _surface_map(
    body: Snapshot, face: NDArray[np.integer], barycentric: Floats, confidence: NDArray[np.floating]
) -> SurfaceMap:
    vertex = np.take_along_axis(body.faces[face], barycentric.argmax(axis=1)[:, None], axis=1)[:, 0]
    return SurfaceMap(
        face.astype(np.int32), barycentric.astype(np.float32), vertex.astype(np.int32), confidence.astype(np.float32)
    )


def _degrees_between(directions: Floats, others: Floats) -> Floats:
    """The angle between unit vectors (V, 3) each, degrees (V,)."""
    return np.asarray(np.degrees(np.arccos(np.clip(np.einsum("vd,vd->v", directions, others), -1, 1))))
