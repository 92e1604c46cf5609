"""The side of each vertex of a shape, the same sides for all shapes of a family.

Features hardly tell left from right, and distances along surfaces do not at all. A shape's own mirror map
(:mod:`meshkin.symmetry.mirrors`) tells its two sides apart, but not which of them is which. The shape with the clearest
one settles that for the family. Every other shape is compared with those already settled that are most like it: they
lend it their symmetric functions, and of the two maps between it and each of them that keep the sides apart, the one
that keeps the orientation of triangles goes with the right choice. One map may fail; together they decide.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

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
"""Mirror maps of a shape that are tried, the best ones. Measured: the first was right on 0.84 of a deer's points, the
second, with better maps, on 0.96."""
ASKED = 3
"""Settled shapes with which another is compared, the most similar ones. Measured: with one alone, which was of another
species, a horse's sides were right on 0.80 of its points, a dog's on 0.69; by one of its kind on 0.94 and 0.96. One map
of four exchanged the sides; three together did so for none of six shapes."""
LEAST_LIKENESS = 0.05
"""Added to how alike two shapes are, from 0 to 1, which is what a vote counts. Chosen."""
MOST_REFERENCES = 6
"""Shapes that a family keeps to be asked about others. Chosen: 3 MB each, one of each species where there are a few."""


@dataclass(frozen=True)
class SpectralShape:
    """A shape whose sides are to be told.

    Attributes:
        mesh: a coarser mesh of it, with features.
        at_points: values (V, C) of the shape's vertices at the coarser mesh's points, (P, C).
        to_vertices: carries values (P, C) of the coarser mesh's points to the shape's vertices, (V, C).
    """

    mesh: SpectralMesh
    at_points: Callable[[Singles], Singles]
    to_vertices: Callable[[Floats], Floats]

    @staticmethod
    def of(shape: Snapshot, features: AnyFloats, components: pca.Basis) -> SpectralShape:
        """Mend and coarsen a shape; of ``features`` (V, C) it gets the first of ``components``, those of the family."""
        faces = outward_faces(shape.vertices, shape.faces)
        mesh = mended(shape.vertices, faces)
        spectral, prolong = spectral_mesh(mesh.vertices, mesh.faces, EigenbasisSettings())
        vertices = shape.vertices.astype(np.float64)

        def sampled(values: Singles) -> Singles:
            return np.asarray(mesh.sampled(values, vertices, faces), np.float32)

        rows = pca.project(components, features)[:, :SIDE_COMPONENTS]  # what is unknown gets the mean
        return SpectralShape(
            with_features(spectral, sampled(rows)),
            lambda values: sampled(values)[spectral.vertex],
            lambda values: np.asarray(mesh.carried(prolong @ values)),
        )


@dataclass(frozen=True)
class Reference:
    """A shape that says which side of a family is which.

    Attributes:
        mesh: its coarser mesh, with features.
        mirror: its mirror map.
    """

    mesh: SpectralMesh
    mirror: Mirror


def common_sides(
    shapes: Sequence[SpectralShape], tick: Callable[[], None]
) -> tuple[list[Singles], tuple[Reference, ...]]:
    """The sides of several shapes.

    Args:
        shapes: members of one family.
        tick: is called in every round; may raise Cancelled.

    Returns:
        for each shape float32 (V,) in [-1, 1], 0 everywhere where its sides cannot be told apart; and the references,
        none where no shape has a clear mirror map.
    """
    with single_thread():
        guesses = [_guesses(shape.mesh, tick) for shape in shapes]
        able = sorted((own[0].faults, number) for number, own in enumerate(guesses) if own)
        settled: dict[int, Reference] = {}
        if able:
            first = able[0][1]
            settled[first] = Reference(shapes[first].mesh, mirrors_of(shapes[first].mesh, guesses[first][:1])[0])
        waiting = [number for _, number in able[1:]]
        while waiting:  # what is most like a settled one is compared first: between unlike shapes maps are often wrong
            closest = [max(_similarity(shapes[one].mesh, other.mesh) for other in settled.values()) for one in waiting]
            number = waiting.pop(int(np.argmax(closest)))
            mirror = _settled(shapes[number].mesh, guesses[number], list(settled.values()), tick)
            if mirror is not None:
                settled[number] = Reference(shapes[number].mesh, mirror)
        sides = []
        for number, shape in enumerate(shapes):
            found = settled[number].mirror if number in settled else None
            if found is None:
                found = _settled(shape.mesh, guesses[number], list(settled.values()), tick)
            sides.append(_at_vertices(shape, found))
    return sides, _spread(list(settled.values()))


def side_beside(shape: SpectralShape, references: Sequence[Reference], tick: Callable[[], None]) -> Singles:
    """The side of each vertex of one more shape, as :func:`common_sides`; all 0 without references."""
    if not references:
        return _at_vertices(shape, None)
    with single_thread():
        return _at_vertices(shape, _settled(shape.mesh, _guesses(shape.mesh, tick), references, tick))


def _guesses(mesh: SpectralMesh, tick: Callable[[], None]) -> list[Guess]:
    """Mirror maps that a shape may have; none for one that is too small, or that has several symmetries."""
    return [] if _is_unclear(mesh) else own_guesses(rough_of(mesh), tick)


def _is_unclear(mesh: SpectralMesh) -> bool:
    return mesh.eigenfunctions.shape[1] < FEWEST_EIGENFUNCTIONS or has_several_symmetries(mesh)


def _settled(
    mesh: SpectralMesh, guesses: Sequence[Guess], references: Sequence[Reference], tick: Callable[[], None]
) -> Mirror | None:
    """The mirror map with the best maps to the most similar references, if these tell its sides apart; else None.

    Args:
        mesh: a shape.
        guesses: its own mirror maps.
        references: shapes whose sides are settled.
        tick: is called in every round.
    """
    if not references or _is_unclear(mesh):
        return None
    likeness = np.array([_similarity(one.mesh, mesh) for one in references])
    asked = np.argsort(-likeness, kind="stable")[:ASKED].tolist()
    lent = list(guesses)
    for one in asked:
        lent = borrowed_guesses(rough_of(references[one].mesh), references[one].mirror.twin, rough_of(mesh), lent, tick)
    best, fewest = None, np.inf
    for mirror in mirrors_of(mesh, lent[:TRIED]):
        votes = [_vote(mesh, mirror, references[one], tick) for one in asked]
        clear, faults = np.average(votes, axis=0, weights=likeness[asked] + LEAST_LIKENESS).tolist()
        if abs(clear) > AlignmentSettings().clear and faults < fewest:
            best, fewest = replace(mirror, side=np.sign(clear) * mirror.side), faults
    return best


def _vote(mesh: SpectralMesh, mirror: Mirror, reference: Reference, tick: Callable[[], None]) -> tuple[float, float]:
    """What a reference says of a mirror map.

    Returns:
        by how much more of the triangles keep their orientation, from -1 to 1, if both shapes' sides are the same ones
        than if they are exchanged; and the faults of the better map.
    """
    weight = SEARCH_WEIGHTS[0] + (SEARCH_WEIGHTS[1] - SEARCH_WEIGHTS[0]) * _similarity(reference.mesh, mesh)
    no_hints = np.zeros((len(reference.mesh.points), 0)), np.zeros((len(mesh.points), 0))
    weighted = with_weighted_features(reference.mesh, weight), with_weighted_features(mesh, weight)
    maps = maps_by_side(MeshPair(*weighted, no_hints, tick, AlignmentSettings()), (reference.mirror, mirror))
    same, exchanged = maps(mirror.side), maps(-mirror.side)
    return same.orientation - exchanged.orientation, min(same.faults, exchanged.faults)


def _spread(references: Sequence[Reference]) -> tuple[Reference, ...]:
    """The first reference, and those that are least like the ones before, :data:`MOST_REFERENCES` at most."""
    kept, left = list(references[:1]), list(references[1:])
    while left and len(kept) < MOST_REFERENCES:
        closest = [max(_similarity(one.mesh, other.mesh) for other in kept) for one in left]
        kept.append(left.pop(int(np.argmin(closest))))
    return tuple(kept)


def _similarity(one: SpectralMesh, other: SpectralMesh) -> float:
    return spectral_similarity((one.eigenvalues, other.eigenvalues))


def _at_vertices(shape: SpectralShape, mirror: Mirror | None) -> Singles:
    """The side of each vertex, float32 (V,), 0 without a mirror map."""
    side = np.zeros(len(shape.mesh.points)) if mirror is None else mirror.side
    return np.clip(shape.to_vertices(side[:, None])[:, 0], -1, 1).astype(np.float32)
