"""A shape brought into another's pose through their map, without any rig."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import csgraph
from scipy.spatial import cKDTree

from ...base.progress import ProgressCallback, silent
from ...data.snapshot import Snapshot
from ...data.surface_map import SurfaceMap
from ...geometry.arap import RigidSprings, laplacian_springs
from ...geometry.laplacian import laplacian
from ...geometry.mesh import clean_faces, edges, surface_area
from ...geometry.rigid_motions import rigid_alignment
from ...geometry.welding import weld
from ..trust import TrustSettings, trusted_vertices

Floats = NDArray[np.float64]

STAGES = ((0.02, 10), (0.05, 10), (0.1, 10), (1.0, 3))
"""How far the map's pull is evened out over the surface, in square roots of its area, and how many steps that is done:
first the pose is followed closely, in the end the target's own lengths count most, turned as they are by then."""
SURE = 0.4
"""A loose part of which a smaller share is relied on follows what it lies on."""
TOUCH = 0.015
"""Distance at which a loose part holds half as fast to what it lies on, in square roots of the area."""
HOLDS = 4
"""Vertices of other parts that each vertex of a loose part holds to."""
LARGE = 0.02
"""Share of the area from which a loose part is one that others may lie on."""
WEAK = 1e-7
"""Pull of the first guess on every vertex, which keeps the system regular where nothing else does."""


@dataclass(frozen=True)
class Posed:
    """A shape in another's pose.

    Attributes:
        vertices: float32 (V, 3).
        known: bool (V,), those that the map was relied on at.
        stretch: mean relative change of the edges' lengths.
    """

    vertices: NDArray[np.float32]
    known: NDArray[np.bool_]
    stretch: float


def pose(
    source: Snapshot,
    target: Snapshot,
    to_source: SurfaceMap,
    threshold: float = TrustSettings.confidence,
    report: ProgressCallback = silent,
) -> Posed:
    """Bring the target into the pose of the source.

    As rigid as possible (Sorkine and Alexa, "As-Rigid-As-Possible Surface Modeling", SGP 2007: rotations and places in
    turn), each trusted vertex drawn to its point on the source. These points are moved and scaled, along with the
    solution, to where they lie nearest to it, so the target keeps its size; those that the others contradict are
    drawn less. Vertices that the map cannot be relied on at go with the others, and loose parts with what they lie on.

    Args:
        source, target: the two shapes, both in world axes.
        to_source: every target vertex's point on the source.
        threshold: least confidence; where fewer than half of the vertices have it, the median stands in.
        report: told the share done; may raise Cancelled.

    Returns:
        the target's vertices, turned as the source is in the world, standing at the height and around the place where
        they stood.
    """
    rest = np.asarray(target.vertices, np.float64)
    shapes = (source.vertices, source.faces), (target.vertices, target.faces)
    least = min(threshold, float(np.median(to_source.confidence)))
    known = trusted_vertices(to_source, *shapes, least, TrustSettings.orientation)
    if not known.any():
        known = np.ones(len(rest), bool)
    first, place = weld(target.vertices)
    points, faces = rest[first], clean_faces(place[target.faces])
    area = surface_area(points, faces)
    stiffness, mass = laplacian(points, faces)
    pairs, strength = laplacian_springs(stiffness)
    goals, count = to_source.pull(source.vertices, source.faces), np.bincount(place)
    sureness = np.maximum(to_source.confidence, 1e-6) * known
    weight = np.bincount(place, sureness / sureness[known].mean()) / count
    goals = np.stack([np.bincount(place, goals[:, axis]) / count for axis in range(3)], axis=1)
    part = _parts(pairs, len(points))
    sizes = np.bincount(part, mass)
    sure = np.bincount(part, mass * (weight > 0)) >= SURE * sizes
    sure[sizes.argmax()] = True
    if (weight * sure[part]).any():
        weight = weight * sure[part]
    holds, hold = _holds(points, part, sizes, np.sqrt(area))
    pairs, strength = np.concatenate((pairs, holds)), np.concatenate((strength, hold))
    scale = np.sqrt(area / max(surface_area(source.vertices, source.faces), 1e-30))
    posed = _solve(points, pairs, strength, scale * goals, weight * mass / area, report)[place]
    # It stands where it stood.
    shift = (rest.min(axis=0) + rest.max(axis=0) - posed.min(axis=0) - posed.max(axis=0)) / 2
    shift[2] = rest[:, 2].min() - posed[:, 2].min()
    posed += shift
    return Posed(posed.astype(np.float32), known, stretch(rest, posed, target.faces))


