"""What is worn: the map from a garment (eyes, teeth, hair) to the body that it lies on, by nearness in space."""

from __future__ import annotations

import igl
import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import csgraph
from scipy.spatial import cKDTree

from ...data.snapshot import Snapshot
from ...data.surface_map import SurfaceMap
from ...geometry.arrays import unit_rows
from ...geometry.closest_points import closest_points
from ...geometry.filling import fill_biharmonic
from ...geometry.mesh import edges, face_vectors, vertex_normals
from ...geometry.smoothing import smooth_along_edges, smoothed_normals
from ...geometry.welding import weld
from ...matching.nearest import precise
from .trust import trusted

Floats = NDArray[np.float64]

NEAR = 0.12
"""How far outside the source something worn may be, in diagonals of the source's bounding box."""
DEEP = 0.04
"""How far inside, likewise: eyes and teeth are."""
SKIN = 0.005
"""How far inside a whole suit may be, likewise."""
SHARE = 0.95
"""Share of the target's vertices for which that must hold."""
SMALL = 0.75
"""Something whose diagonal is less than this share of the source's cannot be another character of its kind."""
COVER = 0.9
"""What reaches this far in every direction, in extents of the source, is a whole suit or another character."""
ACCESSORY = 0.2
"""What is smaller than this (eyes, teeth), in diagonals of the source, need not face as the source does."""
AGREE = 0.4
"""Share of the vertices of what is larger at which it faces as the source does; a smaller animal beside it does not."""
CREASE = np.cos(np.radians(50))
"""Across sharper edges a surface turns over (the rim of a thick cloth)."""
SURE = 0.4
"""Confidence from which the closest point says how far the cloth is from the skin."""
NEARBY = 0.3
"""How much the place counts that neighbors say, beside lying on the normal."""
FACING = 0.15
"""How much it counts that the inflated skin faces as the cloth does, in gaps: where it is folded, so is the cloth."""
TOGETHER = 6
"""How often points, where the normals of several places go through the cloth, are drawn to their neighbors'."""
PULL = 3
"""Steps of smoothing, each time."""
FREED = 2
"""How often they are then let go to where the normal goes through the cloth."""
RIVALS = 4
"""Vertices of the inflated skin around which the point is looked for. Where the skin is squeezed the nearest vertex is
not always of the nearest triangle."""
FOLD = 0.1
"""A piece of less than this share of its part's triangles is no side of a thick cloth but a fold."""
LEVELS = 8
"""Different gaps that are looked at."""
ASIDE = 0.1
"""How far beside the skin's normal cloth may lie, in gaps."""


def is_worn(source: Snapshot, target: Snapshot) -> bool:
    """Whether the target lies on the source, where both stand in the world: a garment, hair, eyes, a suit.

    Nearly all of its vertices are within :data:`NEAR` outside or :data:`DEEP` inside the source; and it is smaller
    than the source, or nowhere inside it; unless it is small it faces as the source does beneath; and where it reaches
    as far as the source in every direction, the source sticks out nowhere. Another character in the same place fails
    one of these.
    """
    points, surface = _placed(source, target)
    whole = np.ptp(surface, axis=0)
    box = float(np.linalg.norm(whole))
    depth, distance = _depths(points, surface, source.faces)
    if np.mean(distance <= NEAR * box) < SHARE:
        return False
    size = float(np.linalg.norm(np.ptp(points, axis=0)))
    if np.mean(depth <= (DEEP if size < SMALL * box else SKIN) * box) < SHARE:
        return False
    if size >= ACCESSORY * box and np.mean(_nearest(source, target).confidence >= SURE) < AGREE:
        return False
    if (np.ptp(points, axis=0) < COVER * whole).any():
        return True
    within, away = _depths(surface, points, target.faces)
    return bool(np.mean((within > 0) | (away <= 2 * SKIN * box)) >= SHARE)


def _depths(points: Floats, surface: Floats, faces: NDArray[np.integer]) -> tuple[Floats, Floats]:
    """How far each point is inside a surface, 0 for outside; and how far from it."""
    square = igl.point_mesh_squared_distance(points, surface, faces.astype(np.int64))[0]
    distance = np.sqrt(np.maximum(square, 0))
    inside = igl.fast_winding_number(surface, faces.astype(np.int64), points) > 0.5
    return np.where(inside, distance, 0), distance


