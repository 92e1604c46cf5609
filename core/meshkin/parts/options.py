"""Options of parts."""

from __future__ import annotations

from dataclasses import dataclass

from ..base.options import NAMES, Choice, option

WRITTEN = (
    Choice("face_sets", "Face Sets", "A face set for each part, for Sculpt Mode"),
    Choice("materials", "Materials", "A new material for each part, in new slots; its faces get it"),
    Choice("vertex_groups", "Vertex Groups", "A vertex group for each part"),
    Choice("seams", "UV Seams", "Seams along the borders between parts, beside those that are there"),
    Choice("objects", "Separate Objects", "An object of its own for each part, with all that the mesh has"),
)
"""What parts can be written as, beside the attribute ``meshkin_part``."""


METHODS = (
    Choice("features", "Features", "By what the surface is like; no rig is needed"),
    Choice("bones", "Bones", "By the bones that move it, exactly and at once; parts are named after them"),
    Choice("parts", "Parts", "The parts that the active mesh has already"),
    Choice("face_sets", "Face Sets", "The face sets of the active mesh"),
    Choice("materials", "Materials", "The materials of the active mesh"),
    Choice("vertex_groups", "Vertex Groups", "The vertex groups of the active mesh that are no bones', if it has any"),
    Choice("attribute", "Attribute", "An attribute of the active mesh: whole numbers, or yes and no"),
)
"""What the parts of the first mesh follow; the others get the same ones."""


@dataclass(frozen=True)
class PartOptions:
    """How a surface is cut into parts, and what they become."""

    method: str = option(
        "features", "Method", "What the parts follow", choices=METHODS, flat="part_way", flag="--way",
    )  # fmt: skip
    attribute: str = option(
        "", "Attribute", "Name of the attribute, for the method Attribute", flat="part_attribute", flag="--attribute",
        metavar="NAME",
    )  # fmt: skip
    count: int = option(
        8, "Parts", "Number of parts; 0: as many as the surface suggests", flat="part_count", flag="--count", least=0,
        most=200, soft_most=32,
    )  # fmt: skip
    smooth: float = option(
        1.0, "Smooth", "How short the borders are, and how much they keep to creases; 0 leaves them rough",
        flat="part_smooth", flag="--smooth", least=0.0, most=100.0, soft_most=5.0,
    )  # fmt: skip
    write: tuple[str, ...] = option(
        ("face_sets",), "Write As", "What the parts become, beside an attribute of the faces", choices=WRITTEN,
        text=NAMES, metavar="WHAT,…", flat="part_writes", flag="--write",
    )  # fmt: skip
