"""Left and right: shapes' own mirror maps, found from their features, in any pose and along no axis.

Features tell what a point is but not on which side it lies: of all points away from it, the one most like it is its
mirror twin, give or take. A map of points that rough is enough for the few smoothest functions: read as a small
matrix, it splits them into symmetric ones (+1) and antisymmetric ones (-1). That involution is refined to a map of
points. A shape for which this fails borrows its symmetric functions from the other shape, through features.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, sparse

from ..geometry.arrays import Floats, Integers, nearest_rows
from ..spectral.eigenbasis import SpectralMesh
from ..spectral.functional_map import coefficients
from ..spectral.similarity import kept_orientation

SIZES = (6, 8, 10, 12, 16, 20)
"""Numbers of functions that a first guess is made from."""
BORROWED = (12, 20, 40)
"""The same when the other shape's symmetric functions help."""
NEIGHBORHOODS = (0.25, 0.4)
"""Radii within which a point's twin is not looked for, in mean distances of any two points."""
NEIGHBORS = 10
"""Points with similar features over which a function is averaged."""
REFINED = 60
"""Functions by which the mirror map is refined to."""
SPLIT = 80
"""Functions split into symmetric and antisymmetric ones."""
FEATURE_WEIGHT = 0.3
"""Of the features against the functions in the search for the mirror map."""
CUT_WEIGHT = 20
"""Of the cost of the cut between the sides among a mirror map's faults."""
CHOICES = 3
"""Mirror maps of a shape that are tried."""
SAME = 0.1
"""Mean distance, in mean distances from the center, up to which two mirror maps are the same."""
FEW = 0.45
"""Share of the smoothest functions that are symmetric below which there may be several symmetries; of one mirror, half
are."""
CLEARLY = 0.6
"""By how much more must be left of the symmetric functions than of the others."""
OPPOSITE = -0.6
"""What of an antisymmetric function is left on twins if there is only one: -1, and noise. A third of that, if of three
twins two lie on the other side."""
CLEAR = 0.2
"""A guess whose :func:`_faults` are fewer ends the search."""


@dataclass(frozen=True)
class Mirror:
    """The mirror map of one shape.

    Attributes:
        twin: int64 (R,), for each point of the rough mesh the one on the other side.
        symmetric: float64 (P, A), orthonormal functions that are the same on both sides, smoothest first.
        eigenvalues: float64 (A,), of these functions.
        side: float64 (P,), 1 on one side, -1 on the other, passing through 0 where they meet.
    """

    twin: Integers
    symmetric: Floats
    eigenvalues: Floats
    side: Floats


Smooth = tuple[Floats, Floats]
"""Smooth functions (P, A) and their energies (A,)."""
Guess = tuple[float, Integers]
"""A self-map (R,) of a rough mesh and its :func:`_faults`."""


def find_mirrors(one: SpectralMesh, two: SpectralMesh, tick: Callable[[], None]) -> tuple[list[Mirror], list[Mirror]]:
    """The mirror maps that two shapes may have, best first; none for a shape that has none that is clear.

    A map is taken for a mirror only if it reverses the orientation of triangles, leads back when applied twice, keeps
    the features and moves points far. ``tick`` is called between rounds; may raise Cancelled.
    """
    ends = rough_of(one), rough_of(two)
    if min(end.eigenfunctions.shape[1] for end in ends) < max(BORROWED):
        return [], []
    guesses = [_refined_guesses(end, _own_guesses(end), tick) for end in ends]
    better = 0 if _least(guesses[0]) <= _least(guesses[1]) else 1
    for giver in (better, 1 - better):
        if guesses[giver]:
            taker = ends[1 - giver]
            lent = _borrowed_guesses(ends[giver], guesses[giver][0][1], taker)
            guesses[1 - giver] = _different(taker, guesses[1 - giver] + _refined_guesses(taker, lent, tick))
    found = [
        [_split(shape, end, twin) for _, twin in some[:CHOICES]]
        for shape, end, some in zip((one, two), ends, guesses, strict=True)
    ]
    return found[0], found[1]


def has_several(shape: SpectralMesh) -> bool:
    """Whether a shape has more than one symmetry (a table, a vase, a ball): points have more than one twin.

    Averaged over all of a point's twins, symmetric functions stay as they are; of the others the less is left the more
    twins there are.
    """
    end = rough_of(shape)
    values = np.mean([np.linalg.eigh(matrix)[0] for matrix in _averages(end, (SIZES[3],))], axis=0)
    steps = np.diff(values)
    symmetric = len(steps) - steps.argmax()
    return bool(steps.max() > CLEARLY and symmetric < FEW * len(values) and values[0] > OPPOSITE)


def rough_of(shape: SpectralMesh) -> SpectralMesh:
    """The shape's rough mesh."""
    assert shape.rough is not None
    return shape.rough