def closest(source: Snapshot, target: Snapshot) -> SurfaceMap:
    """For every vertex of the target the point of the source that it lies on.

    This is the closest point where the surfaces face the same way there; else the point nearest in place and normal
    together, a normal turned over being as far as the typical gap is wide: it is not the other leg's then. Cloth that
    is thick, or inside out, is cut at its sharp edges, and each piece faces the way that most of its vertices do; but
    small pieces are folds.

    Then the skin is inflated until it reaches the cloth, whose points belong to what they lie above: in armpits and
    between legs, where cloth folds, that is far from the closest point. How far to inflate, and where about to look,
    is continued from where the closest point is sure. Where cloth folds, a point lies above several places of the
    skin: which it is, the inflated skin tells, which folds as the cloth does and must face the same way, and the
    neighbors, to whose points each is drawn in turns with inflating.

    Returns:
        a map whose confidence is 1 where cloth lies above its point, or both normals and the direction between the
        points agree; 0.5 where the worst of them is 30° off, 0 from 60° on.
    """
    return _below(source, target, _nearest(source, target))


def _below(source: Snapshot, target: Snapshot, found: SurfaceMap) -> SurfaceMap:
    """The map with points replaced by those whose normal goes through the cloth, where these can be told."""
    points, surface = _placed(source, target)
    known = trusted(found, (surface, source.faces), (points, target.faces), SURE)
    if not known.any():
        return found
    outward = smoothed_normals(surface, source.faces)
    at = found.pull(surface, source.faces)
    there = found.pull(outward, source.faces)
    own = _turned(target, points, at, unit_rows(there))
    height = np.einsum("vd,vd->v", points - at, there)
    said = np.asarray(fill_biharmonic(np.column_stack((at, height)), known, points, target.faces).values, np.float64)
    about, gap = said[:, :3], said[:, 3]
    levels = np.unique(np.quantile(gap, np.linspace(0, 1, LEVELS)))
    level = np.abs(gap[:, None] - levels).argmin(axis=1)
    used = np.unique(source.faces).astype(np.int64)
    bend = FACING * float(np.median(np.abs(gap)))
    free, facing = [], []
    for one in levels:
        skin = surface + one * outward
        place = np.hstack((skin, NEARBY * surface, bend * vertex_normals(skin, source.faces))).astype(np.float32)
        facing.append((place, cKDTree(place[used])))
        free.append((place[:, :6], cKDTree(place[used, :6])))
    face, shares = np.empty(len(points), np.int64), np.empty((len(points), 3))
    unsettled = np.ones(len(points), bool)
    for turn in range(1 + TOGETHER + FREED):
        drawn = turn <= TOGETHER
        if 0 < turn <= TOGETHER:
            about = np.where(unsettled[:, None], smooth_along_edges(about, points, target.faces, PULL), about)
        # As far from the level's skin as the cloth is from its own, so that few levels will do.
        moved = points - (gap - levels[level])[:, None] * unit_rows(points - about)
        wanted = np.hstack((moved, NEARBY * about, bend * own) if drawn else (moved, NEARBY * about))
        for number, (place, tree) in enumerate(facing if drawn else free):
            here = np.flatnonzero((level == number) & (unsettled | (not drawn)))
            if len(here):
                asked = wanted[here].astype(np.float32)
                rivals = used[tree.query(asked, RIVALS)[1]]
                face[here], shares[here] = _best(asked, rivals, place, source.faces)
        about = np.einsum("vk,vkd->vd", shares, surface[source.faces[face]])
        if turn == 0:
            # What lies where it is nearest too is settled.
            unsettled = ~known | (np.linalg.norm(about - at, axis=1) > ASIDE * np.abs(gap))
    corners = source.faces[face]
    apart = points - about
    normal = unit_rows(np.einsum("vk,vkd->vd", shares, outward[corners]))
    height = np.einsum("vd,vd->v", apart, normal)
    aside = np.linalg.norm(apart - height[:, None] * normal, axis=1)
    touching = 1e-3 * float(np.linalg.norm(np.ptp(surface, axis=0)))
    fits = aside < ASIDE * np.abs(gap) + touching
    face = np.where(fits, face, found.face)
    shares = np.where(fits[:, None], shares, found.barycentric)
    return _map(source, face, shares, np.where(fits, 1, found.confidence))


def _best(
    asked: NDArray[np.float32], rivals: NDArray[np.int64], place: NDArray[np.float32], faces: NDArray[np.integer]
) -> tuple[NDArray[np.int64], Floats]:
    """Of the points around several vertices each, (Q, K), the nearest to what is asked for: face and shares."""
    count, several = rivals.shape
    face, shares, square = precise(np.repeat(asked, several, axis=0), rivals.ravel(), place, faces)
    best = np.arange(count) * several + square.reshape(count, several).argmin(axis=1)
    return face[best], shares[best]


def _map(source: Snapshot, face: NDArray[np.integer], shares: Floats, confidence: Floats) -> SurfaceMap:
    vertex = np.take_along_axis(source.faces[face], shares.argmax(axis=1)[:, None], axis=1)[:, 0]
    return SurfaceMap(
        face.astype(np.int32), shares.astype(np.float32), vertex.astype(np.int32), confidence.astype(np.float32)
    )


