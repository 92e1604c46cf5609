"""What the panel's fields hold; saved with the scene."""
# Blender's classes have no types, and its property annotations are calls.
# mypy: disable-error-code="misc, valid-type"

from __future__ import annotations

import bpy
from bpy.props import EnumProperty, IntProperty, PointerProperty

SURFACES = {"MESH", "CURVE", "SURFACE", "META", "FONT", "CURVES"}
"""Types of objects that can have a surface."""


def _has_surface(self: Settings, obj: bpy.types.Object) -> bool:
    return obj.type in SURFACES and obj.name in self.id_data.objects


def texture_size() -> object:
    """The property of this name, the same on the panel and on the operator."""
    return IntProperty(
        name="Texture Size",
        description="Width and height of the new texture",
        default=2048,
        min=16,
        max=16384,
        subtype="PIXEL",
    )


def margin() -> object:
    """The property of this name, the same on the panel and on the operator."""
    return IntProperty(
        name="Margin",
        description="How far each UV island is grown, against seams",
        default=8,
        min=0,
        max=256,
        subtype="PIXEL",
    )


def limit() -> object:
    """The property of this name, the same on the panel and on the operator."""
    return IntProperty(
        name="Limit", description="Most vertex groups that a vertex may be weighted to", default=4, min=1, max=32
    )


class Settings(bpy.types.PropertyGroup):
    """The panel's fields (``scene.meshkin``)."""

    source: PointerProperty(
        name="Source",
        description="The object that gives",
        type=bpy.types.Object,
        poll=_has_surface,
    )
    target: PointerProperty(
        name="Target",
        description="The object that receives",
        type=bpy.types.Object,
        poll=_has_surface,
    )
    features: EnumProperty(
        name="Features",
        description="How points are described, so that their kin can be found",
        items=(
            ("auto", "Automatic", "The best that the models at hand allow"),
            ("dinov2", "DINOv2", "What an image model sees in renders of the object"),
            ("geometric", "Geometric", "The shape alone; needs no model"),
        ),
    )
    views: IntProperty(
        name="Views", description="Pictures taken of each object; 0: the default", default=0, min=0, max=512
    )
    resolution: IntProperty(
        name="Resolution",
        description="Width and height of each picture; 0: what the features want",
        default=0,
        min=0,
        max=8192,
        subtype="PIXEL",
    )
    texture_size: texture_size()
    margin: margin()
    limit: limit()
