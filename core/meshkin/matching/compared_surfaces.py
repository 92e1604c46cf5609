"""Two surfaces in one frame, with what is compared in space and features together."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from ..geometry.arrays import AnyFloats, Floats, Integers
from ..geometry.coarsening import coarsen
from ..geometry.rigid_motions import similarity_alignment
from ..spectral.eigenbasis import SpectralMesh
from ..symmetry.mirrors import rough_of
from .bodies import Body
from .registration import RegisteredMesh, registered_mesh


@dataclass(frozen=True)
class ComparedSurface:
    """A surface with what is compared in space and features together.

    Attributes:
        rough: its rough mesh, on which starts are tried.
        fine: its mesh, coarsened only if it is large.
        prolong: sparse (V, P), carries values from the fine mesh to the vertices.
        mesh: that of its eigenfunctions, of as many points as are needed to tell what hangs together.
        carry: sparse (V, Q), carries values from that mesh to the vertices.
        vertices: float64 (V, 3), in the frame of both meshes.
        faces: int32 (F, 3).
        features: float (V, C).
        usable: int64, the vertices that may be an answer.
        sense: 1, or -1 for the mirror image of a surface, whose faces keep the order of their corners all the same.
    """

    rough: RegisteredMesh
    fine: RegisteredMesh
    prolong: sparse.csr_array
    mesh: SpectralMesh
    carry: sparse.csr_array
    vertices: Floats
    faces: NDArray[np.int32]
    features: AnyFloats
    usable: Integers
    sense: int = 1

    @staticmethod
    def of(
        body: Body,
        mesh: SpectralMesh,
        features: AnyFloats,
        hints: tuple[Floats, sparse.csr_array],
        size: int,
    ) -> ComparedSurface:
        """Build it from a body.

        Args:
            body: gives the shape.
            mesh: the mesh of its eigenfunctions, with features to compare.
            features: (V, C), those of the shape's vertices.
            hints: how near the user's point pairs are, (P, D) on the mesh; and the matrix (V, P) from its points to the
                shape's vertices.
            size: vertices of its fine mesh, at most about.
        """
        rough, shape = rough_of(mesh), body.shape.snapshot
        anchors = body.surface.snapshot.vertices[mesh.vertex].astype(np.float64)
        scale, turn = similarity_alignment(anchors, mesh.points)
        moved = scale * turn.apply(shape.vertices - anchors.mean(axis=0)) + mesh.points.mean(axis=0)
        features = np.hstack((features, hints[1] @ hints[0]))
        fine = coarsen(moved, shape.faces, size)
        return ComparedSurface(
            RegisteredMesh(
                rough.points, rough.faces, rough.normals, rough.mass,
                np.hstack((rough.features, hints[0][rough.vertex])),
            ),
            registered_mesh(fine.vertices, fine.faces, features[fine.vertex]),
            fine.prolong,
            mesh,
            hints[1],
            moved,
            shape.faces,
            features,
            body.shape.usable,
        )  # fmt: skip

    def mirrored(self) -> ComparedSurface:
        """Its mirror image, on which left and right are exchanged."""
        image = np.array([-1.0, 1.0, 1.0])
        rough, fine = (
            RegisteredMesh(mesh.points * image, mesh.faces[:, ::-1], mesh.normals * image, mesh.mass, mesh.features)
            for mesh in (self.rough, self.fine)
        )
        return replace(self, rough=rough, fine=fine, vertices=self.vertices * image, sense=-self.sense)
