"""A shape brought into another's pose through their map, without any rig."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from ...base.progress import ProgressCallback, silent
from ...data.snapshot import Snapshot
from ...data.surface_map import SurfaceMap
from ...geometry.adjacency import connected_components
from ...geometry.arap import RigidSprings, laplacian_springs
from ...geometry.arrays import Floats
from ...geometry.laplacian import laplacian
from ...geometry.mesh import bounding_center, clean_faces, edges, surface_area
from ...geometry.rigid_motions import rigid_alignment
from ...geometry.welding import weld
from ..trust import LEAST_CONFIDENCE, TrustSettings, reachable_confidence, trusted_vertices


@dataclass(frozen=True)
class PoseSettings:
    """How a shape is posed.

    All values are chosen on the people of tests/benchmarks/weights.py (results/weights.txt, "poses as shape keys").
    "Sizes" are square roots of the target's surface area.

    Attributes:
        trust: when a vertex of the map is trusted.
        stages: for each stage, over what distance the map's pull is evened out, in sizes, and how many steps it takes.
            In the beginning the pose is followed closely; in the end the target's own edges count most, turned as they
            are by then.
        lost_part: a loose part follows what it lies on if a smaller share of its area than this is trusted.
        touching: distance, in sizes, at which a loose part is held half as strongly by what it lies on as where it
            touches.
        holds: number of vertices of other parts that hold each vertex of a loose part.
        large_part: share of the surface from which other parts may be held by a loose part.
        outlier: a vertex whose pull is this many times farther from its goal than usual pulls half as strongly.
        weak_pull: pull of the first guess on every vertex, beside which the map's pull is about 1; it keeps the system
            regular where nothing else does.
    """

    trust: TrustSettings = field(default_factory=TrustSettings)
    stages: tuple[tuple[float, int], ...] = ((0.02, 10), (0.05, 10), (0.1, 10), (1.0, 3))
    lost_part: float = 0.4
    touching: float = 0.015
    holds: int = 4
    large_part: float = 0.02
    outlier: float = 3.0
    weak_pull: float = 1e-7


@dataclass(frozen=True)
class PosedShape:
    """A shape in another's pose.

    Attributes:
        vertices: float32 (V, 3).
        known: bool (V,), those at which the map was trusted.
        stretch: mean relative change of the edges' lengths.
    """

    vertices: NDArray[np.float32]
    known: NDArray[np.bool_]
    stretch: float


@dataclass(frozen=True)
class _Springs:
    """Pairs of vertices (E, 2) and the strengths (E,) of the springs between them."""

    pairs: NDArray[np.integer]
    strength: Floats

    def with_others(self, others: _Springs) -> _Springs:
        return _Springs(np.concatenate((self.pairs, others.pairs)), np.concatenate((self.strength, others.strength)))


def transfer_pose(
    source: Snapshot,
    target: Snapshot,
    to_source: SurfaceMap,
    threshold: float = LEAST_CONFIDENCE,
    report: ProgressCallback = silent,
    settings: PoseSettings = PoseSettings(),
) -> PosedShape:
    """Bring the target into the pose of the source.

    The target is deformed as rigidly as possible (Sorkine and Alexa, "As-Rigid-As-Possible Surface Modeling", SGP 2007:
    rotations and positions in turn), while each trusted vertex is pulled to its point on the source. These points are
    moved and scaled along with the solution, to where they lie nearest to it, so the target keeps its size; those that
    the others contradict pull less. Vertices at which the map is not trusted follow the others, and loose parts follow
    what they lie on.

    Args:
        source, target: the two shapes, both in world axes.
        to_source: every target vertex's point on the source.
        threshold: least confidence; where fewer than half of the vertices have it, the median stands in.
        report: told the share done; may raise Cancelled.
        settings: what is tuned.

    Returns:
        the target, turned as the source is in the world, at the height and around the place where it stood.
    """
    rest = np.asarray(target.vertices, np.float64)
    meshes = (source.vertices, source.faces), (target.vertices, target.faces)
    confidence = reachable_confidence(to_source, threshold)
    known = trusted_vertices(to_source, *meshes, confidence, settings=settings.trust)
    if not known.any():
        known = np.ones(len(rest), bool)
    first, place = weld(target.vertices)
    points, faces = rest[first], clean_faces(place[target.faces])
    area = surface_area(points, faces)
    stiffness, mass = laplacian(points, faces)
    springs = _Springs(*laplacian_springs(stiffness))
    part = connected_components(springs.pairs, len(points))
    copies = np.bincount(place)
    mapped = to_source.pull(source.vertices, source.faces)
    goals = np.stack([np.bincount(place, mapped[:, axis]) / copies for axis in range(3)], axis=1)
    trust = np.maximum(to_source.confidence, 1e-6) * known
    weight = _without_lost_parts(np.bincount(place, trust / trust[known].mean()) / copies, part, mass, settings)
    springs = springs.with_others(_springs_between_parts(points, part, mass, np.sqrt(area), settings))
    scale = np.sqrt(area / max(surface_area(source.vertices, source.faces), 1e-30))
    posed = _pull_to_goals(points, springs, scale * goals, weight * mass / area, report, settings)[place]
    shift = bounding_center(rest) - bounding_center(posed)
    shift[2] = rest[:, 2].min() - posed[:, 2].min()
    posed += shift
    return PosedShape(posed.astype(np.float32), known, mean_stretch(rest, posed, target.faces))


def mean_stretch(rest: NDArray[np.floating], posed: NDArray[np.floating], faces: NDArray[np.integer]) -> float:
    """The mean relative change of the lengths of a mesh's edges, weighted by length.

    Args:
        rest, posed: (V, 3) each, the vertices before and after.
        faces: (F, 3).
    """
    start, end = edges(faces).T
    before, after = (np.linalg.norm(points[start] - points[end], axis=1) for points in (rest, posed))
    return float(np.abs(after - before).sum() / max(before.sum(), 1e-30))


def _without_lost_parts(weight: Floats, part: NDArray[np.integer], mass: Floats, settings: PoseSettings) -> Floats:
    """The vertices' pulls (V,), 0 in loose parts that are hardly trusted; the largest part keeps its pulls.

    Args:
        weight: (V,), the pulls.
        part: (V,), the loose part of each vertex.
        mass: (V,), the area of each vertex.
        settings: what is tuned.
    """
    areas = np.bincount(part, mass)
    kept = np.bincount(part, mass * (weight > 0)) >= settings.lost_part * areas
    kept[areas.argmax()] = True
    remaining = weight * kept[part]
    return remaining if remaining.any() else weight


def _springs_between_parts(
    points: Floats, part: NDArray[np.integer], mass: Floats, size: float, settings: PoseSettings
) -> _Springs:
    """Springs from the vertices of each loose part to the nearest ones of larger parts.

    Args:
        points: (V, 3).
        part: (V,), the loose part of each vertex.
        mass: (V,), the area of each vertex.
        size: square root of the whole area.
        settings: what is tuned.
    """
    areas = np.bincount(part, mass)
    order = np.argsort(-areas, kind="stable")
    large = order[: max(1, int((areas[order] >= settings.large_part * areas.sum()).sum()))]
    rank = np.full(len(areas), len(large))  # of each part, the largest first; all small parts have the same
    rank[large] = np.arange(len(large))
    rank_of_vertex = rank[part]
    pairs = [np.empty((0, 2), np.int64)]
    for number in range(1, len(large) + 1):
        held, holding = np.flatnonzero(rank_of_vertex == number), np.flatnonzero(rank_of_vertex < number)
        if len(held):
            count = min(settings.holds, len(holding))
            near = cKDTree(points[holding]).query(points[held], count)[1].reshape(len(held), -1)
            pairs.append(np.stack((np.repeat(held, near.shape[1]), holding[near.ravel()]), axis=1))
    links = np.concatenate(pairs)
    square = ((points[links[:, 0]] - points[links[:, 1]]) ** 2).sum(axis=1) / (settings.touching * size) ** 2
    return _Springs(links, 1 / (1 + square))


def _pull_to_goals(
    points: Floats,
    springs: _Springs,
    goals: Floats,
    weight: Floats,
    report: ProgressCallback,
    settings: PoseSettings,
) -> Floats:
    """Where points (V, 3) go that are joined by springs and pulled to their goals.

    Args:
        points: (V, 3), where the springs are at rest.
        springs: between them.
        goals: (V, 3).
        weight: (V,), how strongly each is pulled, summing to about 1.
        report: told the share done.
        settings: what is tuned.
    """
    body = RigidSprings(points, springs.pairs, springs.strength)
    rotation, shift = rigid_alignment(points, goals, weight)
    guess = points @ rotation.T
    goals = goals + shift
    rotations = np.broadcast_to(rotation, (len(points), 3, 3))
    positions, pull = guess, weight
    weak = settings.weak_pull
    for stage, (reach, steps) in enumerate(settings.stages):
        solve = body.position_solver(pull / reach**2 + weak)
        for step in range(steps):
            report("Posing", (stage + step / steps) / len(settings.stages))
            positions = solve(rotations, (pull / reach**2)[:, None] * goals + weak * guess)
            rotations = body.rotations(positions)
            goals = _align_goals(goals, positions, pull)
        distances = np.linalg.norm(positions - goals, axis=1)
        usual = float(np.median(distances[weight > 0])) if weight.any() else 0.0
        pull = weight / (1 + (distances / max(settings.outlier * usual, 1e-30)) ** 2)
    return positions


def _align_goals(goals: Floats, positions: Floats, weight: Floats) -> Floats:
    """The goals (V, 3), scaled and moved to where they lie nearest to the positions (V, 3), weighted by (V,)."""
    share = weight / max(float(weight.sum()), 1e-30)
    goal_center, center = share @ goals, share @ positions
    offsets = goals - goal_center
    square = float(share @ (offsets**2).sum(axis=1))
    scale = float(share @ (offsets * (positions - center)).sum(axis=1)) / square if square > 0 else 1.0
    return scale * offsets + center
