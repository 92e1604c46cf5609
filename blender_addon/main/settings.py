"""What the panel's fields hold; saved with the scene."""
# Blender's classes have no types, and its property annotations are calls.
# mypy: disable-error-code="misc, valid-type"

from __future__ import annotations

import bpy
from bpy.props import IntProperty, PointerProperty, StringProperty

from meshkin.features.options import FeatureOptions
from meshkin.transfer.attributes.options import AttributeOptions
from meshkin.transfer.texture.options import TextureOptions
from meshkin.transfer.weights.options import WeightOptions

from ..base import status
from ..base.operators import SURFACES
from ..base.properties import with_options

GROUPS = {
    "Features": FeatureOptions,
    "Textures": TextureOptions,
    "Weights": WeightOptions,
    "Attributes": AttributeOptions,
}
"""The groups of options that the panel has fields for, by their headings."""


def _has_surface(self: Settings, obj: bpy.types.Object) -> bool:
    return obj.type in SURFACES and obj.name in self.id_data.objects


def _redraw_lines(self: Settings, context: bpy.types.Context) -> None:
    if status.lines_shown():
        status.scene_module("display.lines").refresh(self.lines)


@with_options(*GROUPS.values())
class Settings(bpy.types.PropertyGroup):
    """The panel's fields (``scene.meshkin``): these, and one for each option, by its flat name."""

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
    through: PointerProperty(
        name="Through",
        description="Reference of a set: every match goes by way of it, so that all of the set agree. Empty: directly",
        type=bpy.types.Object,
        poll=_has_surface,
    )
    lines: IntProperty(
        name="Lines",
        description="Lines drawn, spread evenly over the source",
        default=60,
        min=1,
        soft_max=500,
        max=5000,
        update=_redraw_lines,
    )
    photo: StringProperty(name="Photo", description="The photograph to match to the target", subtype="FILE_PATH")
    photo_mask: StringProperty(
        name="Mask",
        description="Image that is white where the photo shows the object; empty: the photo's transparency, or what "
        "looks like the target",
        subtype="FILE_PATH",
    )