def stretch(rest: Floats, posed: Floats, faces: NDArray[np.integer]) -> float:
    """The mean relative change of the lengths of a mesh's edges, longer ones counting more."""
    one, two = edges(faces).T
    before, after = (np.linalg.norm(points[one] - points[two], axis=1) for points in (rest, posed))
    return float(np.abs(after - before).sum() / max(before.sum(), 1e-30))


def _parts(pairs: NDArray[np.integer], count: int) -> NDArray[np.int32]:
    graph = sparse.coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(count, count))
    parts: NDArray[np.int32] = csgraph.connected_components(graph, directed=False)[1]
    return parts


def _holds(
    points: Floats, part: NDArray[np.integer], sizes: NDArray[np.number], extent: float
) -> tuple[NDArray[np.integer], Floats]:
    """Springs from the vertices of each loose part to the nearest ones of those that are larger."""
    order = np.argsort(-sizes, kind="stable")
    large = order[: max(1, int((sizes[order] >= LARGE * sizes.sum()).sum()))]
    rank = np.full(len(sizes), len(large))
    rank[large] = np.arange(len(large))
    level = rank[part]
    found = []
    for one in range(1, len(large) + 1):  # all small parts at once, at the end
        here, others = np.flatnonzero(level == one), np.flatnonzero(level < one)
        if len(here):
            near = cKDTree(points[others]).query(points[here], min(HOLDS, len(others)))[1].reshape(len(here), -1)
            found.append(np.stack((np.repeat(here, near.shape[1]), others[near.ravel()]), axis=1))
    pairs = np.concatenate(found) if found else np.empty((0, 2), np.int64)
    square = ((points[pairs[:, 0]] - points[pairs[:, 1]]) ** 2).sum(axis=1) / (TOUCH * extent) ** 2
    return pairs, 1 / (1 + square)


def _solve(
    points: Floats,
    pairs: NDArray[np.integer],
    strength: Floats,
    goals: Floats,
    weight: Floats,
    report: ProgressCallback,
) -> Floats:
    """Where springs at rest at ``points`` go when these are drawn to ``goals``, by ``weight`` (summing to about 1)."""
    body = RigidSprings(points, pairs, strength)
    turn, shift = rigid_alignment(points, goals, weight)
    guess = points @ turn.T
    goals = goals + shift
    turns = np.broadcast_to(turn, (len(points), 3, 3))
    places, pull = guess, weight
    for stage, (reach, steps) in enumerate(STAGES):
        solve = body.position_solver(pull / reach**2 + WEAK)
        for step in range(steps):
            report("Posing", (stage + step / steps) / len(STAGES))
            places = solve(turns, (pull / reach**2)[:, None] * goals + WEAK * guess)
            turns = body.rotations(places)
            goals = _drawn_near(goals, places, pull)
        apart = np.linalg.norm(places - goals, axis=1)
        usual = float(np.median(apart[weight > 0])) if weight.any() else 0.0
        pull = weight / (1 + (apart / max(3 * usual, 1e-30)) ** 2)
    return places


def _drawn_near(goals: Floats, places: Floats, weight: Floats) -> Floats:
    """The goals, scaled and moved to where they lie nearest to the places."""
    share = weight / max(float(weight.sum()), 1e-30)
    center, middle = share @ goals, share @ places
    offsets = goals - center
    square = float(share @ (offsets**2).sum(axis=1))
    scale = float(share @ (offsets * (places - middle)).sum(axis=1)) / square if square > 0 else 1.0
    return scale * offsets + middle
