"""Parts of one shape or of several, found from their features."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from ..data.snapshot import Snapshot
from ..geometry.arrays import AnyFloats, Floats, Integers, Singles
from ..geometry.closest_points import closest_points
from ..geometry.coarsening import coarsen
from ..geometry.laplacian import connected_laplacian, factorized
from ..geometry.mesh import bounding_diagonal
from .borders import straightened
from .cleaning import cleaned
from .clustering import face_rows, found_prototypes, labeled_prototypes, soft_labels
from .face_graph import FaceGraph
from .tree import part_tree

FADING = 0.1
"""Length over which a part fades into its surroundings when its borders are looked for, in square roots of the area.
Chosen: as far as a border may move. Features cannot tell a left leg from a right one, which are parts of their own."""


@dataclass(frozen=True)
class Parts:
    """The parts of a shape.

    Attributes:
        labels: int64 (F,), the part of each face, from 0.
        confidence: float32 (F,), in [0, 1]: by how much each face rather belongs to its part than to another.
        count: number of parts, also of those that another shape has.
    """

    labels: Integers
    confidence: Singles
    count: int


def find_parts(
    shapes: Sequence[tuple[Snapshot, AnyFloats]], count: int, smooth: float, tick: Callable[[float], None]
) -> list[Parts]:
    """Cut shapes into parts.

    One shape is cut along the tree of its faces, so that every leg becomes a part. Several get the same parts, by what
    they are like: all legs become one.

    Args:
        shapes: each with its vertices' features (V, C); several have those of one recipe.
        count: number of parts; 0 for as many as the first shape suggests.
        smooth: how much borders cost.
        tick: is told the share that is done; may raise Cancelled.
    """
    graphs = [FaceGraph.of(shape.vertices, shape.faces) for shape, _ in shapes]
    rows = [face_rows(features, shape.faces) for shape, features in shapes]
    tick(0.2)
    first = shapes[0][0]
    is_alone = len(shapes) == 1
    tree = part_tree(rows[0], first.vertices, first.faces, graphs[0]) if is_alone or not count else None
    if tree and not count:
        count = tree.automatic()
    count = min(count, *(len(row) for row in rows))
    tick(0.5)
    if tree and is_alone:
        labels = tree.cut(count)
        like = soft_labels(rows[0], labeled_prototypes(rows[0], graphs[0].areas, labels))
        shares = [like * _faded(first, graphs[0], labels)]
    else:
        found = found_prototypes(np.concatenate(rows), np.concatenate([graph.areas for graph in graphs]), count)
        shares = [soft_labels(row, found) for row in rows]
    tick(0.8)
    return [_parts(share, graph, smooth) for share, graph in zip(shares, graphs, strict=True)]


def labels_of_polygons(parts: Parts, shape: Snapshot, own: Snapshot) -> tuple[Integers, Singles]:
    """The part of each polygon of an object's own mesh, int64 (N,), and the confidence, float32 (N,).

    Args:
        parts: of the evaluated mesh.
        shape: the evaluated mesh.
        own: the own mesh, in the same place.
    """
    middles = own.vertices[own.faces].astype(np.float64).mean(axis=1)
    face = closest_points(middles, shape.vertices, shape.faces.astype(np.int64)).face
    areas = FaceGraph.of(own.vertices, own.faces).areas
    size = int(own.polygons.max(initial=-1)) + 1
    votes = np.zeros((size, parts.count))
    np.add.at(votes, (own.polygons, parts.labels[face]), areas)
    total = np.bincount(own.polygons, areas, size)
    confidence = np.bincount(own.polygons, areas * parts.confidence[face], size) / np.maximum(total, areas.min())
    return votes.argmax(axis=1), confidence.astype(np.float32)


def _parts(shares: Floats, graph: FaceGraph, smooth: float) -> Parts:
    """The parts by how much each face belongs to them, (F, K)."""
    shares = shares / shares.sum(axis=1, keepdims=True)
    labels = cleaned(straightened(shares, graph, smooth), graph)
    own = shares[np.arange(len(labels)), labels]
    others = shares.copy()
    others[np.arange(len(labels)), labels] = 0
    margin = np.clip(own - others.max(axis=1, initial=0), 0, 1)
    return Parts(labels, margin.astype(np.float32), shares.shape[1])


def _faded(shape: Snapshot, graph: FaceGraph, labels: Integers) -> Floats:
    """How much of each label (F,) there is around each face, (F, K): labels evened out over the surface."""
    coarse = coarsen(shape.vertices / bounding_diagonal(shape.vertices), shape.faces)
    stiffness, mass = connected_laplacian(coarse.vertices, coarse.faces)
    at_vertices = np.zeros((len(shape.vertices), int(labels.max()) + 1))
    for corner in shape.faces.T:
        np.add.at(at_vertices, (corner, labels), graph.areas)
    at_points = np.asarray(coarse.prolong.T @ at_vertices)
    known = at_points.sum(axis=1, keepdims=True)
    at_points = np.divide(at_points, known, out=np.zeros_like(at_points), where=known > 0)
    length = FADING * np.sqrt(mass.sum())
    solve = factorized(sparse.csc_array(sparse.diags_array(mass) + length**2 * stiffness))
    evened: Floats = np.asarray(coarse.prolong @ solve(mass[:, None] * at_points))[shape.faces].mean(axis=1)
    return np.maximum(evened, np.finfo(np.float32).eps)
