"""Part of a body against a whole one: the whole is cropped to what has the part's spectrum.

The eigenfunctions of a part, and all that is computed from them, have little in common with the whole's; those of the
right crop are the same but for bending. So if a shape is cut off, crops of the other one are searched that are similar
to it (:mod:`meshkin.matching.crop_search`), and the features of intrinsic geometry are computed anew on each crop.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csgraph

from ..base.progress import ProgressCallback
from ..data.snapshot import Snapshot
from ..data.surface_map import Match
from ..features.joint import IntrinsicColumns
from ..geometry.adjacency import boundary_loop_lengths, edge_graph
from ..geometry.arrays import Integers
from ..geometry.mesh import clean_faces, face_areas
from ..geometry.welding import weld
from .crop_search import PartialSettings, likeliest_crops
from .surfaces import DescribedSurface

__all__ = ["Crop", "PartialSettings", "crops"]


@dataclass(frozen=True)
class Crop:
    """A source and a target of which one is cropped.

    Attributes:
        surfaces: source and target. All vertices are there, only faces of the cropped one are missing, and its
            intrinsic channels are computed anew.
        faces: bool (F,), which faces of the cropped shape are there.
        index: which of the two is cropped: 0 for the source, 1 for the target.
    """

    surfaces: tuple[DescribedSurface, DescribedSurface]
    faces: NDArray[np.bool_]
    index: int

    def is_apart_from(self, other: Crop, settings: PartialSettings) -> bool:
        """Return whether the other crop, of the same shape, is another place of it."""
        common, union = self.faces & other.faces, self.faces | other.faces
        return self.index == other.index and float(common.sum()) < settings.apart * float(union.sum())

    def lifted(self, match: Match, whole_faces: NDArray[np.int32]) -> Match:
        """Return a match of the crop as a match of the whole; what was cropped away has no confidence.

        Args:
            match: of ``surfaces``.
            whole_faces: all faces (F, 3) of the cropped shape.
        """
        if self.index == 1:
            return replace(self, index=0).lifted(match.swapped(), whole_faces).swapped()
        to_source = replace(match.to_source, face=np.flatnonzero(self.faces)[match.to_source.face].astype(np.int32))
        is_there = np.zeros(len(match.to_target.confidence), bool)
        is_there[whole_faces[self.faces]] = True
        to_target = replace(match.to_target, confidence=np.where(is_there, match.to_target.confidence, 0))
        return Match(to_source, to_target, whole_faces, match.target_faces, match.notes)


def crops(
    source: DescribedSurface,
    target: DescribedSurface,
    intrinsic: Sequence[IntrinsicColumns],
    pairs: Integers,
    report: ProgressCallback,
    settings: PartialSettings = PartialSettings(),
) -> Iterator[Crop]:
    """Yield crops of one shape that may be the other, if that is cut off; none if no crop is similar to it.

    Args:
        source, target: the two shapes.
        intrinsic: which channels only describe intrinsic geometry; for a crop they are computed anew.
        pairs: int64 (N, 2), a source and a target vertex each, that correspond: every crop has its shape's vertices.
        report: is told the progress; may raise Cancelled.
        settings: of the search.
    """
    for index, (whole, part) in enumerate(((source, target), (target, source))):
        if not _is_cut_off(part.snapshot, settings):
            continue
        for faces in likeliest_crops(whole.snapshot, part.snapshot, pairs[:, index], report, settings):
            crop = _cropped(whole, faces, intrinsic, report)
            yield Crop((crop, part) if index == 0 else (part, crop), faces, index)


def _cropped(
    whole: DescribedSurface, faces: NDArray[np.bool_], intrinsic: Sequence[IntrinsicColumns], report: ProgressCallback
) -> DescribedSurface:
    """Return the surface with some of its faces (F,) only, and its intrinsic channels computed anew."""
    shape = whole.snapshot
    crop = replace(
        shape,
        faces=shape.faces[faces],
        polygons=shape.polygons[faces],
        corners=shape.corners[faces],
        normals=shape.normals[faces],
        uvs=None if shape.uvs is None else shape.uvs[faces],
        materials=shape.materials[faces],
    )
    features = np.array(whole.features, np.float32)
    for part in intrinsic:
        anew = part.describe(crop, report)
        features[:, part.columns] = anew * (np.linalg.norm(features[:, part.columns]) / np.linalg.norm(anew))
    return DescribedSurface(crop, features, whole.confidence)


def _is_cut_off(shape: Snapshot, settings: PartialSettings) -> bool:
    """Return whether a shape has an edge where it was cut off, longer than those around eyes and mouths.

    Only the connected part that makes up most of the surface counts: what is put together of open shells is not cut
    off.
    """
    first, place = weld(shape.vertices)
    points, faces = shape.vertices[first], clean_faces(place[shape.faces])
    areas = face_areas(points, faces)
    part = csgraph.connected_components(edge_graph(points, faces), directed=False)[1][faces[:, 0]]
    is_largest = part == np.bincount(part, areas).argmax()
    area = float(areas[is_largest].sum())
    if area <= areas.sum() / 2:
        return False
    longest = boundary_loop_lengths(points, faces[is_largest]).max(initial=0)
    return bool(longest > settings.cut_length * np.sqrt(area))
