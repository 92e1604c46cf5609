"""The button that cuts objects into parts."""
# Blender's classes have no types, and its property annotations are calls.
# mypy: disable-error-code="misc, valid-type"

from __future__ import annotations

from typing import TYPE_CHECKING

import bpy

from meshkin.parts.options import PartOptions

from ..base import status
from ..base.operators import SceneJob, busy, locked
from ..base.options import options
from ..base.properties import values_of, with_options

if TYPE_CHECKING:
    from ..base.operators import Steps


def selected_meshes(context: bpy.types.Context) -> list[bpy.types.Object]:
    """Return the selected meshes, the active one first: it tells how many parts there are where that is left open."""
    active = context.view_layer.objects.active
    meshes = [obj for obj in context.selected_objects if obj.type == "MESH"]
    return sorted(meshes, key=lambda obj: obj != active)


@with_options(PartOptions)
class MESHKIN_OT_find_parts(SceneJob):
    """Cut the selected meshes into parts such as head, arms and legs; several get the same parts"""

    bl_idname = "meshkin.find_parts"
    bl_label = "Find Parts"

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        meshes = selected_meshes(context)
        reason = busy() or ("" if meshes else "Select one or more meshes")
        return reason or locked(*meshes) or status.worker_missing

    def steps(self, context: bpy.types.Context) -> Steps:
        from meshkin import workflow

        return workflow.parts(selected_meshes(context), options(context, **values_of(self, PartOptions)))


CLASSES: list[type] = [MESHKIN_OT_find_parts]
