"""The button that cuts objects into parts."""
# Blender's classes have no types, and its property annotations are calls.
# mypy: disable-error-code="misc, valid-type"
# ruff: noqa: RUF012

from __future__ import annotations

from typing import TYPE_CHECKING

import bpy
from bpy.props import BoolProperty, IntProperty, StringProperty

from meshkin.parts.options import PartOptions

from ..base import status
from ..base.operators import Explained, QuickAction, SceneJob, busy, locked
from ..base.options import options
from ..base.properties import values_of, with_options
from ..match.pairs import ray_under

if TYPE_CHECKING:
    from ..base.operators import Steps

NAMES_PROPERTY = "meshkin_parts"
"""Custom property of an object with the names of its parts, as :mod:`meshkin.scene.mesh.part_labels` has it."""


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


@with_options(PartOptions)
class MESHKIN_OT_carry_parts(SceneJob):
    """Give the other selected meshes the parts that the active mesh has: its parts, or the face sets, materials, vertex
    groups, attribute or bones that Method names"""

    bl_idname = "meshkin.carry_parts"
    bl_label = "Carry Parts"

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        meshes = selected_meshes(context)
        reason = "" if len(meshes) > 1 else "Select two or more meshes; the active one has the parts"
        return busy() or reason or locked(*meshes) or status.worker_missing

    def steps(self, context: bpy.types.Context) -> Steps:
        from meshkin import workflow

        values = values_of(self, PartOptions)
        if values["part_way"] == "features":
            values["part_way"] = "parts"
        return workflow.parts(selected_meshes(context), options(context, **values))


class MESHKIN_OT_select_part(Explained, bpy.types.Operator):
    """Click a part to select its faces; Shift adds to what is selected. Esc ends it"""

    bl_idname = "meshkin.select_part"
    bl_label = "Select Part"
    bl_options = {"REGISTER", "UNDO"}

    part: IntProperty(
        name="Part", description="Number of the part, from 0; -1: the one that is clicked", default=-1, min=-1
    )
    extend: BoolProperty(name="Extend", description="What is selected stays selected")

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        if context.mode != "EDIT_MESH":
            return "Go to Edit Mode first"
        return "" if any(NAMES_PROPERTY in obj for obj in context.objects_in_mode) else "Find parts first"

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        if self.part >= 0:
            self.extend = event.shift
            return self.execute(context)
        context.window.cursor_modal_set("EYEDROPPER")
        context.workspace.status_text_set("Click a part    Shift: Add    Esc: Done")
        context.window_manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        from meshkin.base.errors import MeshKinError
        from meshkin.scene.mesh import part_selection

        if event.type in {"ESC", "RET", "NUMPAD_ENTER", "RIGHTMOUSE"} and event.value == "PRESS":
            return self._end(context, {"CANCELLED"})
        ray = ray_under(context.window, event) if event.type == "LEFTMOUSE" and event.value == "PRESS" else None
        if ray is None or event.alt:
            return {"PASS_THROUGH"}
        try:
            found = part_selection.part_on_ray(context.objects_in_mode, ray.origin, ray.direction)
        except MeshKinError as error:
            self.report({"ERROR"}, str(error))
            return self._end(context, {"CANCELLED"})
        if found is None:
            return {"RUNNING_MODAL"}
        self.part, self.extend = found[1], event.shift
        result = self.execute(context)
        if self.extend:  # more are to be added
            bpy.ops.ed.undo_push(message=self.bl_label)
            return {"RUNNING_MODAL"}
        return self._end(context, result)

    def execute(self, context: bpy.types.Context) -> set[str]:
        from meshkin.base.errors import MeshKinError
        from meshkin.scene.mesh import part_selection

        objects = [obj for obj in context.objects_in_mode if NAMES_PROPERTY in obj]
        try:
            count = part_selection.select(objects, self.part, self.extend)
        except MeshKinError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        self.report({"INFO"}, f"{part_selection.name_of(objects[0], self.part)}: {count} faces.")
        return {"FINISHED"}

    def cancel(self, context: bpy.types.Context) -> None:
        """End it when Blender ends the operator because its window was closed."""
        self._end(context, {"CANCELLED"})

    @staticmethod
    def _end(context: bpy.types.Context, result: set[str]) -> set[str]:
        if context.window:
            context.window.cursor_modal_restore()
        if context.workspace:
            context.workspace.status_text_set(None)
        return result


class MESHKIN_OT_rename_part(QuickAction):
    """Rename this part on every object that has the same parts, with its material, vertex group and separated object"""

    bl_idname = "meshkin.rename_part"
    bl_label = "Rename Part"
    bl_options = {"REGISTER", "UNDO"}

    part: IntProperty(name="Part", description="Number of the part, from 0", min=0, options={"SKIP_SAVE"})
    new_name: StringProperty(name="Name", description="Its new name")

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        obj = context.view_layer.objects.active
        return busy() or ("" if obj and NAMES_PROPERTY in obj else "Find parts first")

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        names = context.view_layer.objects.active[NAMES_PROPERTY]
        self.new_name = names[self.part] if self.part < len(names) else ""
        return context.window_manager.invoke_props_dialog(self)

    def draw(self, context: bpy.types.Context) -> None:
        self.layout.activate_init = True
        self.layout.prop(self, "new_name")

    def act(self, context: bpy.types.Context) -> str:
        from meshkin.scene.mesh import part_labels

        changed = part_labels.rename(context.view_layer.objects.active, self.part, self.new_name)
        return f"“{self.new_name}” on {', '.join(f'“{name}”' for name in changed)}."


CLASSES: list[type] = [
    MESHKIN_OT_find_parts,
    MESHKIN_OT_carry_parts,
    MESHKIN_OT_select_part,
    MESHKIN_OT_rename_part,
]
