"""Registration in space and features together: one surface is bent onto the other by points that are near and alike.

Eigenfunctions describe a surface from within. They say little about characters as artists make them: shells of clothes
and hair, armor, proportions of all kinds. But characters stand upright, and much of what is alike lies at the same
place once one of them is scaled onto the other. So the source is laid over the target in several ways (turned about the
vertical axis, or by a map that is known already), and then bent onto it, as rigidly as possible. What pulls each of its
points is the point of the target that is nearest in position, normal and features together, and the other way round.
Position counts little in the beginning and more and more from stage to stage. The start whose result lies nearest to
the target, in all three, is taken.

This is non-rigid iterated closest points (Amberg, Romdhani and Vetter, "Optimal Step Nonrigid ICP Algorithms for
Surface Registration", CVPR 2007) with as-rigid-as-possible springs, in a space with more dimensions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse
from scipy.spatial import cKDTree

from ..geometry.arap import RigidSprings, laplacian_springs
from ..geometry.arrays import AnyFloats, AnyIntegers, Floats, Integers
from ..geometry.laplacian import LEAST_CONNECTED_MASS, connected_laplacian, factorized, laplacian
from ..geometry.mesh import clean_faces, vertex_normals
from ..geometry.rigid_motions import rigid_alignment


@dataclass(frozen=True)
class RegistrationSettings:
    """How a surface is bent onto another one. Lengths are in square roots of the surface's area.

    Chosen on eight pairs of game characters. Between half and twice the weights of normals and features, the error of
    skinning weights carried through the map changes by at most 3 %.

    Attributes:
        radii: for each stage the distance in space that counts as much as features that have nothing in common.
        lengths: for each stage the length over which the pull is evened out: the rigidity, which falls.
        rounds: in each stage, how often the nearest points are looked up.
        steps: after each look, how often rotations and positions are solved for.
        normal_weight: of the difference of unit normals.
        feature_weight: of the difference of features, whose total variance is 1.
        fine_radii, fine_lengths: as ``radii`` and ``lengths``, for the stages on the fine mesh.
        fine_normal_weight: as ``normal_weight``, for these stages: what lies close slides less. Measured on five pairs
            of TOSCA: error 2.05 with 0.5, 1.97 with 1, 1.87 with 2, 1.84 with 4.
        final_radius, final_feature_weight: the same in the end, when points are matched and results are compared.
        usual: distance, in all dimensions together, at which a point pulls half as much.
        farthest: larger distances count as this one when results are compared.
        growth_range: how many times larger a part may become. Chosen.
        growth_length: length over which growth is evened out. Measured on 17 pairs of characters: 0.1 leads 0.5 % more
            points to the right bone than 0.3 does, 1.2 % more than no growth.
        follow_length: length over which the pull of a map is evened out when it is followed.
        follow_steps: how often rotations and positions are solved for then.
        damping: pull of a point to its last position, which keeps the system regular.
        distinct: two results are different answers if they lie farther apart on average.
        alike: two results differ in details alone if they lie at most so far apart on average. Measured: 0.021 where a
            hand lies on the right one in the nearer result alone, 0.064 where this exchanges the hind legs.
        clear: a result is clearly better than another if its distance is at most this share of the other's.
    """

    radii: tuple[float, ...] = (0.15, 0.1, 0.07, 0.05, 0.04)
    lengths: tuple[float, ...] = (0.15, 0.1, 0.07, 0.05, 0.04)
    rounds: int = 4
    steps: int = 2
    normal_weight: float = 0.5
    feature_weight: float = 1.0
    fine_radii: tuple[float, ...] = (0.07, 0.05, 0.04, 0.03, 0.02, 0.015)
    fine_lengths: tuple[float, ...] = (0.07, 0.05, 0.04, 0.03, 0.02, 0.02)
    fine_normal_weight: float = 2.0
    final_radius: float = 0.04
    final_feature_weight: float = 0.5
    usual: float = 1.0
    farthest: float = 4.0
    growth_range: tuple[float, float] = (0.3, 3.0)
    growth_length: float = 0.1
    follow_length: float = 0.1
    follow_steps: int = 10
    damping: float = 1e-9
    distinct: float = 0.1
    alike: float = 0.04
    clear: float = 0.97


@dataclass(frozen=True)
class RegisteredMesh:
    """A mesh with what is compared in space and features together.

    Attributes:
        points: float64 (P, 3), area about 1.
        faces: int (G, 3).
        normals: float64 (P, 3), unit.
        mass: float64 (P,), above 0, sums to about 1.
        features: float (P, C), of total variance 1 over both shapes together.
    """

    points: Floats
    faces: AnyIntegers
    normals: Floats
    mass: Floats
    features: AnyFloats


def registered_mesh(points: Floats, faces: AnyIntegers, features: AnyFloats) -> RegisteredMesh:
    """A mesh (points (P, 3), faces (G, 3), features (P, C)) with its normals and masses."""
    _, mass = laplacian(points, clean_faces(faces))
    mass = np.maximum(mass, LEAST_CONNECTED_MASS * (mass.mean() or 1.0))
    return RegisteredMesh(points, faces, vertex_normals(points, faces), mass / mass.sum(), features)


@dataclass(frozen=True)
class Start:
    """From where a mesh is bent.

    Attributes:
        points: float64 (P, 3), where its points are at first, in the target's frame.
        rest: float64 (P, 3), its shape at rest, which bending keeps but for turning and growing.
        upright: whether it stands as the target does, rather than where a map sent it.
        by_form: whether it is warped by its form alone.
        handicap: factor of the distance of what it leads to, when results are compared.
    """

    points: Floats
    rest: Floats
    upright: bool = True
    by_form: bool = False
    handicap: float = 1.0


@dataclass(frozen=True)
class LaidMesh:
    """The source's mesh laid onto the target.

    Attributes:
        start: from which it came here.
        points: float64 (P, 3), its points in the target mesh's frame.
        distance: mean distance to the other surface in position, normal and features together, both ways.
    """

    start: Start
    points: Floats
    distance: float


def start_from_map(
    source: RegisteredMesh,
    target: RegisteredMesh,
    to_target: Integers,
    settings: RegistrationSettings,
    handicap: float = 1.0,
) -> Start:
    """The source, bent as rigidly as possible to where a map sends its points.

    Args:
        source, target: the meshes.
        to_target: int (P,), the target point of each source point.
        settings: of these the length and the steps.
        handicap: as :attr:`Start.handicap`.
    """
    goals, pull = target.points[to_target], source.mass / source.mass.sum()
    stiffness, _ = connected_laplacian(source.points, source.faces)
    body = RigidSprings(source.points, *laplacian_springs(stiffness))
    rotation, shift = rigid_alignment(source.points, goals, pull)
    points = source.points @ rotation.T - shift
    rotations = np.broadcast_to(rotation, (len(points), 3, 3))
    hold = pull / settings.follow_length**2
    solve = body.position_solver(hold + settings.damping)
    for _ in range(settings.follow_steps):
        points = solve(rotations, hold[:, None] * goals + settings.damping * points)
        rotations = body.rotations(points)
    return Start(points, source.points, upright=False, handicap=handicap)


def lay_onto(
    source: RegisteredMesh,
    target: RegisteredMesh,
    start: Start,
    tick: Callable[[], None],
    settings: RegistrationSettings = RegistrationSettings(),
    first_stage: int = 0,
) -> LaidMesh:
    """The source bent onto the target.

    Args:
        source, target: the meshes, with features that can be compared.
        start: where the source is at first.
        tick: called in every round; may raise Cancelled.
        settings: of the registration.
        first_stage: stages before it are left out.
    """
    stages = tuple(zip(settings.radii, settings.lengths, strict=True))[first_stage:]
    points = _bent_onto(source, target, start, stages, tick, settings)
    return LaidMesh(start, points, surface_distance(source, target, points, settings))


def lay_finely(
    source: RegisteredMesh,
    target: RegisteredMesh,
    start: Start,
    tick: Callable[[], None],
    settings: RegistrationSettings = RegistrationSettings(),
) -> Floats:
    """The source's points (P, 3), nearly laid onto the target already, brought closer.

    Arguments as :func:`lay_onto`.
    """
    stages = tuple(zip(settings.fine_radii, settings.fine_lengths, strict=True))
    settings = replace(settings, normal_weight=settings.fine_normal_weight)
    return _bent_onto(source, target, start, stages, tick, settings)


def surface_distance(
    source: RegisteredMesh, target: RegisteredMesh, points: Floats, settings: RegistrationSettings
) -> float:
    """The mean distance of both surfaces to each other in position, normal and features together.

    Args:
        source, target: the meshes.
        points: (P, 3), where the source's points lie, in the target's frame.
        settings: of the comparison.
    """
    tree = _target_tree(target, settings.final_radius, settings)
    (_, square), (_, back) = _nearest(source, points, tree, settings.final_radius, settings)
    distances = [np.minimum(np.sqrt(values), settings.farthest) for values in (square, back)]
    return float(distances[0] @ source.mass / source.mass.sum() + distances[1] @ target.mass / target.mass.sum()) / 2


def joint_coordinates(
    points: Floats, normals: Floats, features: AnyFloats, radius: float, weights: tuple[float, float]
) -> Floats:
    """Coordinates (P, 6 + C) in which points are near each other that are near in space and alike.

    Args:
        points: (P, 3).
        normals: (P, 3), unit.
        features: (P, C).
        radius: distance in space that counts as 1.
        weights: of the normals and of the features.
    """
    return np.hstack((points / radius, normals * weights[0], features * weights[1]))


def different_answers(
    results: Sequence[LaidMesh], settings: RegistrationSettings = RegistrationSettings()
) -> list[LaidMesh]:
    """Those of the results that are another answer than the first one and about as near.

    An answer is as near as the nearest of the results that lead to it.
    """
    best = results[0]
    apart = [is_apart(best, other, settings) for other in results]
    nearest = min(result.distance for result, is_other in zip(results, apart, strict=True) if not is_other)
    return [
        other
        for other, is_other in zip(results, apart, strict=True)
        if is_other and nearest > settings.clear * other.distance
    ]


def is_apart(result: LaidMesh, other: LaidMesh, settings: RegistrationSettings) -> bool:
    """Whether two results are different answers."""
    return _mean_apart(result, other) > settings.distinct


def _mean_apart(result: LaidMesh, other: LaidMesh) -> float:
    """How far apart two results lie on average."""
    return float(np.linalg.norm(result.points - other.points, axis=1).mean())


def nearest_alike(result: LaidMesh, others: Sequence[LaidMesh], settings: RegistrationSettings) -> LaidMesh:
    """The nearest of the others that differs from a result in details alone, and by form if that is.

    Handicaps choose between answers. Of two results that differ in a hand only, the nearer has it right.
    """
    by_form = result.start.by_form
    alike = [one for one in others if one.start.by_form == by_form and _mean_apart(result, one) <= settings.alike]
    return min(alike, key=lambda one: one.distance)


def _bent_onto(
    source: RegisteredMesh,
    target: RegisteredMesh,
    start: Start,
    stages: Sequence[tuple[float, float]],
    tick: Callable[[], None],
    settings: RegistrationSettings,
) -> Floats:
    """The source's points (P, 3), bent from where they start onto the target; a stage is a radius and a length."""
    stiffness, _ = connected_laplacian(start.rest, source.faces)
    body = RigidSprings(start.rest, *laplacian_springs(stiffness))
    even = factorized(sparse.csc_array(sparse.diags_array(source.mass) + settings.growth_length**2 * stiffness))

    def similarities(points: Floats) -> Floats:
        """The rotation and growth at each point (P, 3, 3), the growth being evened out over the surface."""
        rotations = body.rotations(points)
        growth = np.log(np.clip(body.growth(points, rotations), *settings.growth_range))
        grown: Floats = np.exp(even(source.mass * growth))[:, None, None] * rotations
        return grown

    points = start.points
    turned = similarities(points)
    for radius, length in stages:
        tree = _target_tree(target, radius, settings)
        for _ in range(settings.rounds):
            tick()
            goals, pull = _pulls(source, target, points, tree, radius, settings)
            hold = pull / length**2
            solve = body.position_solver(hold + settings.damping)
            for _ in range(settings.steps):
                points = solve(turned, hold[:, None] * goals + settings.damping * points)
                turned = similarities(points)
    return points


