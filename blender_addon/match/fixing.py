"""The buttons that do the last transfer again in place, and that show and discard what was there before it."""
# Blender's classes have no types, and its property annotations are calls.
# mypy: disable-error-code="misc, valid-type"

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import bpy

from ..base import members, status
from ..base.operators import QuickAction, SceneJob, busy, locked, missing
from ..base.options import options
from .operators import with_lines

if TYPE_CHECKING:
    from ..base.operators import Steps

KEY = "Y"
"""Key of *Before and After* in Object Mode, where Blender has none for it."""
RECORD = "meshkin_last_transfer"
"""Custom property of a target to which something was transferred."""


class MESHKIN_OT_update(SceneJob):
    """Match again with the point pairs that there are now, and transfer again what was transferred last, with the same
    settings, in place of its result"""

    bl_idname = "meshkin.update"
    bl_label = "Update Result"

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        if reason := busy() or missing(context, "source", "target"):
            return reason
        settings = context.scene.meshkin
        if not was_transferred(settings):
            return f"Transfer something from “{settings.source.name}” to “{settings.target.name}” first"
        return locked(settings.target) or status.worker_missing

    def steps(self, context: bpy.types.Context) -> Steps:
        from meshkin import workflow

        settings = context.scene.meshkin
        source, target = (members.picked(settings, role) for role in members.ROLES)
        return with_lines(workflow.update(source, target, options(context)))


class MESHKIN_OT_before_after(QuickAction):
    """Show what the target was before the last transfer, its textures, weights and keys; press again for the result"""

    bl_idname = "meshkin.before_after"
    bl_label = "Before and After"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        if reason := busy() or missing(context, "target") or locked(context.scene.meshkin.target):
            return reason
        return "" if RECORD in context.scene.meshkin.target else "Transfer something to the target first"

    def act(self, context: bpy.types.Context) -> str:
        from meshkin.scene import last_transfer

        target = context.scene.meshkin.target
        shows_before = last_transfer.toggle(target)
        return f"“{target.name}” shows {'what it was before the last transfer' if shows_before else 'the result'}."


class MESHKIN_OT_discard_before(QuickAction):
    """Keep the result and forget what the target was before the last transfer: its old mesh leaves the file. Before and
    After and Update Result wait for another transfer then"""

    bl_idname = "meshkin.discard_before"
    bl_label = "Discard Before"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        return MESHKIN_OT_before_after.why_not(context)

    def act(self, context: bpy.types.Context) -> str:
        from meshkin.scene import last_transfer

        target = context.scene.meshkin.target
        last_transfer.discard(target)
        return f"What “{target.name}” was before the last transfer is no longer in the file."


def was_transferred(settings: Any) -> bool:
    """Return whether something was transferred between the picked objects; may be called while drawing."""
    if not (settings.source and settings.target) or RECORD not in settings.target:
        return False
    last_transfer = status.scene_module("last_transfer")
    return last_transfer is None or last_transfer.record_of(settings.target, settings.source) is not None


def shows_before(settings: Any) -> bool:
    """Return whether the target shows what it was before the last transfer; may be called while drawing."""
    last_transfer = status.scene_module("last_transfer")
    record = last_transfer.record_of(settings.target) if last_transfer and settings.target else None
    return bool(record and record.shows_before)


_keys: list[tuple[bpy.types.KeyMap, bpy.types.KeyMapItem]] = []
"""The registered keys, each with the map that it is in."""


def register_keys() -> None:
    """Add the key; in background mode there are none."""
    if keys := bpy.context.window_manager.keyconfigs.addon:
        keymap = keys.keymaps.new("Object Mode", space_type="EMPTY")
        _keys.append((keymap, keymap.keymap_items.new(MESHKIN_OT_before_after.bl_idname, KEY, "PRESS")))


def unregister_keys() -> None:
    """Remove the key."""
    while _keys:
        keymap, item = _keys.pop()
        keymap.keymap_items.remove(item)


CLASSES: list[type] = [MESHKIN_OT_update, MESHKIN_OT_before_after, MESHKIN_OT_discard_before]
