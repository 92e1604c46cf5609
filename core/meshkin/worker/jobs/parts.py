"""Jobs about parts of shapes."""

from __future__ import annotations

from ...base.progress import ProgressCallback
from ...data.snapshot import Snapshot
from ..requests.parts import FindParts, FindPartsResult, PartArrays


def find_shape_parts(request: FindParts, report: ProgressCallback) -> FindPartsResult:
    """Cut shapes into parts, which are written for the polygons of the objects' own meshes."""
    from ...cache import store as cache
    from ...parts.finding import find_parts, labels_of_polygons

    shapes = [Snapshot.load(item.shape) for item in request.shapes]
    features = [cache.read(item.features).features for item in request.shapes]
    found = find_parts(
        list(zip(shapes, features, strict=True)),
        request.count,
        request.smooth,
        lambda share: report("Finding parts", share),
    )
    files = []
    for item, shape, parts in zip(request.shapes, shapes, found, strict=True):
        labels = labels_of_polygons(parts, shape, Snapshot.load(item.own))
        files.append(PartArrays(*labels).save(item.output))
    return FindPartsResult(found[0].count, tuple(files))