def _target_tree(target: RegisteredMesh, radius: float, settings: RegistrationSettings) -> cKDTree:
    """The target's points as a search tree in space, normals and features together."""
    weights = settings.normal_weight, settings.feature_weight
    return cKDTree(joint_coordinates(target.points, target.normals, target.features, radius, weights))


def _pulls(
    source: RegisteredMesh,
    target: RegisteredMesh,
    points: Floats,
    tree: cKDTree,
    radius: float,
    settings: RegistrationSettings,
) -> tuple[Floats, Floats]:
    """Where each of the source's points is pulled to, (P, 3), and how strongly, (P,), summing to 1.

    Each point is pulled to its nearest point of the target, and by those points of the target whose nearest it is.
    ``tree`` is the target's.
    """
    (to_target, square), (to_source, back_square) = _nearest(source, points, tree, radius, settings)
    forth = source.mass / (1 + square / settings.usual**2)
    back = target.mass / (1 + back_square / settings.usual**2)
    pull = forth + np.bincount(to_source, back, len(points))
    goals = forth[:, None] * target.points[to_target]
    goals += np.stack([np.bincount(to_source, back * axis, len(points)) for axis in target.points.T], axis=1)
    return goals / pull[:, None], pull / pull.sum()


def _nearest(
    source: RegisteredMesh, points: Floats, tree: cKDTree, radius: float, settings: RegistrationSettings
) -> tuple[tuple[Integers, Floats], tuple[Integers, Floats]]:
    """The nearest target point of each source point with the squared distance, and the same the other way round."""
    weights = settings.normal_weight, settings.feature_weight
    own = joint_coordinates(points, vertex_normals(points, source.faces), source.features, radius, weights)
    (distance, to_target), (back, to_source) = tree.query(own), cKDTree(own).query(tree.data)
    return (to_target.astype(np.int64), distance**2), (to_source.astype(np.int64), back**2)
