"""Options of attributes and what else lives on a surface."""

from __future__ import annotations

from dataclasses import dataclass

from ...base.options import NAMES, Choice, option

PAYLOADS = (
    Choice(
        "attributes", "Attributes", "Named attributes of points, edges, faces and corners, vertex colors among them"
    ),
    Choice("materials", "Face Materials", "Which material each face has, by majority"),
    Choice("uvs", "UV Maps", "The source's UV maps, as new ones"),
    Choice("shape_keys", "Shape Keys", "Turned and scaled into the target's own frames"),
    Choice("detail", "Sculpted Detail", "What is small of the source's shape, as a shape key"),
    Choice("hair", "Hair", "Hair curves that grow on the source, as new ones that grow on the target"),
)


@dataclass(frozen=True)
class AttributeOptions:
    """Which attributes are carried."""

    names: tuple[str, ...] = option(
        (), "Only", "Names of the attributes, UV maps or shape keys to carry, between commas; empty: all", text=NAMES,
        metavar="NAME,…",
    )  # fmt: skip