def _least(guesses: list[Guess]) -> float:
    return guesses[0][0] if guesses else np.inf


def _refined_guesses(shape: SpectralMesh, guesses: Iterator[Floats], tick: Callable[[], None]) -> list[Guess]:
    """The refined guesses that are mirror maps and not the same, those with the fewest faults first."""
    found = []
    for guess in guesses:
        twin = _refined(shape, guess, tick)
        found.append((_faults(shape, twin), twin))
        if found[-1][0] < CLEAR:
            break
    return _different(shape, found)


def _different(shape: SpectralMesh, guesses: list[Guess]) -> list[Guess]:
    """Best first, without those that are no mirror maps, or much like a better one."""
    places = _places(shape)
    kept: list[Guess] = []
    for faults, twin in sorted(guesses, key=lambda guess: guess[0]):
        apart = [np.linalg.norm(places[twin] - places[other], axis=1).mean() for _, other in kept]
        if np.isfinite(faults) and min(apart, default=np.inf) > SAME * np.linalg.norm(places, axis=1).mean():
            kept.append((faults, twin))
    return kept


def _own_guesses(shape: SpectralMesh) -> Iterator[Floats]:
    """Involutions (K, K) from the features."""
    for matrix in _averages(shape, SIZES):
        values, vectors = np.linalg.eigh(matrix)
        yield _involution(vectors, values > 0)


def _averages(shape: SpectralMesh, sizes: Sequence[int]) -> Iterator[Floats]:
    """What becomes of functions averaged over the points most like a point, but far: symmetric matrices (K, K)."""
    places = _places(shape)
    apart = _distances(places)
    unlike = _distances(shape.features.astype(np.float64))
    for radius in NEIGHBORHOODS:
        far = np.where(apart < radius * apart.mean(), np.inf, unlike)
        alike = np.argpartition(far, NEIGHBORS, axis=1)[:, :NEIGHBORS]
        averaged = shape.eigenfunctions[alike, : max(sizes)].mean(axis=1)
        for size in sizes:
            matrix = coefficients(shape.eigenfunctions[:, :size], shape.mass, averaged[:, :size])
            yield (matrix + matrix.T) / 2


def _borrowed_guesses(giver: SpectralMesh, twin: Integers, taker: SpectralMesh) -> Iterator[Floats]:
    """Involutions (K, K) of the taker that keep what the giver's symmetric functions become on it."""
    features = (giver.features + giver.features[twin]) / 2
    alike = nearest_rows(features, taker.features, NEIGHBORS)
    for size in BORROWED:
        vectors, kept = _signs(giver, twin, size)
        symmetric = giver.eigenfunctions[:, :size] @ vectors[:, kept]
        lent = coefficients(taker.eigenfunctions[:, :size], taker.mass, symmetric[alike].mean(axis=1))
        _, vectors = np.linalg.eigh(lent @ lent.T)  # ascending: the antisymmetric ones come first
        yield _involution(vectors, np.arange(size) >= size - symmetric.shape[1])


