"""The buttons that show a match and its confidence in the viewport."""
# Blender's classes have no types, and its property annotations are calls.
# mypy: disable-error-code="misc, valid-type"
# ruff: noqa: RUF012

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import bpy
from bpy.props import FloatProperty, IntProperty

from ..base import driver, status
from ..base.operators import Explained, QuickAction, busy, locked, missing, unmatched
from ..base.options import options

if TYPE_CHECKING:
    from ..base.operators import Steps


class _ShowColors(QuickAction):
    """Base of the buttons that color source and target; pressed again, they restore the shading."""

    bl_options = {"REGISTER", "UNDO"}
    color: str
    """Name of the color attribute, without prefix."""
    paint: Callable[[bpy.types.Object, bpy.types.Object], None]
    """Writes the colors to source and target."""

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        if status.colors_shown(cls.color):
            return busy()
        settings = context.scene.meshkin
        return unmatched(context) or locked(settings.source, settings.target)

    def act(self, context: bpy.types.Context) -> str:
        from meshkin.scene.display import viewport as display
        from meshkin.scene.mesh import attributes

        name = attributes.ATTRIBUTE_PREFIX + self.color
        if display.shown_attribute() == name:
            display.hide()
            return ""
        settings = context.scene.meshkin
        type(self).paint(settings.source, settings.target)
        meshes = [obj for obj in context.scene.objects if obj.type == "MESH"]
        display.show(meshes, name)
        return ""


class MESHKIN_OT_show_match(_ShowColors):
    """Give matching points the same color on source and target, and on other objects matched with this source"""

    bl_idname = "meshkin.show_match"
    bl_label = "Same Color"
    color = "match_color"

    @staticmethod
    def paint(source: bpy.types.Object, target: bpy.types.Object) -> None:
        from meshkin.base.errors import InputError
        from meshkin.scene.display import match_colors
        from meshkin.scene.mesh import matches

        match_colors.paint(source, [target])
        for other in matches.matched_with(source):
            if other != target:
                try:
                    match_colors.paint(source, [other])
                except InputError:
                    continue  # it has changed since, or is linked; the button is about source and target


class MESHKIN_OT_show_confidence(_ShowColors):
    """Color source and target by the confidence of their match, from green (high) through yellow to dark red (low)"""

    bl_idname = "meshkin.show_confidence"
    bl_label = "Confidence"
    color = "match_confidence_color"

    @staticmethod
    def paint(source: bpy.types.Object, target: bpy.types.Object) -> None:
        from meshkin.scene.display import match_colors

        match_colors.paint_confidence(source, target)


class MESHKIN_OT_compare(driver.JobOperator, Explained, bpy.types.Operator):
    """Show the source beside the target, in its pose and size, in this view. Press again to restore scene and view"""

    bl_idname = "meshkin.compare"
    bl_label = "Compare"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        if status.compared():
            return busy()
        settings, matches = context.scene.meshkin, status.scene_module("mesh.matches")
        if reason := busy() or missing(context, "source", "target") or locked(settings.target):
            return reason
        is_matched = matches and matches.is_matched(settings.source, settings.target)
        return status.worker_missing if is_matched else ""  # the worker brings the source into the target's pose

    def steps(self, context: bpy.types.Context) -> Steps:
        from meshkin import workflow

        settings = context.scene.meshkin
        return workflow.compare(settings.source, settings.target, settings.look.lower(), options(context))

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        return self._ended() or super().invoke(context, event)

    def execute(self, context: bpy.types.Context) -> set[str]:
        return self._ended() or super().execute(context)

    def _ended(self) -> set[str]:
        """End the comparison; returns an empty set if there is none."""
        from meshkin.scene.display import comparison

        if not comparison.is_shown():
            return set()
        comparison.hide()
        status.redraw()
        return {"FINISHED"}


class MESHKIN_OT_show_lines(QuickAction):
    """Draw lines from points of the source to their matching points on the target, and between point pairs"""

    bl_idname = "meshkin.show_lines"
    bl_label = "Lines"
    bl_options = {"REGISTER"}

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        reason = "" if status.lines_shown() else unmatched(context)
        pairs, settings = status.scene_module("mesh.pairs"), context.scene.meshkin
        if reason and pairs and settings.source and settings.target and pairs.between(settings.source, settings.target):
            return busy()  # without a match, the lines of the point pairs can be drawn
        return reason

    def act(self, context: bpy.types.Context) -> str:
        from meshkin.scene.display import lines

        settings = context.scene.meshkin
        if lines.is_shown():
            lines.hide()
        else:
            lines.show(settings.source, settings.target, settings.lines)
        return ""


