"""Left and right: the mirror maps of a shape, found from its features, in any pose and along no given axis.

Features tell what a point is but not on which side it lies: of all points far from it, the one most similar to it is
roughly its mirror twin. Such a rough map of points is enough for the smoothest functions: as a small functional map, it
splits them into symmetric ones (+1) and antisymmetric ones (-1). That involution is refined to a map of points
(:mod:`meshkin.symmetry.mirror_refinement`). A shape for which this fails borrows its symmetric functions from the other
shape, through features. Last, the sides are told apart (:mod:`meshkin.symmetry.mirror_sides`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from ..geometry.arrays import Floats, Integers, nearest_rows
from ..spectral.eigenbasis import SpectralMesh
from ..spectral.functional_map import coefficients
from .mirror_refinement import Guess, coordinates, different_guesses, refined_guesses
from .mirror_sides import Mirror, SymmetrySettings, involution, mirror_of, symmetric_vectors

__all__ = ["Mirror", "SymmetrySettings", "find_mirrors", "has_several_symmetries", "rough_of"]


def find_mirrors(
    source: SpectralMesh,
    target: SpectralMesh,
    tick: Callable[[], None],
    settings: SymmetrySettings = SymmetrySettings(),
) -> tuple[list[Mirror], list[Mirror]]:
    """Find the mirror maps that two shapes may have, best first; none for a shape without a clear one.

    A map of a shape to itself counts as a mirror map only if it turns triangles over, leads back when applied twice,
    keeps the features and moves points far.

    Args:
        source, target: meshes with features.
        tick: is called in every round; may raise Cancelled.
        settings: sizes and thresholds.
    """
    meshes = rough_of(source), rough_of(target)
    if min(mesh.eigenfunctions.shape[1] for mesh in meshes) < max(settings.borrowed_sizes):
        return [], []
    guesses = [own_guesses(mesh, tick, settings) for mesh in meshes]
    better = 0 if _fewest_faults(guesses[0]) <= _fewest_faults(guesses[1]) else 1
    for giver in (better, 1 - better):
        if guesses[giver]:
            taker = 1 - giver
            twin = guesses[giver][0].twin
            guesses[taker] = borrowed_guesses(meshes[giver], twin, meshes[taker], guesses[taker], tick, settings)
    return mirrors_of(source, guesses[0], settings), mirrors_of(target, guesses[1], settings)


def own_guesses(
    rough: SpectralMesh, tick: Callable[[], None], settings: SymmetrySettings = SymmetrySettings()
) -> list[Guess]:
    """The mirror maps that a shape may have by its own features, fewest faults first.

    Args:
        rough: its rough mesh.
        tick: is called in every round; may raise Cancelled.
        settings: sizes and thresholds.
    """
    return refined_guesses(rough, _own_involutions(rough, settings), tick, settings)


def borrowed_guesses(
    giver: SpectralMesh,
    twin: Integers,
    taker: SpectralMesh,
    own: Sequence[Guess],
    tick: Callable[[], None],
    settings: SymmetrySettings = SymmetrySettings(),
) -> list[Guess]:
    """The mirror maps that a shape may have, by its own features and by another shape's mirror map.

    Args:
        giver: the other shape's rough mesh.
        twin: its mirror map (R,).
        taker: the shape's rough mesh.
        own: of :func:`own_guesses`.
        tick: is called in every round; may raise Cancelled.
        settings: sizes and thresholds.
    """
    more = refined_guesses(taker, _borrowed_involutions(giver, twin, taker, settings), tick, settings)
    return different_guesses(taker, [*own, *more], settings)


def mirrors_of(
    mesh: SpectralMesh, guesses: Sequence[Guess], settings: SymmetrySettings = SymmetrySettings()
) -> list[Mirror]:
    """The best of the mirror maps that a shape may have, with its sides."""
    return [mirror_of(mesh, rough_of(mesh), guess.twin, settings) for guess in guesses[: settings.choices]]


def has_several_symmetries(mesh: SpectralMesh, settings: SymmetrySettings = SymmetrySettings()) -> bool:
    """Return whether a shape has more than one symmetry (a table, a vase, a ball): points have more than one twin.

    Averaged over all twins of a point, symmetric functions stay as they are. Of the other functions, the less is left
    the more twins there are.
    """
    matrices = _averaging_maps(rough_of(mesh), (settings.several_size,), settings)
    eigenvalues = np.mean([np.linalg.eigh(matrix)[0] for matrix in matrices], axis=0)
    steps = np.diff(eigenvalues)
    symmetric = len(steps) - steps.argmax()
    is_clear = steps.max() > settings.several_step
    has_few = symmetric < settings.several_share * len(eigenvalues)
    return bool(is_clear and has_few and eigenvalues[0] > settings.one_twin)


def rough_of(mesh: SpectralMesh) -> SpectralMesh:
    """Return the mesh's rough mesh."""
    assert mesh.rough is not None
    return mesh.rough


def _fewest_faults(guesses: Sequence[Guess]) -> float:
    return guesses[0].faults if guesses else np.inf


def _own_involutions(mesh: SpectralMesh, settings: SymmetrySettings) -> Iterator[Floats]:
    """Yield functional maps (K, K) that may be the mirror's, from the features."""
    for matrix in _averaging_maps(mesh, settings.sizes, settings):
        eigenvalues, vectors = np.linalg.eigh(matrix)
        yield involution(vectors, eigenvalues > 0)


def _averaging_maps(mesh: SpectralMesh, sizes: Sequence[int], settings: SymmetrySettings) -> Iterator[Floats]:
    """Yield what averaging over the far points most similar to each point does to functions: symmetric (K, K)."""
    places = coordinates(mesh)
    distances = _distances(places)
    differences = _distances(mesh.features.astype(np.float64))
    for radius in settings.neighborhoods:
        far_differences = np.where(distances < radius * distances.mean(), np.inf, differences)
        similar = np.argpartition(far_differences, settings.neighbors, axis=1)[:, : settings.neighbors]
        averages = mesh.eigenfunctions[similar, : max(sizes)].mean(axis=1)
        for size in sizes:
            matrix = coefficients(mesh.eigenfunctions[:, :size], mesh.mass, averages[:, :size])
            yield (matrix + matrix.T) / 2


def _borrowed_involutions(
    giver: SpectralMesh, twin: Integers, taker: SpectralMesh, settings: SymmetrySettings
) -> Iterator[Floats]:
    """Yield functional maps (K, K) of the taker that keep what the giver's symmetric functions become on it.

    Args:
        giver: a mesh with a mirror map.
        twin: this map, (P,).
        taker: the other mesh.
        settings: sizes.
    """
    features = (giver.features + giver.features[twin]) / 2
    similar = nearest_rows(features, taker.features, settings.neighbors)
    for size in settings.borrowed_sizes:
        vectors, is_symmetric = symmetric_vectors(giver, twin, size)
        symmetric = giver.eigenfunctions[:, :size] @ vectors[:, is_symmetric]
        lent = coefficients(taker.eigenfunctions[:, :size], taker.mass, symmetric[similar].mean(axis=1))
        _, vectors = np.linalg.eigh(lent @ lent.T)  # ascending: the antisymmetric ones come first
        yield involution(vectors, np.arange(size) >= size - symmetric.shape[1])


def _distances(rows: Floats) -> Floats:
    """Return the distances (P, P) between all rows (P, D)."""
    squares = np.einsum("pd,pd->p", rows, rows)
    return np.sqrt(np.maximum(squares[:, None] + squares - 2 * rows @ rows.T, 0))
