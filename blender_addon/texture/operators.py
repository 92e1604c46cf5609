"""The button that transfers textures. A change in its redo panel starts the job again."""
# Blender's classes have no types, and its property annotations are calls.
# mypy: disable-error-code="misc, valid-type"
# ruff: noqa: RUF012

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import bpy
from bpy.props import BoolProperty, StringProperty

from meshkin.base.options import NAMES
from meshkin.transfer.texture.options import TextureOptions

from ..base import driver
from ..base.operators import QuickAction, TransferJob, missing
from ..base.options import options
from ..base.properties import panel_options, values_of, with_options

if TYPE_CHECKING:
    from meshkin.workflow import Options

REDO_DELAY = 0.3
"""Seconds between a change in the redo panel and the start of the job, so that a slider can be dragged. Chosen."""
_redo_values: dict[str, Any] = {}
"""Values of the redo panel for the next texture, by the properties' names."""


def _run_again() -> None:
    """Undo the empty step that the redo panel has made, and start the job with the panel's values."""
    manager = bpy.context.window_manager
    last = manager.operators[-1].bl_idname if manager.operators else ""
    if driver.running or last != "MESHKIN_OT_transfer_texture" or not manager.windows:
        return
    with bpy.context.temp_override(window=manager.windows[0]):
        bpy.ops.ed.undo()
        bpy.ops.meshkin.transfer_texture("INVOKE_DEFAULT", **_redo_values)


@with_options(TextureOptions)
class MESHKIN_OT_transfer_texture(TransferJob):
    """Bake the source's materials into new textures and a new material for the target"""

    bl_idname = "meshkin.transfer_texture"
    bl_label = "Texture"
    bl_options = {"REGISTER", "UNDO", "PRESET"}
    what = "texture"

    with_window: BoolProperty(options={"HIDDEN", "SKIP_SAVE"})  # a button started the job, not a script

    @classmethod
    def unsuitable(cls, source: bpy.types.Object, target: bpy.types.Object) -> str:
        has_material = any(slot.material for slot in source.material_slots)
        has_material = has_material or any(modifier.type == "NODES" for modifier in source.modifiers)
        return "" if has_material else f"“{source.name}” has no material"

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        self.with_window = True
        return super().invoke(context, event)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Run the job to its end (from a script), or start it again soon (from the redo panel)."""
        if not self.with_window or bpy.app.background:
            return super().execute(context)
        _redo_values.clear()
        _redo_values.update({name: getattr(self, name) for name in panel_options(TextureOptions)})
        if not bpy.app.timers.is_registered(_run_again):
            bpy.app.timers.register(_run_again, first_interval=REDO_DELAY)
        return {"FINISHED"}

    def job_options(self, context: bpy.types.Context) -> Options:
        return options(context, preview=self.with_window, **values_of(self, TextureOptions))


class MESHKIN_OT_leave_out(QuickAction):
    """Whether this material of the source is transferred with the texture, or left out"""

    bl_idname = "meshkin.leave_out"
    bl_label = "Leave Out"
    bl_options = {"REGISTER", "UNDO"}

    material: StringProperty(name="Material", options={"SKIP_SAVE"})

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        return missing(context, "source")

    def act(self, context: bpy.types.Context) -> str:
        settings = context.scene.meshkin
        left_out = NAMES.parse(settings.leave_out)
        kept = tuple(name for name in left_out if name != self.material)
        settings.leave_out = NAMES.write(kept if self.material in left_out else (*left_out, self.material))
        return ""


CLASSES: list[type] = [MESHKIN_OT_transfer_texture, MESHKIN_OT_leave_out]
