"""The buttons that show matches and their confidence in the viewport."""
# Blender's classes have no types, and its property annotations are calls.
# mypy: disable-error-code="misc, valid-type"
# ruff: noqa: RUF012

from __future__ import annotations

from collections.abc import Callable

import bpy
from bpy.props import FloatProperty

from ..base import status
from ..base.operators import Quick, busy, locked, missing, unmatched


class _Show(Quick):
    """Base of the buttons that color source and target; pressed again they give the shading back."""

    bl_options = {"REGISTER", "UNDO"}
    color: str
    """Name of the attribute, without prefix."""
    paint: Callable[[bpy.types.Object, bpy.types.Object], None]

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        if status.colors_shown(cls.color):
            return busy()
        settings = context.scene.meshkin
        return unmatched(context) or locked(settings.source, settings.target)

    def act(self, context: bpy.types.Context) -> str:
        from meshkin.scene.display import viewport as display
        from meshkin.scene.mesh import attributes

        name = attributes.PREFIX + self.color
        if display.shown_attribute() == name:
            display.hide()
            return ""
        settings = context.scene.meshkin
        type(self).paint(settings.source, settings.target)
        everything = [obj for obj in context.scene.objects if obj.type == "MESH"]
        display.show(everything, name)
        return ""


class MESHKIN_OT_show_match(_Show):
    """Give points that are matched the same color on source and target (and on others matched with this source)"""

    bl_idname = "meshkin.show_match"
    bl_label = "Same Color"
    color = "match_color"

    @staticmethod
    def paint(source: bpy.types.Object, target: bpy.types.Object) -> None:
        from meshkin.base.errors import InputError
        from meshkin.scene.display import match_colors as look
        from meshkin.scene.mesh import matches

        look.paint(source, [target])
        for other in matches.matched_with(source):
            if other != target:
                try:
                    look.paint(source, [other])
                except InputError:
                    continue  # changed since, or linked: it is not what was asked about


class MESHKIN_OT_show_confidence(_Show):
    """Color source and target by how sure their match is: green is sure, yellow and orange less, dark red is not"""

    bl_idname = "meshkin.show_confidence"
    bl_label = "Confidence"
    color = "match_confidence_color"

    @staticmethod
    def paint(source: bpy.types.Object, target: bpy.types.Object) -> None:
        from meshkin.scene.display import match_colors as look

        look.paint_confidence(source, target)


class MESHKIN_OT_show_lines(Quick):
    """Draw lines from points of the source to their kin on the target, and between point pairs"""

    bl_idname = "meshkin.show_lines"
    bl_label = "Lines"
    bl_options = {"REGISTER"}

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        reason = "" if status.lines_shown() else unmatched(context)
        known, settings = status.scene_module("mesh.pairs"), context.scene.meshkin
        if reason and known and settings.source and settings.target and known.between(settings.source, settings.target):
            return busy()
        return reason

    def act(self, context: bpy.types.Context) -> str:
        from meshkin.scene.display import lines

        settings = context.scene.meshkin
        if lines.is_shown():
            lines.hide()
        else:
            lines.show(settings.source, settings.target, settings.lines)
        return ""


class MESHKIN_OT_select_low(Quick):
    """Select the target's vertices whose match is not sure, in Edit Mode"""

    bl_idname = "meshkin.select_low"
    bl_label = "Select Low-Confidence Vertices"
    bl_options = {"REGISTER", "UNDO"}

    threshold: FloatProperty(
        name="Threshold",
        description="Vertices with less confidence than this are selected",
        default=0.5,
        min=0,
        max=1,
        subtype="FACTOR",
    )

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        reason = busy() or missing(context, "target")
        target = context.scene.meshkin.target
        if reason or (target.type == "MESH" and target.mode == "EDIT"):
            return reason
        if context.mode not in ("OBJECT", "EDIT_MESH"):
            return "Go back to Object Mode first"
        return locked(target) or ("" if target.visible_get() else f"“{target.name}” is hidden")

    def act(self, context: bpy.types.Context) -> str:
        from meshkin.scene.display import match_colors as look

        target = context.scene.meshkin.target
        count = look.select_below(target, self.threshold)
        if target.mode != "EDIT":
            if context.mode != "OBJECT":
                bpy.ops.object.mode_set(mode="OBJECT")
            bpy.ops.object.select_all(action="DESELECT")
            target.select_set(True)
            context.view_layer.objects.active = target
            bpy.ops.object.mode_set(mode="EDIT")
        return f"{count} of {len(target.data.vertices)} vertices selected."


@bpy.app.handlers.persistent  # type: ignore[untyped-decorator]
def after_undo(*_: object) -> None:
    """Lines are not part of the file: draw those of the match that there is now."""
    if status.lines_shown():
        bpy.app.timers.register(status.scene_module("display.lines").refresh, first_interval=0.01)


@bpy.app.handlers.persistent  # type: ignore[untyped-decorator]
def before_load(*_: object) -> None:
    """No lines in a new file."""
    if lines := status.scene_module("display.lines"):
        lines.hide()
        lines.mark([])


HANDLERS = {"undo_post": after_undo, "redo_post": after_undo, "load_pre": before_load}
CLASSES: list[type] = [
    MESHKIN_OT_show_match,
    MESHKIN_OT_show_confidence,
    MESHKIN_OT_show_lines,
    MESHKIN_OT_select_low,
]
