"""Meshes that attributes are carried between, for tests."""

from __future__ import annotations

import numpy as np

from helpers import shapes
from helpers.textured import known_map
from meshkin.data.snapshot import Snapshot
from meshkin.transfer.attributes.lookup import MappedMesh, MeshWithEdges

SOURCE = shapes.bumpy(shapes.sphere(64, 40))
TARGET = shapes.bumpy(shapes.sphere(50, 30))
"""Two meshes of one bumpy ball."""


def mapped_mesh(source: Snapshot, target: Snapshot) -> MappedMesh:
    """The target with the map that takes each vertex to the nearest point of the source."""
    return MappedMesh(source, target, known_map(source, target).to_source)


def with_edges(shape: Snapshot) -> MeshWithEdges:
    """The shape with the edges of its triangles."""
    pairs = shape.faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2)
    return MeshWithEdges(shape, np.unique(np.sort(pairs, axis=1), axis=0))
