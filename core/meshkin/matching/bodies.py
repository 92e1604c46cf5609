"""Two shapes as they are matched: mended, and the way back."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from ..data.snapshot import Snapshot
from ..data.surface_map import Match, SurfaceMap
from ..geometry.mending import MendedMesh, mended
from ..geometry.mesh import surface_area
from ..geometry.outside import outward_faces
from ..geometry.winding import rewound
from ..spectral.eigenbasis import EigenbasisSettings, SpectralMesh, spectral_mesh
from .surfaces import DescribedSurface

FAR = 0.12
"""Distance of a vertex from the closed body from which on it is no answer, in square roots of the area. Chosen: more
than the width of an arm."""


@dataclass(frozen=True)
class Body:
    """A shape that is to be matched, mended.

    Attributes:
        shape: the shape, its faces wound counter-clockwise as seen from outside, its vertices without noise.
        is_reversed: bool (F,), which of the shape's faces were wound the other way.
        surface: what is described by eigenfunctions: the shape, or that closed, with its features.
        mesh: the mesh of ``surface``, and where the shape's vertices lie on it.
    """

    shape: DescribedSurface
    is_reversed: NDArray[np.bool_]
    surface: DescribedSurface
    mesh: MendedMesh

    @staticmethod
    def as_it_is(shape: DescribedSurface) -> Body:
        """Return a shape that is matched as it is."""
        snapshot = shape.snapshot
        mesh = MendedMesh(snapshot.vertices.astype(np.float64), snapshot.faces.astype(np.int64))
        return Body(shape, np.zeros(len(snapshot.faces), bool), shape, mesh)

    @staticmethod
    def mended(shape: DescribedSurface) -> Body:
        """Mend a shape; one without defects is matched as it is."""
        snapshot = shape.snapshot
        faces = outward_faces(snapshot.vertices, snapshot.faces)
        is_reversed = np.asarray((faces != snapshot.faces).any(axis=1))
        if is_reversed.any():
            shape = replace(shape, snapshot=_rewound(snapshot, is_reversed))
        mesh = mended(snapshot.vertices, faces)
        if mesh.closed_places is None:
            smooth = replace(shape.snapshot, vertices=mesh.vertices.astype(np.float32))
            shape = replace(shape, snapshot=smooth)
            return Body(shape, is_reversed, shape, mesh)
        proxy = Snapshot.from_arrays(mesh.vertices, mesh.faces, snapshot.name)
        known = np.column_stack((shape.features, shape.confidence)).astype(np.float32)
        sampled = mesh.sampled(known, snapshot.vertices.astype(np.float64), faces)
        shape = replace(shape, confidence=shape.confidence * ~_is_far(shape, mesh))
        return Body(shape, is_reversed, DescribedSurface(proxy, sampled[:, :-1], sampled[:, -1]), mesh)

    def spectral_mesh(self, settings: EigenbasisSettings) -> tuple[SpectralMesh, sparse.csr_array]:
        """Return a coarser mesh with its eigenfunctions, and the matrix (V, P) from its points to the shape's vertices.

        Its ``vertex`` counts the vertices of ``surface``.
        """
        snapshot = self.surface.snapshot
        mesh, prolong = spectral_mesh(snapshot.vertices, snapshot.faces, settings)
        if self.mesh.closed_places is None:
            return mesh, prolong
        face, barycentric = self.mesh.closed_places
        rows, corners = np.repeat(np.arange(len(face)), 3), self.mesh.faces[face].ravel()
        onto = sparse.csr_array((barycentric.ravel(), (rows, corners)), shape=(len(face), len(snapshot.vertices)))
        return mesh, sparse.csr_array(onto @ prolong)

    def in_own_winding(self, to_shape: SurfaceMap) -> SurfaceMap:
        """Return a map to ``shape`` as one to the shape as its faces were wound."""
        swapped = to_shape.barycentric[:, [0, 2, 1]]
        is_reversed = self.is_reversed[to_shape.face][:, None]
        return replace(to_shape, barycentric=np.where(is_reversed, swapped, to_shape.barycentric))

    @property
    def own_faces(self) -> NDArray[np.int32]:
        """The faces (F, 3) as they were wound."""
        return np.asarray(rewound(self.shape.snapshot.faces, self.is_reversed), np.int32)


def in_own_winding(match: Match, source: Body, target: Body) -> Match:
    """Return a match of two bodies' shapes as one of the shapes as their faces were wound."""
    to_source, to_target = source.in_own_winding(match.to_source), target.in_own_winding(match.to_target)
    return Match(to_source, to_target, source.own_faces, target.own_faces, match.notes)


def _rewound(snapshot: Snapshot, is_reversed: NDArray[np.bool_]) -> Snapshot:
    """Return a snapshot with some of its faces, bool (F,), wound the other way."""
    faces, corners, normals = snapshot.faces.copy(), snapshot.corners.copy(), snapshot.normals.copy()
    uvs = None if snapshot.uvs is None else snapshot.uvs.copy()
    for values in (faces, corners, normals, *(() if uvs is None else (uvs,))):
        values[is_reversed] = values[is_reversed][:, [0, 2, 1]]
    normals[is_reversed] *= -1
    return replace(snapshot, faces=faces, corners=corners, normals=normals, uvs=uvs)


def _is_far(shape: DescribedSurface, mesh: MendedMesh) -> NDArray[np.bool_]:
    """Return which vertices of a shape lie far from the closed body, (V,)."""
    offset = mesh.carried(mesh.vertices) - shape.snapshot.vertices
    distance = np.linalg.norm(offset, axis=1) / np.sqrt(surface_area(mesh.vertices, mesh.faces))
    return np.asarray(distance >= FAR)