def _nearest(source: Snapshot, target: Snapshot) -> SurfaceMap:
    """The closest point, or where the surfaces face otherwise there the one nearest in place and normal."""
    points, surface = _placed(source, target)
    faces = source.faces.astype(np.int64)
    closest = closest_points(points, surface, faces)
    face, at, shares = closest.face, closest.point, closest.barycentric
    gap = np.sqrt(np.maximum(closest.square, 0))
    outward = vertex_normals(surface, source.faces)
    there = unit_rows(np.einsum("vk,vkd->vd", shares, outward[faces[face]]))
    own = _turned(target, points, at, there)
    off = np.einsum("vd,vd->v", own, there) < np.cos(np.radians(30))
    if off.any():
        reach = max(float(np.median(gap)), 1e-3 * float(np.linalg.norm(np.ptp(surface, axis=0))))
        place = np.hstack((surface, reach * outward)).astype(np.float32)
        asked = np.hstack((points[off], reach * own[off])).astype(np.float32)
        used = np.unique(faces)
        start = used[cKDTree(place[used]).query(asked)[1]]
        face[off], shares[off], _ = precise(asked, start, place, source.faces)
    corners = faces[face]
    at = np.einsum("vk,vkd->vd", shares, surface[corners])
    there = unit_rows(np.einsum("vk,vkd->vd", shares, outward[corners]))
    apart = points - at
    length = np.linalg.norm(apart, axis=1)
    along = np.einsum("vd,vd->v", unit_rows(apart), there)
    touching = length < 0.01 * float(np.linalg.norm(np.ptp(surface, axis=0)))
    angle = np.degrees(np.arccos(np.clip(np.einsum("vd,vd->v", own, there), -1, 1)))
    lean = np.where(touching, 0, np.degrees(np.arccos(np.clip(along, -1, 1))))
    confidence = np.clip(1 - np.maximum(angle, lean) / 60, 0, 1)
    return _map(source, face, shares, confidence)


def _placed(source: Snapshot, target: Snapshot) -> tuple[Floats, Floats]:
    """The target's and the source's vertices in the source's frame, the target where it stands in the world."""
    return target.vertices + (target.location - source.location), source.vertices.astype(np.float64)


def _turned(target: Snapshot, points: Floats, at: Floats, there: Floats) -> Floats:
    """The target's normals, turned over where its piece of surface faces the other way than the source does.

    Pieces end at sharp edges. Nearer vertices have more to say: they are less likely to see another limb. Small pieces
    are folds, which keep the side that most of their connected part has.

    Args:
        points: of the target, (V, 3).
        at, there: places and normals of the source at its vertices, (V, 3).
    """
    own = vertex_normals(points, target.faces)
    gap = np.linalg.norm(points - at, axis=1)
    first, place = weld(target.vertices)
    faces = place[target.faces]
    piece = _pieces(target.vertices[first], faces)
    corners = np.bincount(place, minlength=len(first))
    weight = 1 / (gap**2 + (np.median(gap) or 1.0) ** 2)
    say = np.bincount(place, weight * np.einsum("vd,vd->v", own, there), len(first)) / corners
    vote = np.bincount(np.repeat(piece, 3), say[faces.ravel()])
    sign = np.where(vote < 0, -1.0, 1.0)
    pairs = edges(faces)
    graph = sparse.coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(len(first),) * 2)
    part = csgraph.connected_components(graph, directed=False)[1][faces[:, 0]]
    whole = np.zeros(len(sign), np.int64)
    whole[piece] = part
    most = np.where(np.bincount(part, sign[piece]) < 0, -1.0, 1.0)
    folds = np.bincount(piece) < FOLD * np.bincount(part)[whole]
    sign[folds] = most[whole[folds]]
    turn = np.bincount(faces.ravel(), np.repeat(sign[piece], 3), len(first))
    return own * np.where(turn < 0, -1.0, 1.0)[place][:, None]


def _pieces(vertices: NDArray[np.floating], faces: NDArray[np.integer]) -> NDArray[np.int32]:
    """The number of each face's piece: faces that share an edge at which the surface does not turn sharply."""
    normals = unit_rows(face_vectors(vertices, faces))
    corners = np.concatenate((faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]))
    owner = np.tile(np.arange(len(faces)), 3)
    ordered = np.sort(corners, axis=1)
    key = ordered[:, 0].astype(np.int64) * (int(faces.max(initial=0)) + 1) + ordered[:, 1]
    order = np.argsort(key, kind="stable")
    same = key[order][1:] == key[order][:-1]
    one, two = owner[order][:-1][same], owner[order][1:][same]
    smooth = np.einsum("fd,fd->f", normals[one], normals[two]) > CREASE
    graph = sparse.coo_array((np.ones(smooth.sum()), (one[smooth], two[smooth])), shape=(len(faces),) * 2)
    piece: NDArray[np.int32] = csgraph.connected_components(graph, directed=False)[1]
    return piece
