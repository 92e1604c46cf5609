"""Loose parts are units: what is a mesh of its own within a mesh is cut last."""

from __future__ import annotations

import numpy as np

from helpers import shapes
from meshkin.data.snapshot import Snapshot
from meshkin.geometry.adjacency import connected_components
from meshkin.parts.face_graph import FaceGraph
from meshkin.parts.tree import TreeSettings, part_tree


def table(bolts: int) -> Snapshot:
    """A disk on four legs, which it does not touch, with small balls all around its edge."""
    ball = shapes.sphere(24, 12)
    leg = shapes.sphere(10, 12)
    bolt = shapes.sphere(4, 3)
    pieces = [(ball.vertices * (2, 1.4, 0.1), ball.faces)]
    places = [(1.1, 0.7), (-1.1, 0.7), (1.1, -0.7), (-1.1, -0.7)]
    pieces += [(leg.vertices * (0.12, 0.12, 0.9) + (*place, -1.1), leg.faces) for place in places]
    turns = np.linspace(0, 2 * np.pi, bolts, endpoint=False)
    pieces += [
        (0.004 * bolt.vertices + (2.05 * np.cos(turn), 1.45 * np.sin(turn), 0), bolt.faces) for turn in turns.tolist()
    ]
    vertices, faces = shapes.joined(*pieces)
    return Snapshot.from_arrays(vertices, faces)


def test_thousands_of_loose_parts_stay_whole() -> None:
    """Legs and bolts are never cut, though the features of a leg differ much from one end to the other."""
    shape = table(2200)
    graph = FaceGraph.of(shape.vertices, shape.faces)
    height = shape.vertices[shape.faces].mean(axis=1)[:, 2:].astype(np.float64)
    tree = part_tree(height, shape.vertices, shape.faces, graph, TreeSettings(most_loose=1000))
    assert tree.patches < 4000
    loose = connected_components(graph.links, len(shape.faces))
    for count in (2, 5):
        labels = tree.cut(count)
        assert labels.max() + 1 == count
        assert all(len(set(labels[loose == part])) == 1 for part in (*range(1, 5), *range(5, 2205, 50)))
    assert len(set(labels[np.isin(loose, range(1, 5))])) == 4
