"""The side of each vertex of a shape, the same sides for all shapes of a family.

Features hardly tell left from right, and distances along surfaces do not at all. A shape's own mirror map
(:mod:`meshkin.symmetry.mirrors`) tells its two sides apart, but not which of them is which. One shape of the family,
the reference, settles that: of the two maps between it and another shape that keep the sides apart, the one that keeps
the orientation of triangles goes with the right choice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..data.snapshot import Snapshot
from ..geometry.arrays import AnyFloats, Floats, Singles
from ..geometry.laplacian import single_thread
from ..geometry.mending import mended
from ..geometry.outside import outward_faces
from ..spectral import pca
from ..spectral.eigenbasis import EigenbasisSettings, SpectralMesh, spectral_mesh, with_features, with_weighted_features
from ..spectral.similarity import spectral_similarity
from ..symmetry.candidate_maps import AlignmentSettings, MeshPair, maps_by_side
from ..symmetry.mirror_refinement import Guess
from ..symmetry.mirrors import Mirror, borrowed_guesses, has_several_symmetries, mirrors_of, own_guesses, rough_of

SIDE_COMPONENTS = 32
"""Principal components of the features by which mirror maps are found. Chosen: as many as the matcher compares."""
FEWEST_EIGENFUNCTIONS = 40
"""A shape with fewer has too few points for its sides to be told apart: the size up to which a mirror map is borrowed.
"""
SEARCH_WEIGHTS = (1.6, 0.5)
"""Weight of the features against the eigenfunctions between shapes whose intrinsic geometry differs, and between bent
copies. Those of the matcher."""
TRIED = 2
"""Mirror maps of a shape that are tried, the best ones. Chosen."""


@dataclass(frozen=True)
class SpectralShape:
    """A shape whose sides are to be told.

    Attributes:
        mesh: a coarser mesh of it, with features.
        to_vertices: carries values (P, C) of the coarser mesh's points to the shape's vertices, (V, C).
    """

    mesh: SpectralMesh
    to_vertices: Callable[[Floats], Floats]

    @staticmethod
    def of(shape: Snapshot, features: AnyFloats, components: pca.Basis) -> SpectralShape:
        """Mend and coarsen a shape; ``features`` (V, C) become ``components``, those of the family."""
        faces = outward_faces(shape.vertices, shape.faces)
        mesh = mended(shape.vertices, faces)
        spectral, prolong = spectral_mesh(mesh.vertices, mesh.faces, EigenbasisSettings())
        known = np.asarray(features).any(axis=1, keepdims=True)  # the others get the mean
        rows = np.asarray(pca.project(components, features) * known, np.float32)
        sampled = mesh.sampled(rows, shape.vertices.astype(np.float64), faces).astype(np.float32)
        return SpectralShape(
            with_features(spectral, sampled), lambda values: np.asarray(mesh.carried(prolong @ values))
        )


@dataclass(frozen=True)
class Reference:
    """The shape that says which side of a family is which.

    Attributes:
        mesh: its coarser mesh, with features.
        mirror: its mirror map.
    """

    mesh: SpectralMesh
    mirror: Mirror


def common_sides(shapes: Sequence[SpectralShape], tick: Callable[[], None]) -> tuple[list[Singles], Reference | None]:
    """The sides of several shapes.

    Args:
        shapes: members of one family.
        tick: is called in every round; may raise Cancelled.

    Returns:
        for each shape float32 (V,) in [-1, 1], 0 everywhere where its sides cannot be told apart; and the reference,
        the shape with the clearest mirror map, None where no shape has one.
    """
    with single_thread():
        guesses = [_guesses(shape.mesh, tick) for shape in shapes]
        able = [number for number, own in enumerate(guesses) if own]
        if not able:
            return [_unknown(shape) for shape in shapes], None
        best = min(able, key=lambda number: guesses[number][0].faults)
        reference = Reference(shapes[best].mesh, mirrors_of(shapes[best].mesh, guesses[best][:1])[0])
        sides = [
            _at_vertices(shape, reference.mirror.side) if number == best else _side(shape, own, reference, tick)
            for number, (shape, own) in enumerate(zip(shapes, guesses, strict=True))
        ]
    return sides, reference


def side_beside(shape: SpectralShape, reference: Reference | None, tick: Callable[[], None]) -> Singles:
    """The side of each vertex of one more shape, as :func:`common_sides`; all 0 without a reference."""
    if reference is None:
        return _unknown(shape)
    with single_thread():
        return _side(shape, _guesses(shape.mesh, tick), reference, tick)


def _guesses(mesh: SpectralMesh, tick: Callable[[], None]) -> list[Guess]:
    """Mirror maps that a shape may have; none for one that is too small, or that has several symmetries."""
    if mesh.eigenfunctions.shape[1] < FEWEST_EIGENFUNCTIONS or has_several_symmetries(mesh):
        return []
    return own_guesses(rough_of(mesh), tick)


def _side(shape: SpectralShape, guesses: list[Guess], reference: Reference, tick: Callable[[], None]) -> Singles:
    """The side of each vertex by the mirror map and the choice of sides with which orientation is kept best."""
    mesh = shape.mesh
    if mesh.eigenfunctions.shape[1] < FEWEST_EIGENFUNCTIONS or has_several_symmetries(mesh):
        return _unknown(shape)
    lent = borrowed_guesses(rough_of(reference.mesh), reference.mirror.twin, rough_of(mesh), guesses, tick)
    settings = AlignmentSettings()
    similarity = spectral_similarity((reference.mesh.eigenvalues, mesh.eigenvalues))
    weight = SEARCH_WEIGHTS[0] + (SEARCH_WEIGHTS[1] - SEARCH_WEIGHTS[0]) * similarity
    no_hints = np.zeros((len(reference.mesh.points), 0)), np.zeros((len(mesh.points), 0))
    weighted = with_weighted_features(reference.mesh, weight), with_weighted_features(mesh, weight)
    pair = MeshPair(*weighted, no_hints, tick, settings)
    clearest, side = settings.clear, np.zeros(len(mesh.points))
    for mirror in mirrors_of(mesh, lent[:TRIED]):
        maps = maps_by_side(pair, (reference.mirror, mirror))
        one, other = maps(mirror.side), maps(-mirror.side)
        difference = one.orientation - other.orientation
        if abs(difference) > clearest:
            clearest, side = abs(difference), np.sign(difference) * mirror.side
    return _at_vertices(shape, side)


def _at_vertices(shape: SpectralShape, side: Floats) -> Singles:
    return np.clip(shape.to_vertices(side[:, None])[:, 0], -1, 1).astype(np.float32)


def _unknown(shape: SpectralShape) -> NDArray[np.float32]:
    return _at_vertices(shape, np.zeros(len(shape.mesh.points)))
