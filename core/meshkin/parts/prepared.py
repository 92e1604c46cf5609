"""What the parts of a shape are found on: made once, whatever their number, so that another number answers at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.spatial import cKDTree

from ..data.snapshot import Snapshot
from ..geometry.adjacency import connected_components
from ..geometry.arrays import AnyFloats, Floats, Integers
from ..geometry.closest_points import closest_points
from ..geometry.coarsening import coarsen
from ..geometry.laplacian import connected_laplacian, factorized
from ..geometry.mesh import bounding_diagonal, face_areas
from ..spectral import pca
from ..spectral.eigenbasis import SpectralMesh, spectral_mesh, with_features
from ..symmetry.mirrors import find_mirrors, has_several_symmetries, rough_of
from .clustering import face_rows
from .face_graph import FaceGraph
from .tree import PartTree, part_tree

COMPONENTS = 32
"""Principal components of the features that parts are told apart by. Chosen: as many as maps are found by."""
PLACE_FUNCTIONS = 12
"""Eigenfunctions of the Laplacian that tell how far faces are from each other along the surface. As published."""
SPECTRAL_WEIGHT = 1.0
"""Their standard deviation, in that of the features. Measured on 14 characters of results/parts.txt, mean IoU of own
parts: 0.475 without, 0.475 with 0.25, 0.480 with 0.5, 0.495 with 1, 0.487 with 2."""
FADING = 0.1
"""Length over which a part fades into its surroundings when its borders are looked for, in square roots of the area.
Chosen: as far as a border may move. Features cannot tell a left leg from a right one, which are parts of their own."""
FEWEST_FUNCTIONS = 40
"""Eigenfunctions that a shape has at least whose mirror map is looked for: a cube has none. As where it is found."""
EVENED_VERTICES = 3000
"""Vertices of the mesh on which labels are evened out, about. Chosen: their edges are shorter than :data:`FADING`."""

SYMMETRIC = 0.002
"""Mean distance of a shape's faces from its reflection, in diagonals, up to which it is symmetric where it stands.
Chosen: what is modeled with a Mirror modifier has 0, a car front to back 0.004, a posed or uneven character more."""


@dataclass(frozen=True)
class PreparedShape:
    """A shape that is to be cut.

    Attributes:
        shape: its mesh.
        graph: its faces.
        tree: of its parts.
        loose: int64 (F,), the loose part of each face.
        evened: how much of each label there is around each face: from labels, int (F,), to (F, K).
        twin: int64 (F,), the face on the other side of each; None for a shape that is not symmetric where it stands and
            has no clear mirror map.
    """

    shape: Snapshot
    graph: FaceGraph
    tree: PartTree
    loose: Integers
    evened: Callable[[Integers], Floats]
    twin: Integers | None

    @staticmethod
    def of(shape: Snapshot, features: AnyFloats, tick: Callable[[float], None]) -> PreparedShape:
        """Prepare a shape with its vertices' features (V, C); ``tick`` is told the share that is done."""
        graph = FaceGraph.of(shape.vertices, shape.faces)
        reduced = pca.project(pca.basis([features], COMPONENTS), features)
        reduced = reduced / np.float32(max(float(np.sqrt(reduced.var(axis=0).sum())), 1e-12))
        tick(0.1)
        mesh, prolong = spectral_mesh(shape.vertices, shape.faces)
        tick(0.3)
        smooth = mesh.eigenfunctions[:, 1 : PLACE_FUNCTIONS + 1] * np.sqrt(
            mesh.eigenvalues[1] / mesh.eigenvalues[1 : PLACE_FUNCTIONS + 1]
        )
        places = np.asarray(prolong @ smooth, np.float32)[shape.faces].mean(axis=1)
        rows = np.hstack(
            (_scaled(face_rows(features, shape.faces), graph.areas), SPECTRAL_WEIGHT * _scaled(places, graph.areas))
        ).astype(np.float32)
        tree = part_tree(rows, shape.vertices, shape.faces, graph)
        tick(0.6)
        loose = connected_components(graph.links, len(shape.faces)).astype(np.int64)
        twin = _twin_faces(shape, with_features(mesh, reduced), tick)
        tick(1.0)
        return PreparedShape(shape, graph, tree, loose, _evening(shape, graph), twin)


