"""Characters made from one base mesh: the vertices of bodies that differ in shape keep their numbers and their edges.

Figures of one generation, avatars of one editor and everything that was sculpted without adding a vertex come like
that, often with clothes and hair of their own. What corresponds there is known and need not be looked for.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from ..data.snapshot import Snapshot
from ..data.surface_map import Match, SurfaceMap
from ..geometry.adjacency import loose_parts
from ..geometry.arrays import AnyIntegers, Floats, Integers
from ..geometry.mesh import bounding_diagonal
from .copies import certain_match, onto_vertices

SAME_TRIANGLES = 0.95
"""Least share of the triangles that two shapes of one base mesh have in common. Chosen: a bent quad may be cut along
its other diagonal, of other meshes hardly one triangle has the same three numbers."""
LEAST_TRIANGLES = 200
"""Triangles of a loose part that is known by its topology alone, at least. Chosen: buttons, eyes and straps made from
a cube, a small sphere or a tube have the topology of any other."""
MOST_ALIKE = 50
"""Parts of one size in either shape, at most, that are compared. Chosen: scales and leaves are left to the map, since
each is compared with each."""
FARTHEST = 0.1
"""Mean distance, in diagonals of the source, up to which a part's vertices lie from where the map sends them. Chosen:
as far as a map is wrong within a limb; the topology of a sphere fits a head as well as a bun of hair."""


@dataclass(frozen=True)
class _NumberedPart:
    """A loose part of a shape.

    Attributes:
        vertices: int64 (V,), rising.
        triangles: int64 (F,), rising: a number for each of its triangles, from its corners' ranks among the vertices.
    """

    vertices: Integers
    triangles: Integers


def match_of_base_mesh(source: Snapshot, target: Snapshot) -> Match | None:
    """Return the map between two shapes of one topology if there is one, else None.

    The vertices have the same numbers in both. Mirror images are none: their left is the other's right.
    """
    if len(source.vertices) != len(target.vertices):
        return None
    everything = np.arange(len(source.vertices))
    whole, other = (
        _NumberedPart(everything, _triangle_numbers(shape.faces, len(everything))) for shape in (source, target)
    )
    if not _is_same(whole, other) or _is_mirrored(source.vertices, target.vertices):
        return None
    sentence = f"“{source.name}” and “{target.name}” have the same topology: they are matched vertex by vertex."
    maps = onto_vertices(source, everything), onto_vertices(target, everything)
    return certain_match(*maps, source, target, sentence)


def with_parts_of_base_meshes(match: Match, source: Snapshot, target: Snapshot) -> Match:
    """Return a map in which the loose parts that both shapes have in one topology are matched vertex by vertex.

    Args:
        match: the map of the shapes, which tells parts of the same topology apart.
        source, target: the shapes.
    """
    pairs = _common_parts(match.to_source, source, target)
    if not pairs:
        return match
    own = np.concatenate([part.vertices for _, part in pairs])
    goals = np.concatenate([part.vertices for part, _ in pairs])
    count = sum(len(part.triangles) for _, part in pairs)
    sentence = f"{count} triangles of “{target.name}” are those of “{source.name}”: matched vertex by vertex."
    return Match(
        match.to_source.with_rows(own, onto_vertices(source, goals)),
        match.to_target.with_rows(goals, onto_vertices(target, own)),
        match.source_faces,
        match.target_faces,
        {**match.notes, "sentences": [*match.notes.get("sentences", []), sentence]},
    )


def _common_parts(
    to_source: SurfaceMap, source: Snapshot, target: Snapshot
) -> list[tuple[_NumberedPart, _NumberedPart]]:
    """Parts of one topology, of the source and of the target, that the map brings near each other."""
    answers = to_source.pull(source.vertices, source.faces)
    farthest = FARTHEST * bounding_diagonal(source.vertices)
    ours, theirs = _by_size(source), _by_size(target)
    found = []
    for size in ours.keys() & theirs.keys():
        if max(len(ours[size]), len(theirs[size])) > MOST_ALIKE:
            continue
        distances = np.full((len(ours[size]), len(theirs[size])), np.inf)
        for row, part in enumerate(ours[size]):
            for column, other in enumerate(theirs[size]):
                if not _is_same(part, other):
                    continue
                goals, points = source.vertices[part.vertices], target.vertices[other.vertices]
                if not _is_mirrored(goals, points):
                    distances[row, column] = np.linalg.norm(answers[other.vertices] - goals, axis=1).mean()
        chosen = linear_sum_assignment(np.minimum(distances, 2 * farthest))
        found += [
            (ours[size][row], theirs[size][column])
            for row, column in zip(*chosen, strict=True)
            if distances[row, column] <= farthest
        ]
    return found


def _by_size(shape: Snapshot) -> dict[tuple[int, int], list[_NumberedPart]]:
    """The larger loose parts of a shape by their numbers of vertices and triangles."""
    part = loose_parts(shape.vertices, shape.faces).of_vertex
    of_face = part[shape.faces[:, 0]]
    order = np.argsort(of_face, kind="stable")
    result: dict[tuple[int, int], list[_NumberedPart]] = {}
    for rows in np.split(order, np.flatnonzero(np.diff(of_face[order])) + 1):
        if len(rows) >= LEAST_TRIANGLES:
            vertices, ranks = np.unique(shape.faces[rows], return_inverse=True)
            one = _NumberedPart(vertices.astype(np.int64), _triangle_numbers(ranks.reshape(-1, 3), len(vertices)))
            result.setdefault((len(vertices), len(rows)), []).append(one)
    return result


def _triangle_numbers(faces: AnyIntegers, count: int) -> Integers:
    """A number for each triangle (F, 3), whichever corner comes first, rising; corners are below ``count``."""
    first = faces.argmin(axis=1)[:, None]
    turned = np.take_along_axis(faces, (first + np.arange(3)) % 3, axis=1).astype(np.int64)
    return np.sort((turned[:, 0] * count + turned[:, 1]) * count + turned[:, 2])


def _is_same(part: _NumberedPart, other: _NumberedPart) -> bool:
    common = np.intersect1d(part.triangles, other.triangles)
    return len(common) >= SAME_TRIANGLES * max(len(part.triangles), len(other.triangles))


def _is_mirrored(vertices: NDArray[np.floating], other: NDArray[np.floating]) -> bool:
    """Whether the linear map that brings points (N, 3) best to others (N, 3) mirrors them."""
    centered, goals = (np.asarray(points, np.float64) - points.mean(axis=0) for points in (vertices, other))
    linear: Floats = np.linalg.lstsq(centered, goals, rcond=None)[0]
    return bool(np.linalg.det(linear) < 0)
