"""The buttons that compute features, and that show them as colors or as the pictures that the models see."""
# Blender's classes have no types, and its property annotations are calls.
# mypy: disable-error-code="misc, valid-type"
# ruff: noqa: RUF012

from __future__ import annotations

from typing import TYPE_CHECKING

import bpy

from ..base import members, status
from ..base.operators import PictureJob, QuickAction, SceneJob, busy, locked, missing, picked, picked_objects
from ..base.options import feature_item, options

if TYPE_CHECKING:
    from ..base.operators import Steps


class MESHKIN_OT_features(SceneJob):
    """Compute the features of source and target and show them as colors: equal color means equal meaning"""

    bl_idname = "meshkin.features"
    bl_label = "Features"

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        settings = context.scene.meshkin
        reason = busy() or missing(context, *picked(settings))
        return reason or locked(*picked_objects(settings)) or status.worker_missing

    def steps(self, context: bpy.types.Context) -> Steps:
        from meshkin import workflow

        settings = context.scene.meshkin
        return workflow.features([members.picked(settings, role) for role in picked(settings)], options(context))


class MESHKIN_OT_show_colors(QuickAction):
    """Show the features' colors in the viewport, or hide them and restore the shading"""

    bl_idname = "meshkin.show_colors"
    bl_label = "Show Colors"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        return busy()

    def act(self, context: bpy.types.Context) -> str:
        from meshkin.scene import objects
        from meshkin.scene.display import viewport as display
        from meshkin.scene.mesh import attributes

        if display.is_shown() and display.shown_attribute() in ("", attributes.COLOR):
            display.hide()
        else:
            display.show(objects.objects_with_features())
        return ""


class MESHKIN_OT_show_pictures(PictureJob):
    """Show the pictures that the models see of source and target, each view with its number"""

    bl_idname = "meshkin.show_pictures"
    bl_label = "Show Pictures"

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        settings = context.scene.meshkin
        reason = busy() or missing(context, *picked(settings))
        no_pictures = "" if feature_item(settings).pictures else "The chosen features use the shape alone, no pictures"
        return reason or no_pictures or status.worker_missing

    def steps(self, context: bpy.types.Context) -> Steps:
        from meshkin import workflow

        return workflow.pictures(picked_objects(context.scene.meshkin), options(context))


CLASSES: list[type] = [
    MESHKIN_OT_features,
    MESHKIN_OT_show_colors,
    MESHKIN_OT_show_pictures,
]
