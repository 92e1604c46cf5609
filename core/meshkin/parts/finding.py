"""Parts of a shape: found from its features, or carried to it from another."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..data.snapshot import Snapshot
from ..geometry.arrays import Flags, Floats, Integers, Singles
from ..geometry.closest_points import closest_points
from ..geometry.mesh import face_areas
from .borders import straightened
from .cleaning import cleaned
from .face_graph import FaceGraph
from .prepared import PreparedShape

MOST_LOST = 4
"""Parts of a cut that may be too small, for which the tree is cut more finely. Chosen."""

TWIN_OVERLAP = 0.5
"""Intersection over union of a part and the mirror image of its twin, at least. Chosen."""


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


def own_parts(ready: PreparedShape, count: int, smooth: float) -> Parts:
    """Cut a shape along the tree of its faces, so that every leg becomes a part.

    Args:
        ready: the shape.
        count: number of parts; 0 for as many as it suggests.
        smooth: how much borders cost.
    """
    count = count or ready.tree.automatic()
    found = None
    for more in range(count, count + MOST_LOST + 1):  # some may be too small, and join others
        if len(np.unique(cleaned(ready.tree.cut(more), ready.graph))) < count:
            continue
        again = _cut(ready, more, smooth)
        if found is None or found.count < again.count <= count:
            found = again
        if found.count >= count:
            break
    return found or _cut(ready, count, smooth)


def _cut(ready: PreparedShape, count: int, smooth: float) -> Parts:
    """The parts of a cut of the tree, those that are too small joined to others."""
    labels = ready.tree.cut(count)
    shares = ready.evened(labels)
    if ready.twin is not None:
        shares = alike_on_both_sides(shares, twin_labels(labels, ready.twin, ready.graph.areas), ready.twin)
    whole = _is_whole(labels, ready.loose)
    shares[whole] = np.eye(shares.shape[1])[labels[whole]]
    parts = parts_of_shares(shares, ready.graph, smooth)
    standing, labels = np.unique(parts.labels, return_inverse=True)
    return Parts(labels.astype(np.int64), parts.confidence, len(standing))


def _is_whole(labels: Integers, loose: Integers) -> Flags:
    """Which faces (F,) are of a loose part that is in one part as a whole."""
    first = np.full(int(loose.max()) + 1, -1)
    first[loose] = labels
    other = np.bincount(loose, labels != first[loose])
    return np.asarray(other[loose] == 0)


def part_names(ready: PreparedShape, parts: Parts) -> tuple[str, ...]:
    """What the parts may be called: "Part 1", and "Part 2.L" and "Part 2.R" for parts that are each other's twins.

    Left is where X is larger, as Blender has it; where the twins lie beside each other along Y, where Y is larger.
    """
    if ready.twin is None:
        return tuple(f"Part {number + 1}" for number in range(parts.count))
    middles = ready.shape.vertices[ready.shape.faces].mean(axis=1).astype(np.float64)
    weight = np.bincount(parts.labels, ready.graph.areas)
    center = np.stack([np.bincount(parts.labels, ready.graph.areas * axis) / weight for axis in middles.T[:2]], axis=1)
    twins = twin_labels(parts.labels, ready.twin, ready.graph.areas)
    names = [""] * parts.count
    for number, label in enumerate(np.flatnonzero((twins < 0) | (twins >= np.arange(parts.count)))):
        twin = twins[label]
        if twin in (-1, label):
            names[label] = f"Part {number + 1}"
            continue
        apart = center[label] - center[twin]
        is_left = apart[np.abs(apart).argmax()] > 0
        names[label], names[twin] = (f"Part {number + 1}.{side}" for side in ("LR" if is_left else "RL"))
    return tuple(names)


def twin_labels(labels: Integers, twin: Integers, areas: Floats) -> Integers:
    """The label on the other side of each label, (K,): itself if it lies on both sides, -1 where there is no such one.

    Args:
        labels: int (F,), from 0.
        twin: (F,), the face on the other side of each.
        areas: (F,).
    """
    count = int(labels.max()) + 1
    table = np.zeros((count, count))
    np.add.at(table, (labels, labels[twin]), areas)
    table += table.T
    overlap = table / (table.sum(axis=1, keepdims=True) + table.sum(axis=0) - table)
    other = overlap.argmax(axis=1)
    is_twin = (other[other] == np.arange(count)) & (overlap.max(axis=1) > TWIN_OVERLAP)
    return np.where(is_twin, other, -1)


def alike_on_both_sides(shares: Floats, twins: Integers, twin: Integers) -> Floats:
    """Shares (F, K) of labels, averaged over both sides where a label has a twin, (K,); ``twin`` (F,) are the faces."""
    alike = shares / shares.sum(axis=1, keepdims=True)
    known = np.flatnonzero(twins >= 0)
    alike[:, known] = (alike[:, known] + alike[twin][:, twins[known]]) / 2
    return alike


def labels_of_polygons(parts: Parts, shape: Snapshot, own: Snapshot) -> tuple[Integers, Singles]:
    """The part of each polygon of an object's own mesh, int64 (N,), and the confidence, float32 (N,).

    Args:
        parts: of the evaluated mesh.
        shape: the evaluated mesh.
        own: the own mesh, in the same place.
    """
    if np.array_equal(own.faces, shape.faces):  # no modifier makes other faces
        face = np.arange(len(own.faces))
    else:
        middles = own.vertices[own.faces].astype(np.float64).mean(axis=1)
        face = closest_points(middles, shape.vertices, shape.faces.astype(np.int64)).face
    areas = face_areas(own.vertices.astype(np.float64), own.faces)
    areas = np.maximum(areas, np.finfo(np.float32).eps * (areas.mean() or 1.0))
    size = int(own.polygons.max(initial=-1)) + 1
    votes = np.zeros((size, parts.count))
    np.add.at(votes, (own.polygons, parts.labels[face]), areas)
    total = np.bincount(own.polygons, areas, size)
    confidence = np.bincount(own.polygons, areas * parts.confidence[face], size) / np.maximum(total, areas.min())
    return votes.argmax(axis=1), confidence.astype(np.float32)


def parts_of_shares(shares: Floats, graph: FaceGraph, smooth: float) -> Parts:
    """The parts by how much each face belongs to them, (F, K)."""
    shares = shares / shares.sum(axis=1, keepdims=True)
    labels = cleaned(straightened(shares, graph, smooth), graph)
    own = shares[np.arange(len(labels)), labels]
    others = shares.copy()
    others[np.arange(len(labels)), labels] = 0
    margin = np.clip(own - others.max(axis=1, initial=0), 0, 1)
    return Parts(labels, margin.astype(np.float32), shares.shape[1])
