"""Options of attributes and other data on a surface."""

from __future__ import annotations

from dataclasses import dataclass

from ...base.options import NAMES, Choice, option

PAYLOADS = (
    Choice(
        "attributes", "Attributes", "Named attributes of points, edges, faces and corners, including color attributes"
    ),
    Choice("materials", "Face Materials", "The material of each face, by majority"),
    Choice("uvs", "UV Maps", "The source's UV maps, as new UV maps"),
    Choice("shape_keys", "Shape Keys", "The source's shape keys, turned and scaled with the surface"),
    Choice("detail", "Sculpted Detail", "Small details of the source's shape, as a new shape key"),
    Choice("parts", "Parts", "The parts of the source's faces with their names; or its face sets, as parts"),
    Choice("key_points", "Key Points", "Named points for data sets: the source's empties and groups “key:…”"),
    Choice("hair", "Hair", "Hair curves on the source, as new hair curves on the target"),
)
TRANSFERS = ("texture", "weights", *(payload.value for payload in PAYLOADS), "armature", "motion")
"""What can be carried over."""


@dataclass(frozen=True)
class AttributeOptions:
    """Which attributes, UV maps and shape keys are transferred."""

    names: tuple[str, ...] = option(
        (), "Names", "Attributes, UV maps or shape keys to transfer, separated by commas; empty: all", text=NAMES,
        metavar="NAME,…",
    )  # fmt: skip
