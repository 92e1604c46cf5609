"""The button that carries textures, and its redo panel."""
# Blender's classes have no types, and its property annotations are calls.
# mypy: disable-error-code="misc, valid-type"

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import bpy
from bpy.props import BoolProperty

from meshkin.transfer.texture.options import TextureOptions

from ..base import driver
from ..base.operators import TransferJob
from ..base.options import options
from ..base.properties import panel_options, values_of, with_options

if TYPE_CHECKING:
    from meshkin.workflow import Options

REDO_DELAY = 0.3
"""Seconds after a change in the redo panel until the job starts, so that a slider can be dragged."""
_again: dict[str, Any] = {}
"""The settings of the redo panel that the next texture is to be made with."""


def _texture_again() -> None:
    """Start a texture's job with the settings of the redo panel, in place of the (empty) step that that has left."""
    manager = bpy.context.window_manager
    last = manager.operators[-1].bl_idname if manager.operators else ""
    if driver.running or last != "MESHKIN_OT_transfer_texture" or not manager.windows:
        return
    with bpy.context.temp_override(window=manager.windows[0]):
        bpy.ops.ed.undo()
        bpy.ops.meshkin.transfer_texture("INVOKE_DEFAULT", **_again)


@with_options(TextureOptions)
class MESHKIN_OT_transfer_texture(TransferJob):
    """Bake the source's materials into new textures and a new material of the target"""

    bl_idname = "meshkin.transfer_texture"
    bl_label = "Texture"
    what = "texture"

    with_window: BoolProperty(options={"HIDDEN", "SKIP_SAVE"})  # started by a button: what the redo panel repeats

    @classmethod
    def unsuited(cls, source: bpy.types.Object, target: bpy.types.Object) -> str:
        dressed = any(slot.material for slot in source.material_slots)
        dressed = dressed or any(modifier.type == "NODES" for modifier in source.modifiers)
        return "" if dressed else f"“{source.name}” has no material"

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        self.with_window = True
        return super().invoke(context, event)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """From a script, run the job to its end; from the redo panel, start it anew, with preview, progress, cancel."""
        if not self.with_window or bpy.app.background:
            return super().execute(context)
        _again.clear()
        _again.update({name: getattr(self, name) for name in panel_options(TextureOptions)})
        if not bpy.app.timers.is_registered(_texture_again):
            bpy.app.timers.register(_texture_again, first_interval=REDO_DELAY)
        return {"FINISHED"}

    def chosen(self, context: bpy.types.Context) -> Options:
        return options(context, preview=self.with_window, **values_of(self, TextureOptions))


CLASSES: list[type] = [MESHKIN_OT_transfer_texture]
