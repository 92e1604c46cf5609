"""The two shapes that the matcher gets, with their features, and what the user says about their match."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..base.errors import InputError
from ..data.features import Features
from ..data.snapshot import Snapshot
from ..features.joint import IntrinsicColumns, join
from ..geometry.arrays import AnyFloats, Integers


@dataclass(frozen=True)
class DescribedSurface:
    """A shape and the features of its vertices.

    Attributes:
        snapshot: the shape.
        features: float (V, C), one row for each vertex; all zero where nothing is known.
        confidence: float (V,) in [0, 1], how far to trust each row; 0 excludes a vertex as an answer.
        posed: float (V, 3), where its vertices lie on the other shape, in that one's frame, once it is posed until its
            joints are the other's; None if these are not known.
    """

    snapshot: Snapshot
    features: NDArray[np.floating]
    confidence: NDArray[np.floating]
    posed: AnyFloats | None = None

    @property
    def name(self) -> str:
        """The shape's name."""
        return self.snapshot.name

    @property
    def usable(self) -> Integers:
        """Integers of the vertices that may be an answer, as :func:`usable_vertices`."""
        return usable_vertices(self.snapshot.faces, self.confidence)

    def check(self) -> None:
        """Check that the arrays belong together.

        Raises InputError: as :meth:`Snapshot.check`; ``features-mesh`` (not a row for each vertex), ``features-nan``.
        """
        self.snapshot.check()
        shape, rows, count = np.shape(self.features), len(self.features), len(self.snapshot.vertices)
        if len(shape) != 2 or rows != count or np.shape(self.confidence) != (rows,):
            raise InputError(
                "features-mesh",
                f"The features do not belong to “{self.name}”: {rows} rows for {count} vertices.",
                "Compute them again.",
            )
        if not (np.isfinite(self.features).all() and np.isfinite(self.confidence).all()):
            raise InputError("features-nan", f"Some features of “{self.name}” are not numbers.", "Compute them again.")


def described_pair(
    source: Snapshot, target: Snapshot, source_features: Features, target_features: Features
) -> tuple[DescribedSurface, DescribedSurface, list[IntrinsicColumns]]:
    """Bring the features of two shapes, made by one recipe, into one space.

    Returns:
        both shapes with their features, and which of their channels only describe intrinsic geometry.
    """
    joined = join([source_features, target_features])
    source_rows, target_rows = joined.rows
    return (
        DescribedSurface(source, source_rows, source_features.confidence),
        DescribedSurface(target, target_rows, target_features.confidence),
        joined.intrinsic,
    )


def usable_vertices(faces: NDArray[np.integer], confidence: NDArray[np.floating]) -> Integers:
    """Return the vertices that are on a triangle and have confidence; all on a triangle if none has confidence."""
    is_on_surface = np.zeros(len(confidence), bool)
    is_on_surface[faces] = True
    is_usable = is_on_surface & (confidence > 0)
    return np.flatnonzero(is_usable if is_usable.any() else is_on_surface)


def check_both(source: DescribedSurface, target: DescribedSurface) -> None:
    """Check that two described surfaces can be compared.

    Raises InputError: as :meth:`DescribedSurface.check`; ``features-differ`` (not the same channels).
    """
    source.check()
    target.check()
    source_width, target_width = source.features.shape[1], target.features.shape[1]
    if source_width != target_width:
        raise InputError(
            "features-differ",
            f"“{source.name}” has features of {source_width} channels, “{target.name}” of {target_width}.",
            "Compute both with the same settings.",
        )


@dataclass(frozen=True)
class Guidance:
    """What the user says about a match.

    Attributes:
        pairs: int64 (N, 2), a source and a target vertex each, that correspond.
        flip: whether to take the other answer: left for right, or the other place if a part fits two.
    """

    pairs: Integers = field(default_factory=lambda: np.empty((0, 2), np.int64))
    flip: bool = False


def checked_pairs(source: DescribedSurface, target: DescribedSurface, pairs: NDArray[np.integer] | None) -> Integers:
    """Return point pairs as int64 (N, 2); raises InputError ``pairs-vertex`` if one names no vertex of a surface."""
    pairs = np.asarray(np.empty((0, 2)) if pairs is None else pairs, np.int64).reshape(-1, 2)
    for surface, vertices in ((source, pairs[:, 0]), (target, pairs[:, 1])):
        missing = vertices[(vertices < 0) | (vertices >= len(surface.snapshot.vertices))]
        missing = missing if len(missing) else vertices[~np.isin(vertices, surface.snapshot.faces)]
        if len(missing):
            raise InputError(
                "pairs-vertex",
                f"“{surface.name}” has no vertex {missing[0]} on its surface, which a point pair names.",
                "Pick the point again.",
            )
    return pairs
