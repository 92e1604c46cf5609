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
from .characters import CharacterSnapshot
from .options import Remark

AXIS_WORDS = (("right", "left"), ("front", "back"), ("bottom", "top"))
"""What lies at the low and the high end of X, Y and Z: a character of Blender faces -Y, and +X is its left."""
MIDDLE = 1 / 3
"""Share of the body's extent along an axis that counts as its middle (chosen)."""

NAMED_PLACES = 4
"""Places that a report names (chosen; the panel lists all)."""


def doubtful_places(
    target: CharacterSnapshot, confidence: NDArray[np.floating], below: float = DOUBTFUL_CONFIDENCE
) -> list[list[DoubtfulPlace]]:
    """Where a match of the target is doubtful, the worst first (size times doubt): for each of its meshes all places.

    Args:
        target: the object or character.
        confidence: (V,) of the vertices of its snapshot.
        below: the confidence below which a place is doubtful.
    """
    shape = target.snapshot
    regions = doubtful_regions(shape, confidence, below)
    names = _distinct(
        [_part_name(target, region) for region in regions],
        [place_word(shape, region.center) for region in regions],
    )
    return [
        [
            _place_on(piece.handle.get(), float(np.ptp(piece.snapshot.vertices, axis=0).max()), shape, name, region)
            for name, region in zip(names, regions, strict=True)
        ]
        for piece in target.pieces
    ]


def _place_on(obj: BlenderObject, size: float, shape: Snapshot, name: str, region: DoubtfulRegion) -> DoubtfulPlace:
    """A region of a shape as a place in the coordinates of one of its meshes, whose largest dimension is ``size``."""
    center = transform_points(obj.matrix_world.inverted_safe(), (region.center + shape.location)[None])[0]
    normal = offsets_to_local(obj, region.normal[None])[0]
    return DoubtfulPlace(
        name, region.share, region.confidence, _numbers(center), _numbers(normal), region.radius / size
    )


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


def _part_name(target: CharacterSnapshot, region: DoubtfulRegion) -> str:
    """The bone that rules most of a region; else its mesh or material, if the target has several; else ""."""
    inside = [np.flatnonzero(np.isin(rows, region.vertices)) for rows in target.rows()]
    number = max(range(len(inside)), key=lambda each: len(inside[each]))
    obj, shape = target.pieces[number].handle.get(), target.snapshot
    if name := strongest(obj, inside[number], deforming_groups(obj)):
        return name
    if len(target.pieces) > 1:
        return str(obj.name)
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