def _scaled(rows: AnyFloats, areas: Floats) -> AnyFloats:
    """Rows (F, C) about their mean, of total variance 1."""
    apart = rows - areas @ rows
    return np.asarray(apart / max(float(np.sqrt((apart**2).sum(axis=1) @ areas)), 1e-12))


def _twin_faces(shape: Snapshot, mesh: SpectralMesh, tick: Callable[[float], None]) -> Integers | None:
    """The face on the other side of each face (F,); None for a shape that is not symmetric and has no mirror map."""
    if (reflected := _reflected_faces(shape)) is not None:
        return reflected
    if rough_of(mesh).eigenfunctions.shape[1] < FEWEST_FUNCTIONS or has_several_symmetries(mesh):
        return None
    mirrors, _ = find_mirrors(mesh, mesh, lambda: tick(0.7))
    if not mirrors:
        return None
    vertex = mesh.vertex[rough_of(mesh).vertex]
    middles = np.asarray(shape.vertices, np.float64)[shape.faces].mean(axis=1)
    near = cKDTree(shape.vertices[vertex]).query(middles)[1]
    # A face lies beside its point of the mirror map as its twin beside that point's twin, turned over.
    return np.asarray(cKDTree(middles).query(shape.vertices[vertex[mirrors[0].twin[near]]])[1], np.int64)


def _reflected_faces(shape: Snapshot) -> Integers | None:
    """The face at each face's reflection (F,), in the plane across X or across Y through the middle of the shape's box;
    None where neither leads back to the surface, or both do, as for a ball. Wheels keep their sides by it."""
    vertices = np.asarray(shape.vertices, np.float64)
    middles, areas = vertices[shape.faces].mean(axis=1), face_areas(vertices, shape.faces)
    ends = vertices.min(axis=0) + vertices.max(axis=0)
    found = []
    for axis in range(2):
        images = middles.copy()
        images[:, axis] = ends[axis] - images[:, axis]
        closest = closest_points(images, vertices, shape.faces)
        off = np.average(np.sqrt(np.maximum(closest.square, 0)), weights=areas)
        if off <= SYMMETRIC * bounding_diagonal(vertices):
            found.append(closest.face)
    return found[0] if len(found) == 1 else None


def _evening(shape: Snapshot, graph: FaceGraph) -> Callable[[Integers], Floats]:
    """What evens labels out over a surface, as :attr:`PreparedShape.evened`."""
    coarse = coarsen(shape.vertices / bounding_diagonal(shape.vertices), shape.faces, EVENED_VERTICES)
    stiffness, mass = connected_laplacian(coarse.vertices, coarse.faces)
    length = FADING * np.sqrt(mass.sum())
    solve = factorized(sparse.csc_array(sparse.diags_array(mass) + length**2 * stiffness))
    count = len(shape.faces)
    corners = sparse.csr_array(
        (np.full(3 * count, 1 / 3), (np.repeat(np.arange(count), 3), shape.faces.ravel())),
        shape=(count, len(shape.vertices)),
    )
    to_faces = sparse.csr_array(corners @ coarse.prolong)
    to_points = sparse.csr_array(to_faces.T * graph.areas)
    known = np.asarray(to_points.sum(axis=1)).ravel()

    def evened(labels: Integers) -> Floats:
        there = sparse.csr_array((np.ones(count), (np.arange(count), labels)), shape=(count, int(labels.max()) + 1))
        at_points = (to_points @ there).toarray() / np.where(known > 0, known, 1)[:, None]
        around: Floats = np.asarray(to_faces @ solve(mass[:, None] * at_points))
        return np.maximum(around, np.finfo(np.float32).eps)

    return evened
