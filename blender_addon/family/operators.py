"""The buttons that learn a family, and that choose one as the features of everything else."""
# Blender's classes have no types, and its property annotations are calls.
# mypy: disable-error-code="misc, valid-type"

from __future__ import annotations

from typing import TYPE_CHECKING

import bpy
from bpy.props import StringProperty

from meshkin.families.options import FamilyOptions

from ..base import status
from ..base.operators import QuickAction, SceneJob, busy
from ..base.options import options
from ..base.properties import values_of

if TYPE_CHECKING:
    from ..base.operators import Steps

FEATURES, SETTING = "family", "family={}"
"""What the panel's features and their settings are when a family is used."""


def members(collection: bpy.types.Collection) -> list[bpy.types.Object]:
    """Return the meshes of a collection that a family is learned from: all that are rendered."""
    return [obj for obj in collection.all_objects if obj.type == "MESH" and not obj.hide_render]


def in_use(settings: bpy.types.PropertyGroup, name: str) -> bool:
    """Return whether a family is chosen as features."""
    chosen: bool = FEATURES in settings.features.split("+") and SETTING.format(name) in settings.settings
    return chosen


class MESHKIN_OT_learn_family(SceneJob):
    """Learn from the meshes of a collection, all of one kind, what tells their parts apart: left from right, one leg
    from the next. Pressed again after it was canceled, it goes on where it was"""

    bl_idname = "meshkin.learn_family"
    bl_label = "Learn Family"

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        settings = context.scene.meshkin
        collection = settings.family_collection
        reason = busy() or ("" if collection else "Pick a collection of similar meshes first")
        if not reason and len(members(collection)) < 2:
            reason = f"“{collection.name}” has fewer than two meshes"
        return reason or status.worker_missing

    def steps(self, context: bpy.types.Context) -> Steps:
        from meshkin import workflow

        settings = context.scene.meshkin
        name = settings.family_name.strip() or settings.family_collection.name
        chosen = options(context, **values_of(settings, FamilyOptions))
        return workflow.learn_family(members(settings.family_collection), name, chosen)


class MESHKIN_OT_use_family(QuickAction):
    """Describe everything by this family from now on, or by the default features again"""

    bl_idname = "meshkin.use_family"
    bl_label = "Use Family"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    name: StringProperty(name="Family", description="Name of the family", options={"HIDDEN"})

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        return ""

    def act(self, context: bpy.types.Context) -> str:
        settings = context.scene.meshkin
        if in_use(settings, self.name):
            settings.property_unset("features")
            settings.property_unset("settings")
            return ""
        settings.features, settings.settings = FEATURES, SETTING.format(self.name)
        return f"Features are those of the family “{self.name}” now"


CLASSES: list[type] = [MESHKIN_OT_learn_family, MESHKIN_OT_use_family]
