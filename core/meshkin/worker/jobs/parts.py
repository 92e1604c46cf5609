"""Jobs about parts of shapes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...base.errors import InputError
from ...base.progress import ProgressCallback
from ...data.snapshot import Snapshot
from ...data.surface_map import Match
from ..requests.arrays import load_array
from ..requests.parts import FindParts, FindPartsResult, PartArrays, ShapeToCut

if TYPE_CHECKING:
    from ...parts.finding import Parts
    from ...parts.prepared import PreparedShape

KEPT = 4
"""Shapes that stay prepared, so that another number of parts answers at once. Chosen: 200,000 faces take 100 MB."""
_prepared: dict[tuple[str, str], PreparedShape] = {}


def find_shape_parts(request: FindParts, report: ProgressCallback) -> FindPartsResult:
    """Cut shapes into parts, which are written for the polygons of the objects' own meshes."""
    from ...parts.finding import labels_of_polygons, own_parts, part_names

    first, *others = request.shapes
    shape = Snapshot.load(first.shape)
    files = []
    names: tuple[str, ...] = ()
    has_sides = False
    if request.labels:
        labels = load_array(request.labels, "N")[shape.polygons].astype(np.int64)
    else:
        _check_count(shape, request.count)
        ready = _prepare(first, shape, report)
        parts = own_parts(ready, request.count, request.smooth)
        labels, names, has_sides = parts.labels, part_names(ready, parts), ready.twin is not None
        files.append(_saved(labels_of_polygons(parts, shape, Snapshot.load(first.own)), first.output))
    count = max(request.count if request.labels else len(names), int(labels.max()) + 1)
    for number, item in enumerate(others):
        report("Carrying parts", number / len(others))
        target = Snapshot.load(item.shape)
        parts = _carried(first, shape, labels, count, item, target, request.smooth)
        files.append(_saved(labels_of_polygons(parts, target, Snapshot.load(item.own)), item.output))
    return FindPartsResult(count, names, tuple(files), has_sides)


def _saved(labels: tuple[NDArray[Any], NDArray[Any]], path: Path) -> Path:
    return PartArrays(*labels).save(path)


def _check_count(shape: Snapshot, count: int) -> None:
    if count > len(shape.faces):
        raise InputError(
            "too-many-parts",
            f"“{shape.name}” has {len(shape.faces)} triangles, too few for {count} parts.",
            "Ask for fewer parts.",
        )


def _prepare(item: ShapeToCut, shape: Snapshot, report: ProgressCallback) -> PreparedShape:
    """The prepared shape; the last few stay in memory."""
    from ...cache import store as cache
    from ...parts.prepared import PreparedShape

    key = (item.features.name, shape.key)
    ready = _prepared.pop(key, None) or PreparedShape.of(
        shape, cache.read(item.features).features, lambda share: report("Finding parts", share)
    )
    _prepared[key] = ready
    while len(_prepared) > KEPT:
        del _prepared[next(iter(_prepared))]
    return ready


def _carried(
    first: ShapeToCut,
    source: Snapshot,
    labels: NDArray[np.int64],
    count: int,
    item: ShapeToCut,
    target: Snapshot,
    smooth: float,
) -> Parts:
    """The parts of a shape by the labels (F,) of the first one's faces, through the map between them."""
    from ...cache import store as cache
    from ...features.joint import join
    from ...parts.carrying import carried_parts
    from ...parts.clustering import face_rows, labeled_prototypes
    from ...parts.face_graph import FaceGraph
    from ...transfer.attributes.lookup import MeshWithEdges
    from ...transfer.attributes.transfer import AttributeValues, transfer_attributes

    assert item.map is not None
    to_source = Match.load(item.map).to_source
    rows = join([cache.read(end.features) for end in (first, item)]).rows
    rows_of_source, rows_of_target = (
        face_rows(values, end.faces) for values, end in zip(rows, (source, target), strict=True)
    )
    of_polygons = np.zeros((int(source.polygons.max()) + 1, count))
    known = labels >= 0
    of_polygons[source.polygons[known], labels[known]] = 1
    no_edges = np.empty((0, 2), np.int32)
    (found,) = transfer_attributes(
        MeshWithEdges(source, no_edges),
        MeshWithEdges(target, no_edges),
        to_source,
        [AttributeValues("FACE", "numbers", of_polygons)],
    )
    return carried_parts(
        np.asarray(found)[target.polygons],
        to_source.confidence[target.faces].mean(axis=1),
        rows_of_target,
        labeled_prototypes(rows_of_source, FaceGraph.of(source.vertices, source.faces).areas, labels),
        FaceGraph.of(target.vertices, target.faces),
        smooth,
    )