def _refined(shape: SpectralMesh, matrix: Floats, tick: Callable[[], None]) -> Integers:
    """A map of points from the mirror's matrix, by ZoomOut; each round's matrix is made an involution again."""
    size, most = len(matrix), min(REFINED, shape.eigenfunctions.shape[1])
    while True:
        tick()
        twin = _twin(shape, matrix)
        if size >= most:
            return twin
        size = min(size + max(2, size // 3), most)
        matrix = _involution(*_signs(shape, twin, size))


def _twin(shape: SpectralMesh, matrix: Floats) -> Integers:
    functions = shape.eigenfunctions[:, : len(matrix)] / np.sqrt(len(matrix))
    features = FEATURE_WEIGHT * shape.features
    return nearest_rows(np.hstack((functions, features)), np.hstack((functions @ matrix, features)))


def _involution(vectors: Floats, symmetric: NDArray[np.bool_]) -> Floats:
    """The matrix that keeps the symmetric vectors and negates the others: its own inverse, and keeps lengths."""
    return np.asarray(vectors * np.where(symmetric, 1, -1) @ vectors.T)


def _places(shape: SpectralMesh) -> Floats:
    return np.asarray(shape.eigenfunctions[:, 1:20] / np.sqrt(1 + shape.eigenvalues[1:20]))


def _distances(rows: Floats) -> Floats:
    squares = np.einsum("pd,pd->p", rows, rows)
    return np.sqrt(np.maximum(squares[:, None] + squares - 2 * rows @ rows.T, 0))


def _faults(shape: SpectralMesh, twin: Integers) -> float:
    """How far a self-map is from a mirror map: 0 is perfect, infinite where it is none.

    The sum of the share of triangles that keep their orientation, the mean distance of a point from its twin's twin
    (1 is that of any two points), the root mean square change of the features, the share of points whose twin
    lies on their own side, and the weighted cost of the cut between the sides: a true mirror's sides meet only where
    points are their own twins.
    """
    places = _places(shape)

    def distance(one: NDArray[np.int64], two: NDArray[np.int64]) -> float:
        return float(np.linalg.norm(places[one] - places[two], axis=1).mean())

    points = np.arange(len(twin))
    chance = distance(points, np.random.default_rng(0).permutation(points))
    kept = kept_orientation(shape, shape, twin)
    back, moved = distance(twin[twin], points) / chance, distance(twin, points) / chance
    changed = float(np.sqrt(shape.mass @ ((shape.features[twin] - shape.features) ** 2).sum(axis=1)))
    if kept > 0.5 or back > 0.15 or moved < 0.2 or changed > 0.8:
        return np.inf
    _, antisymmetric = _halves(shape, shape, twin, REFINED)
    pairs, weight = _apartness(shape, twin)
    side = _cut(antisymmetric[0], pairs, weight)
    cost = float(weight[side[pairs[:, 0]] != side[pairs[:, 1]]].sum() / weight.sum())
    astray = float(shape.mass[side[twin] == side].sum())
    return kept + back + changed + astray + CUT_WEIGHT * cost


def _split(shape: SpectralMesh, rough: SpectralMesh, twin: Integers) -> Mirror:
    fine = _twin(shape, _involution(*_signs(rough, twin, SPLIT)))
    symmetric, antisymmetric = _halves(shape, rough, twin, SPLIT)
    return Mirror(twin, *symmetric, _side(shape, fine, antisymmetric[0]))


def _signs(rough: SpectralMesh, twin: Integers, size: int) -> tuple[Floats, NDArray[np.bool_]]:
    """The self-map's eigenvectors among the first functions, and which of them are symmetric."""
    functions = rough.eigenfunctions[:, :size]
    matrix = coefficients(functions, rough.mass, functions[twin])
    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    return vectors, values > 0


def _halves(
    shape: SpectralMesh, rough: SpectralMesh, twin: Integers, size: int
) -> tuple[tuple[Floats, Floats], tuple[Floats, Floats]]:
    """The symmetric and the antisymmetric functions of the shape, each (P, A) with energies (A,), smoothest first."""
    vectors, symmetric = _signs(rough, twin, size)
    energies = shape.eigenvalues[: len(vectors), None]
    found = []
    for basis in (vectors[:, symmetric], vectors[:, ~symmetric]):
        values, order = np.linalg.eigh(basis.T @ (energies * basis))
        found.append((np.asarray(shape.eigenfunctions[:, : len(vectors)] @ (basis @ order)), values))
    return found[0], found[1]


def _side(shape: SpectralMesh, twin: Integers, antisymmetric: Floats) -> Floats:
    """Which side each point lies on: the antisymmetric function that changes only where points are near their twins."""
    pairs, weight = _apartness(shape, twin)
    side = _cut(antisymmetric, pairs, weight)
    graph, degree = _graph(pairs, weight, len(twin))
    for _ in range(30):  # let neighbors agree, the sides staying opposite
        side = graph @ side / degree
        side = np.clip(3 * (side - side[twin]) / 2, -1, 1)
    return np.asarray(side)


def _apartness(shape: SpectralMesh, twin: Integers) -> tuple[NDArray[np.integer], Floats]:
    """Edges and bridges (E, 2), and of each how far its ends are from their twins, squared."""
    places = shape.embedding[:, :60]
    apart = np.linalg.norm(places - places[twin], axis=1)
    one, two = shape.links.T
    return shape.links, np.minimum(apart[one], apart[two]) ** 2


def _graph(pairs: NDArray[np.integer], weight: Floats, count: int) -> tuple[sparse.csr_array, Floats]:
    half = sparse.coo_array((weight, (pairs[:, 0], pairs[:, 1])), shape=(count, count))
    graph = sparse.csr_array(half + half.T)
    return graph, np.asarray(graph.sum(axis=1)).ravel() + 1e-9 * weight.mean()


def _cut(antisymmetric: Floats, pairs: NDArray[np.integer], weight: Floats) -> Floats:
    """The sign (P,) of the antisymmetric function that makes the least normalized cut.

    Cutting along the line where the sides meet costs nothing, points there being their own twins. (Shi and Malik,
    "Normalized Cuts and Image Segmentation", 2000, section 2.)
    """
    graph, degree = _graph(pairs, weight, len(antisymmetric))
    basis = antisymmetric[:, :30]
    cut = basis.T @ (degree[:, None] * basis - graph @ basis)
    _, mixed = linalg.eigh((cut + cut.T) / 2, basis.T @ (degree[:, None] * basis))
    return np.asarray(np.sign(basis @ mixed[:, 0]))
