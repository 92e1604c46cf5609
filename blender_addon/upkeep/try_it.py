"""The button that shows on two characters made by code what MeshKin does."""
# Blender's classes have no types.
# mypy: disable-error-code="misc"

from __future__ import annotations

from typing import TYPE_CHECKING

import bpy

from ..base import preferences, status
from ..base.operators import SceneJob, busy

if TYPE_CHECKING:
    from ..base.operators import Steps


class MESHKIN_OT_try_it(SceneJob):
    """Make two characters in a new scene and give one the texture, the rig and the motion of the other. Your own scenes
    are not changed"""

    bl_idname = "meshkin.try_it"
    bl_label = "Try It"

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        return busy() or status.worker_missing

    def steps(self, context: bpy.types.Context) -> Steps:
        from meshkin import workflow

        preferences.apply(context)
        return workflow.try_it(when_made=_show)


def _show(source: bpy.types.Object, target: bpy.types.Object) -> None:
    """Pick the two, and look at them."""
    from meshkin.workflow.try_it import OPTIONS

    settings = source.users_scene[0].meshkin
    settings.source, settings.target, settings.features = source, target, OPTIONS.features.extractor
    settings.kinds = {"texture", "weights", "armature", "motion"}
    window = bpy.context.window
    for area in window.screen.areas if window and not bpy.app.background else ():
        if area.type == "VIEW_3D":
            area.spaces.active.shading.color_type = "TEXTURE"
            region = next(region for region in area.regions if region.type == "WINDOW")
            with bpy.context.temp_override(window=window, area=area, region=region):
                bpy.ops.view3d.view_axis(type="FRONT")
                bpy.ops.view3d.view_all()


CLASSES: list[type] = [MESHKIN_OT_try_it]
