"""Requests about values on a mesh (attributes, materials, UV maps, shape keys, detail) and hair."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ...transfer.attributes.kinds import Domain, Kind
from .arrays import ArrayBundle
from .base import Request


@dataclass(frozen=True)
class ValuesToCarry:
    """Values on a mesh.

    Attributes:
        kind: what they are.
        domain: what has a value each.
        values: file of an array (N, C); not read for sculpted detail.
    """

    kind: Kind
    domain: Domain
    values: Path


@dataclass(frozen=True)
class CarryValuesResult:
    """What was carried, in order.

    Attributes:
        values: files of arrays (M, C) on the target's own mesh.
        folded: of displacements, the share of what they move that they fold over itself, beyond what they fold on the
            source; 0 for other values.
    """

    values: tuple[Path, ...]
    folded: tuple[float, ...]


@dataclass(frozen=True)
class CarryKeyPointsResult:
    """Attributes:
    points: file of an array (N, 3), in the target's frame.
    """

    points: Path


@dataclass(frozen=True)
class CarryKeyPoints(Request[CarryKeyPointsResult], job="key-points"):
    """Carry points on a surface, or within it, to another.

    Attributes:
        source, target: snapshot files.
        map: file of a :class:`meshkin.data.surface_map.Match`.
        points: file of an array (N, 3), in the source's frame.
        output: file of the result.
    """

    source: Path
    target: Path
    map: Path
    points: Path
    output: Path


@dataclass(frozen=True)
class CarryValues(Request[CarryValuesResult], job="domains"):
    """Carry values from the source to the target's own mesh.

    Attributes:
        source: snapshot file.
        own: snapshot file of the target's own (unevaluated) mesh.
        original: file of an array int (W,), for each vertex of ``own`` its vertex among the map's.
        map: file of a :class:`meshkin.data.surface_map.Match`.
        source_edges, own_edges: files of arrays int (E, 2), the edges of both meshes.
        values: what to carry.
        folder: where to write the results' arrays.
    """

    source: Path
    own: Path
    original: Path
    map: Path
    source_edges: Path
    own_edges: Path
    values: tuple[ValuesToCarry, ...]
    folder: Path


@dataclass(frozen=True)
class StrandArrays(ArrayBundle):
    """Hair on the target.

    Attributes:
        points: float32 (P, 3), strand after strand, in the target's frame.
        roots: float32 (N, 2), the roots' UVs; 0 if the target has none.
    """

    layout: ClassVar[dict[str, str]] = {"points": "P3", "roots": "N2"}
    points: NDArray[np.float32]
    roots: NDArray[np.float32]


@dataclass(frozen=True)
class CarryStrandsResult:
    """``arrays`` is a file of :class:`StrandArrays`."""

    arrays: Path


@dataclass(frozen=True)
class CarryStrands(Request[CarryStrandsResult], job="strands"):
    """Carry strands of hair.

    Attributes:
        source, target: snapshot files.
        map: file of their :class:`meshkin.data.surface_map.Match`.
        points: file of an array (P, 3), strand after strand, in the source's frame.
        first: file of an array int (N,), the number of each strand's first point, its root.
        output: where to write the result's arrays.
    """

    source: Path
    target: Path
    map: Path
    points: Path
    first: Path
    output: Path