class MESHKIN_OT_select_low(QuickAction):
    """Select the target's vertices with a low confidence, in Edit Mode"""

    bl_idname = "meshkin.select_low"
    bl_label = "Select Low-Confidence Vertices"
    bl_options = {"REGISTER", "UNDO"}

    threshold: FloatProperty(
        name="Threshold",
        description="Select vertices with less confidence than this",
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
        if reason := locked(target) or ("" if target.visible_get() else f"“{target.name}” is hidden"):
            return reason
        return "" if "meshkin_match_confidence" in target.data.attributes else "Match source and target first"

    def act(self, context: bpy.types.Context) -> str:
        from meshkin.scene.display import match_colors

        target = context.scene.meshkin.target
        count = match_colors.select_below(target, self.threshold)
        if target.mode != "EDIT":
            if context.mode != "OBJECT":
                bpy.ops.object.mode_set(mode="OBJECT")
            bpy.ops.object.select_all(action="DESELECT")
            target.select_set(True)
            context.view_layer.objects.active = target
            bpy.ops.object.mode_set(mode="EDIT")
        return f"{count} of {len(target.data.vertices)} vertices selected."


class MESHKIN_OT_look_at_place(QuickAction):
    """Let the view jump to this place of the target, where the match is doubtful"""

    bl_idname = "meshkin.look_at_place"
    bl_label = "Look at Doubtful Place"
    bl_options = {"INTERNAL"}

    index: IntProperty(name="Number", description="Of the place in the list, from 0", min=0, options={"SKIP_SAVE"})

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        if reason := missing(context, "source", "target"):
            return reason
        if context.area is None or context.area.type != "VIEW_3D":
            return "Only a 3D view can look at a place"
        matches, settings = status.scene_module("mesh.matches"), context.scene.meshkin
        listed = matches and matches.doubtful_places(settings.source, settings.target)
        return "" if listed else "No place is listed: match source and target first"

    def act(self, context: bpy.types.Context) -> str:
        from meshkin.scene.display import looking
        from meshkin.scene.mesh import matches

        settings = context.scene.meshkin
        places = matches.doubtful_places(settings.source, settings.target)
        place = places[min(self.index, len(places) - 1)]
        looking.look_at(context.space_data.region_3d, settings.target, place)
        return f"{place.name}: {place.share:.1%} of the surface, confidence {place.confidence:.0%}"


@bpy.app.handlers.persistent  # type: ignore[untyped-decorator]
def after_undo(*_: object) -> None:
    """Redraw the lines, which are not part of the file, for the match that exists now; restore views."""
    if comparison := status.scene_module("display.comparison"):
        bpy.app.timers.register(comparison.after_undo, first_interval=0.01)
    if status.lines_shown():
        bpy.app.timers.register(status.scene_module("display.lines").refresh, first_interval=0.01)


@bpy.app.handlers.persistent  # type: ignore[untyped-decorator]
def before_load(*_: object) -> None:
    """Remove all lines before another file is loaded."""
    if lines := status.scene_module("display.lines"):
        lines.hide()
        lines.mark([])


@bpy.app.handlers.persistent  # type: ignore[untyped-decorator]
def remove_previews(*_: object) -> None:
    """Take away what a job only shows."""
    if previews := status.scene_module("display.previews"):
        previews.remove()


HANDLERS = {
    "undo_pre": (remove_previews,),
    "redo_pre": (remove_previews,),
    "save_pre": (remove_previews,),
    "undo_post": (remove_previews, after_undo),
    "redo_post": (remove_previews, after_undo),
    "load_pre": (before_load,),
}
"""Handlers to register, by their list in ``bpy.app.handlers``."""
CLASSES: list[type] = [
    MESHKIN_OT_show_match,
    MESHKIN_OT_show_confidence,
    MESHKIN_OT_compare,
    MESHKIN_OT_show_lines,
    MESHKIN_OT_select_low,
    MESHKIN_OT_look_at_place,
]
