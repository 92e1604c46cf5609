"""Candidate maps between two shapes: found with or without regard to left and right, and compared by their faults.

Maps are found on the rough meshes of both shapes. Without regard to the sides, only functions that are the same on both
sides of each shape are used; then each answer, or its mirror twin, is taken, whichever lies on the right side.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from ..geometry.arrays import Floats, Integers, nearest_rows
from ..spectral.eigenbasis import SpectralMesh
from ..spectral.functional_map import PairOfFloats, PointMaps, zoomout_refine
from ..spectral.similarity import dirichlet_energy, kept_orientation
from .mirrors import Mirror, SymmetrySettings, rough_of


@dataclass(frozen=True)
class AlignmentSettings:
    """How two shapes are brought into one space. All values are chosen, but for the one with a figure.

    Attributes:
        side_weight: of the side beside eigenfunctions and features, whose total variances are 1.
        first: eigenfunctions with which the refinement of maps starts.
        first_symmetric: symmetric functions with which the refinement of maps without sides starts.
        pair_reaches: how far a point pair is felt, along a surface of area 1: a feature for each.
        pair_weight: of these features.
        part_functions: smooth functions from which the parts are made whose sides are exchanged.
        least_part: share of the points that such a part must have.
        pieces: pieces that are turned over and tried at once, the largest ones.
        mirror_pairs: pairs of mirror maps that are tried, the best ones.
        repaired: pairs of them whose maps are repaired, the best ones.
        repair_rounds: parts that are repaired at most.
        as_good: a map counts as equally good if its faults are at most this multiple of the fewest; features then
            decide. Measured: with 1.1 a person's legs were exchanged.
        nearly_as_good: maps from other mirror maps are tried, too, if their faults are at most this multiple of the
            fewest.
        clear: by how much more of the triangles must keep their orientation for the choice of sides to be clear.
        symmetry: how mirror maps are found.
    """

    side_weight: float = 0.5
    first: int = 20
    first_symmetric: int = 6
    pair_reaches: tuple[float, ...] = (0.05, 0.2, 0.6)
    pair_weight: float = 0.5
    part_functions: int = 15
    least_part: float = 0.01
    pieces: int = 2
    mirror_pairs: int = 4
    repaired: int = 2
    repair_rounds: int = 3
    as_good: float = 1.02
    nearly_as_good: float = 2.0
    clear: float = 0.25
    symmetry: SymmetrySettings = field(default_factory=SymmetrySettings)


@dataclass(frozen=True)
class MeshPair:
    """Two shapes that are to be aligned.

    Attributes:
        source, target: their meshes, with weighted features.
        hints: features of both that say how near the user's point pairs are, (P, D) and (Q, D).
        tick: is called in every round of a refinement; may raise Cancelled.
        settings: of the alignment.
    """

    source: SpectralMesh
    target: SpectralMesh
    hints: PairOfFloats
    tick: Callable[[], None]
    settings: AlignmentSettings

    @property
    def rough(self) -> tuple[SpectralMesh, SpectralMesh]:
        """The rough meshes of source and target."""
        return rough_of(self.source), rough_of(self.target)

    def on_rough(self, values: PairOfFloats) -> PairOfFloats:
        """Return the rows of values (P, D) and (Q, D) that belong to the points of the rough meshes."""
        source, target = self.rough
        return values[0][source.vertex], values[1][target.vertex]

    def extra(self, sides: PairOfFloats) -> PairOfFloats:
        """Return what is compared beside the eigenfunctions: features, nearness to point pairs, sides."""
        return (
            np.hstack((self.source.features, self.hints[0], sides[0])).astype(np.float64),
            np.hstack((self.target.features, self.hints[1], sides[1])).astype(np.float64),
        )

    def without_sides(self) -> PairOfFloats:
        """Return empty coordinates of the sides, (P, 0) and (Q, 0)."""
        return np.zeros((len(self.source.points), 0)), np.zeros((len(self.target.points), 0))


@dataclass(frozen=True)
class Candidate:
    """Maps both ways between two rough meshes.

    Attributes:
        maps: a source point for each target point, and a target point for each source point.
        sides: the sides as coordinates, (P, S) and (Q, S), with which the maps were found.
        orientation: share of the triangles that keep their orientation.
        dirichlet_energy: mean of both maps' :func:`meshkin.spectral.similarity.dirichlet_energy`.
        feature_distance: mean distance of matched features (the instance matching distance of Zhang et al., "Telling
            Left from Right", 2024, section 3.2, under the map).
        mirrored: ``orientation`` with the other choice of sides; None if there is none.
    """

    maps: PointMaps
    sides: PairOfFloats
    orientation: float
    dirichlet_energy: float
    feature_distance: float
    mirrored: float | None = None

    @property
    def faults(self) -> float:
        """What the best of several candidates has least of."""
        return self.dirichlet_energy / max(self.orientation, 1e-6)


MapsBySide = Callable[[Floats], Candidate]
"""Makes maps from the side of each of the target's points, (Q,)."""


def refined(pair: MeshPair, maps: PointMaps | None, sides: PairOfFloats) -> Candidate:
    """Refine maps on the rough meshes.

    Args:
        pair: the two meshes.
        maps: to start from; None to start from what is compared beside the eigenfunctions.
        sides: coordinates of the sides, (P, S) and (Q, S).
    """
    source, target = pair.rough
    extra = pair.on_rough(pair.extra(sides))
    if maps is None:
        maps = nearest_rows(extra[0], extra[1]), nearest_rows(extra[1], extra[0])
    bases, eigenvalues = (source.eigenfunctions, target.eigenfunctions), (source.eigenvalues, target.eigenvalues)
    maps, _ = zoomout_refine(source, target, bases, eigenvalues, extra, maps, pair.settings.first, pair.tick)
    energy = (dirichlet_energy(target, source, maps[0]) + dirichlet_energy(source, target, maps[1])) / 2
    differences = source.features[maps[0]] - target.features, source.features - target.features[maps[1]]
    distance = np.mean([np.linalg.norm(difference, axis=1).mean() for difference in differences])
    return Candidate(maps, sides, kept_orientation(target, source, maps[0]), energy, float(distance))


def maps_by_side(pair: MeshPair, mirrors: tuple[Mirror, Mirror]) -> MapsBySide:
    """Return what makes maps that tell left from right, by a mirror map of each shape.

    The maps start from one that ignores the sides, which is found once.
    """
    extra = pair.on_rough(pair.extra(pair.without_sides()))
    averages = tuple((rows + rows[mirror.twin]) / 2 for rows, mirror in zip(extra, mirrors, strict=True))
    sideless = symmetric_maps(pair, mirrors, (averages[0], averages[1]))

    def maps_with(side: Floats) -> Candidate:
        weight = pair.settings.side_weight
        sides = mirrors[0].side[:, None] * weight, side[:, None] * weight
        source, target = pair.on_rough(sides)
        maps = (
            _on_own_side(sideless[0], mirrors[0], source, target),
            _on_own_side(sideless[1], mirrors[1], target, source),
        )
        return refined(pair, maps, sides)

    return maps_with


def symmetric_maps(pair: MeshPair, mirrors: tuple[Mirror, Mirror], extra: PairOfFloats) -> PointMaps:
    """Return maps between the rough meshes that ignore the sides, by symmetric functions alone.

    Args:
        pair: the two meshes.
        mirrors: a mirror map of each.
        extra: what is compared beside the functions on the rough meshes, the same on both sides of each shape.
    """
    bases = pair.on_rough((mirrors[0].symmetric, mirrors[1].symmetric))
    maps = nearest_rows(extra[0], extra[1]), nearest_rows(extra[1], extra[0])
    eigenvalues = mirrors[0].eigenvalues, mirrors[1].eigenvalues
    return zoomout_refine(*pair.rough, bases, eigenvalues, extra, maps, pair.settings.first_symmetric, pair.tick)[0]


def with_other_sides(pair: MeshPair, candidate: Candidate, source_mirror: Mirror) -> Candidate:
    """Return the maps with left and right exchanged."""
    to_source, to_target = candidate.maps
    maps = source_mirror.twin[to_source], to_target[source_mirror.twin]
    return refined(pair, maps, (candidate.sides[0], -candidate.sides[1]))


def _on_own_side(to_image: Integers, mirror: Mirror, side: Floats, asking_side: Floats) -> Integers:
    """Return a map that ignores the sides with each answer replaced by its twin if it lies on the wrong side.

    Args:
        to_image: the map.
        mirror: of the shape that it maps to.
        side: (P, 1), of that shape's points.
        asking_side: (Q, 1), of the points that are mapped.
    """
    is_wrong = side[to_image, 0] * asking_side[:, 0] < 0
    return np.where(is_wrong, mirror.twin[to_image], to_image)
