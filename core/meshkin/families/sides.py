"""The side of each vertex of a shape, the same sides for all shapes of a family.

Features hardly tell left from right, and distances along surfaces do not at all. A shape's own mirror map
(:mod:`meshkin.symmetry.mirrors`) tells its two sides apart, but not which of them is which. The shape with the clearest
one settles that for the family: from its sides is learned how sides are read off features
(:mod:`meshkin.families.handedness`). What is read on another shape says which of its two sides is which, and is then
learned from, too: first where reading and mirror map agree most.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ..data.snapshot import Snapshot
from ..geometry.arrays import AnyFloats, Floats, Singles
from ..geometry.laplacian import single_thread
from ..geometry.mending import mended
from ..geometry.outside import outward_faces
from ..spectral import pca
from ..spectral.eigenbasis import EigenbasisSettings, SpectralMesh, spectral_mesh, with_features
from ..symmetry.mirror_sides import connected_sides
from ..symmetry.mirrors import has_several_symmetries, mirrors_of, own_guesses, rough_of
from .handedness import Forms, SideLesson, SideReader, sample, sides

SIDE_COMPONENTS = 32
"""Principal components of the features by which mirror maps are found. Chosen: as many as the matcher compares."""
FEWEST_EIGENFUNCTIONS = 40
"""A shape with fewer has too few points for its sides to be told apart: the size up to which a mirror map is borrowed.
"""
TRIED = 2
"""Mirror maps of a shape that are tried, the best ones. Measured: the first was right on 0.84 of a deer's points, the
second on 0.96."""
MOST_FAULTS = 1.5
"""Times the faults of the best mirror map that one may have to be tried. Measured: 1.02 and 1.1 where the second was
right on more points; 1.9 for one of a cow, right on 0.63, that agreed as well with what was read as the first."""
READ_AGREEMENT = 0.2
"""Correlation of what is read with a mirror map below which nothing is learned from it. Measured: 0.83 and more on the
members of four families of people and animals, all rightly; 0.46 and more on others of these kinds in other poses. For
a cat that licks its paw it was 0.12 before signatures were read."""
OWN_WEIGHT = 0.5
"""Of the mirror map beside what is read, times their correlation. Measured, share of right points with 0, 0.5, 1 and 2:
on five unseen animals of other species 0.985, 0.997, 0.997, 0.997, on six people in other poses 0.937, 0.976, 0.980,
0.982, on seven animals in other poses 0.995, 0.996, 0.987, 0.981, on three people of other build, never seen, 0.996,
0.996, 0.980, 0.972."""


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


def common_sides(shapes: Sequence[SpectralShape], tick: Callable[[], None]) -> tuple[list[Singles], SideReader | None]:
    """The sides of several shapes.

    Args:
        shapes: members of one family.
        tick: is called in every round; may raise Cancelled.

    Returns:
        for each shape float32 (V,) in [-1, 1], 0 everywhere where it has no mirror map; and what reads the sides of
        others, None where no shape has a clear mirror map.
    """
    with single_thread():
        mirrors = [_own_sides(shape.mesh, tick) for shape in shapes]
        able = [number for number, own in enumerate(mirrors) if own]
        if not able:
            return [_at_vertices(shape, None) for shape in shapes], None
        forms = Forms.of([shapes[number].mesh for number in able])
        points, rows = {}, {}
        for number in able:
            tick()
            points[number] = sample(shapes[number].mesh)
            rows[number] = forms.rows(shapes[number].mesh)[points[number]]
        own = {number: [side[points[number]] for _, side in mirrors[number]] for number in able}
        first = min(able, key=lambda number: mirrors[number][0][0])
        reader = SideReader(forms, _learned(rows, own, first, tick))
        return [
            _at_vertices(shape, _read(reader, shape.mesh, [side for _, side in one]))
            for shape, one in zip(shapes, mirrors, strict=True)
        ], reader


def side_beside(shape: SpectralShape, reader: SideReader | None, tick: Callable[[], None]) -> Singles:
    """The side of each vertex of one more shape, as :func:`common_sides`; all 0 without a reader."""
    if reader is None:
        return _at_vertices(shape, None)
    with single_thread():
        return _at_vertices(shape, _read(reader, shape.mesh, [side for _, side in _own_sides(shape.mesh, tick)]))


def _own_sides(mesh: SpectralMesh, tick: Callable[[], None]) -> list[tuple[float, Floats]]:
    """The sides (P,) by the mirror maps that a shape may have, with the maps' faults, fewest first; none for a shape
    that is too small, or that has several symmetries."""
    if mesh.eigenfunctions.shape[1] < FEWEST_EIGENFUNCTIONS or has_several_symmetries(mesh):
        return []
    guesses = own_guesses(rough_of(mesh), tick)[:TRIED]
    guesses = [guess for guess in guesses if guess.faults <= MOST_FAULTS * guesses[0].faults]
    mirrors = mirrors_of(mesh, guesses)
    return [(guess.faults, connected_sides(mesh, one.side)) for guess, one in zip(guesses, mirrors, strict=True)]


def _learned(rows: dict[int, Singles], own: dict[int, list[Floats]], first: int, tick: Callable[[], None]) -> Floats:
    """The weights by which sides are read, learned from one shape after the other.

    Args:
        rows: of forms (N, R), of each shape.
        own: the sides (N,) by the mirror maps of each shape.
        first: the shape that says which side is which.
        tick: is called for each shape.
    """
    lesson = SideLesson.empty(rows[first].shape[1])
    lesson.add(rows[first], own[first][0])
    waiting = set(rows) - {first}
    while waiting:
        tick()
        weights = lesson.weights()
        agreements = {number: _best(sides(rows[number], weights), own[number]) for number in sorted(waiting)}
        number = max(agreements, key=lambda one: abs(agreements[one][0]))
        agreement, side = agreements[number]
        if abs(agreement) < READ_AGREEMENT:
            break
        lesson.add(rows[number], np.sign(agreement) * side)
        waiting.remove(number)
    return lesson.weights()


def _read(reader: SideReader, mesh: SpectralMesh, own: Sequence[Floats]) -> Floats | None:
    """The side of each point (P,): what is read, and the mirror map that agrees most with it; None without one."""
    if not own:
        return None
    read = reader.read(mesh)
    agreement, side = _best(read, own)
    return np.clip(read + OWN_WEIGHT * agreement * side, -1, 1)


def _best(read: Floats, own: Sequence[Floats]) -> tuple[float, Floats]:
    """Which sides agree most with what was read, or disagree most, and their correlation with it."""
    correlations = [float(read @ side / max(float(np.linalg.norm(read) * np.linalg.norm(side)), 1e-12)) for side in own]
    number = int(np.argmax(np.abs(correlations)))
    return correlations[number], own[number]


def _at_vertices(shape: SpectralShape, side: Floats | None) -> Singles:
    """The side of each vertex, float32 (V,), 0 without one of the points (P,)."""
    values = np.zeros(len(shape.mesh.points)) if side is None else side
    return np.clip(shape.to_vertices(values[:, None])[:, 0], -1, 1).astype(np.float32)
