"""Where a match is doubtful, in words that can be read in a list: by bones, parts, or places of the body."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..data.snapshot import Snapshot
from ..matching.doubtful_regions import DOUBTFUL_CONFIDENCE, DoubtfulRegion, doubtful_regions
from ..scene.frames import offsets_to_local, transform_points
from ..scene.mesh.matches import DoubtfulPlace
from ..scene.mesh.vertex_groups import strongest
from ..scene.objects import BlenderObject
from ..scene.rig.weights import deforming_groups
from .options import Remark

AXIS_WORDS = (("right", "left"), ("front", "back"), ("bottom", "top"))
"""What lies at the low and the high end of X, Y and Z: a character of Blender faces -Y, and +X is its left."""
MIDDLE = 1 / 3
"""Share of the body's extent along an axis that counts as its middle (chosen)."""

NAMED_PLACES = 4
"""Places that a report names (chosen; the panel lists all)."""


def doubtful_places(
    target: BlenderObject, shape: Snapshot, confidence: NDArray[np.floating], below: float = DOUBTFUL_CONFIDENCE
) -> list[DoubtfulPlace]:
    """Where a match of the target is doubtful, the worst first (size times doubt).

    Args:
        target: the object.
        shape: its snapshot.
        confidence: (V,) of the snapshot's vertices.
        below: the confidence below which a place is doubtful.
    """
    regions = doubtful_regions(shape, confidence, below)
    names = _distinct(
        [_part_name(target, shape, region) for region in regions],
        [place_word(shape, region.center) for region in regions],
    )
    to_local = target.matrix_world.inverted_safe()
    size = float(np.ptp(shape.vertices, axis=0).max())
    return [
        DoubtfulPlace(
            name,
            region.share,
            region.confidence,
            _numbers(transform_points(to_local, (region.center + shape.location)[None])[0]),
            _numbers(offsets_to_local(target, region.normal[None])[0]),
            region.radius / size,
        )
        for name, region in zip(names, regions, strict=True)
    ]


def places_sentence(places: Sequence[DoubtfulPlace]) -> list[Remark]:
    """Says where to look first; nothing where no place is doubtful."""
    worst = [f"{place.name} ({place.share:.1%} of the surface)" for place in places[:NAMED_PLACES]]
    return [f"Doubtful places, the worst first: {', '.join(worst)}."] if worst else []


def place_word(shape: Snapshot, point: NDArray[np.floating]) -> str:
    """Where a point lies in a shape's bounding box, as in “top left”; “middle” where it is nowhere else."""
    low, extent = shape.vertices.min(axis=0), np.ptp(shape.vertices, axis=0)
    share = (point - low) / np.where(extent > 0, extent, 1)
    words = [
        ends[int(share[axis] > 0.5)] if extent[axis] > 0 and abs(share[axis] - 0.5) > MIDDLE / 2 else ""
        for axis, ends in enumerate(AXIS_WORDS)
    ]
    return " ".join(filter(None, (words[2], words[0], words[1]))) or "middle"


def _part_name(target: BlenderObject, shape: Snapshot, region: DoubtfulRegion) -> str:
    """The bone that rules most of a region; else its material, if the target has several; else ""."""
    own = np.flatnonzero(np.isin(shape.original, region.vertices))
    if name := strongest(target, own, deforming_groups(target)):
        return name
    used = np.unique(shape.materials)
    if len(used) < 2:
        return ""
    of_region = shape.materials[np.isin(shape.faces, region.vertices).all(axis=1)]
    slot = int(np.bincount(of_region).argmax()) if len(of_region) else -1
    return shape.material_names[slot] if 0 <= slot < len(shape.material_names) else ""


def _distinct(parts: Sequence[str], places: Sequence[str]) -> list[str]:
    """A name for each region, of the parts and the places that they have: the part's alone where that says enough."""
    count = Counter(parts)
    names = [
        (part if count[part] == 1 else f"{part}, {place}") if part else place.capitalize()
        for part, place in zip(parts, places, strict=True)
    ]
    seen: Counter[str] = Counter()
    repeated = Counter(names)
    for index, name in enumerate(names):
        if repeated[name] > 1:
            seen[name] += 1
            names[index] = f"{name} {seen[name]}"
    return names


def _numbers(values: NDArray[np.floating]) -> tuple[float, float, float]:
    x, y, z = values.tolist()
    return x, y, z
