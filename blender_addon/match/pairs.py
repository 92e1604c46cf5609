"""The buttons of the point pairs that guide a match."""
# Blender's classes have no types, and its property annotations are calls.
# mypy: disable-error-code="misc, valid-type"
# ruff: noqa: RUF012

from __future__ import annotations

from typing import Any

import bpy
from bpy.props import StringProperty

from ..base import status
from ..base.operators import Explained, Quick, busy, missing

REACH = 12
"""Pixels by which a click may miss: tips are what is picked most."""


class MESHKIN_OT_pick_pairs(Explained, bpy.types.Operator):
    """Click on a point of one object, then on the same point of the other, as often as you like; Esc ends it"""

    bl_idname = "meshkin.pick_pairs"
    bl_label = "Add Point Pairs"
    bl_options = {"REGISTER"}

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        if reason := busy() or missing(context, "source", "target"):
            return reason
        for obj in (context.scene.meshkin.source, context.scene.meshkin.target):
            if not obj.visible_get():
                return f"“{obj.name}” is hidden"
        return ""

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        from meshkin.scene.display import lines
        from meshkin.scene.objects import Handle

        settings = context.scene.meshkin
        self._lines = not lines.is_shown()  # between the pairs, as long as they are picked
        if self._lines:
            lines.show(settings.source, settings.target, 0)
        self._ends = [Handle.of(settings.source), Handle.of(settings.target)]
        self._points: list[Any] = [None, None]
        self._count = 0
        context.window.cursor_modal_set("EYEDROPPER")
        context.window_manager.modal_handler_add(self)
        self._tell(context)
        return {"RUNNING_MODAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        self.report({"ERROR"}, "Points are picked in a window; scripts use meshkin.scene.mesh.pairs.add")
        return {"CANCELLED"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        from meshkin.base.errors import MeshKinError

        if event.type in {"ESC", "RET", "NUMPAD_ENTER", "RIGHTMOUSE"} and event.value == "PRESS":
            return self._end(context)
        if event.type != "LEFTMOUSE" or event.value != "PRESS" or event.alt:
            return {"PASS_THROUGH"}
        view = _view_under(context.window, event)
        if view is None:
            return {"PASS_THROUGH"}
        try:
            self._pick(context, view, event)
        except MeshKinError as error:
            self.report({"ERROR"}, str(error))
            return self._end(context)
        return {"RUNNING_MODAL"}

    def cancel(self, context: bpy.types.Context) -> None:
        """Called by Blender when it drops the operator (its window was closed)."""
        self._end(context)

    def _pick(
        self, context: bpy.types.Context, view: tuple[bpy.types.Region, bpy.types.RegionView3D], event: bpy.types.Event
    ) -> None:
        from bpy_extras import view3d_utils
        from mathutils import Vector

        from meshkin.scene.display import lines
        from meshkin.scene.mesh import pairs, snapshot

        region, data = view
        at = (event.mouse_x - region.x, event.mouse_y - region.y)
        origin = view3d_utils.region_2d_to_origin_3d(region, data, at)
        direction = view3d_utils.region_2d_to_vector_3d(region, data, at)
        objects = [handle.get() for handle in self._ends]
        hits = []
        for side, obj in enumerate(objects):
            shape = snapshot.take(obj)
            center = obj.matrix_world @ (sum((Vector(corner) for corner in obj.bound_box), Vector()) / 8)
            beside = (at[0] + REACH, at[1])
            here, there = (view3d_utils.region_2d_to_location_3d(region, data, one, center) for one in (at, beside))
            if point := pairs.cast_ray(shape, tuple(origin), tuple(direction), (here - there).length):
                hits.append(((Vector(point) - origin).length, side, point))
        if hits:
            _, side, self._points[side] = min(hits)
        if None not in self._points:
            pairs.add(*objects, *self._points)
            self._points = [None, None]
            self._count += 1
            bpy.ops.ed.undo_push(message="Add Point Pair")
            status.redraw()
        lines.mark([point for point in self._points if point])
        self._tell(context, missed=not hits)

    def _tell(self, context: bpy.types.Context, missed: bool = False) -> None:
        names = [handle.name for handle in self._ends]
        done = next((side for side, point in enumerate(self._points) if point), None)
        wanted = f"“{names[0]}” or “{names[1]}”" if done is None else f"the same point of “{names[1 - done]}”"
        text = f"{'Nothing there. ' if missed else ''}Click on {wanted}    Esc: Done ({self._count} added)"
        context.workspace.status_text_set(text)

    def _end(self, context: bpy.types.Context) -> set[str]:
        from meshkin.scene.display import lines

        lines.mark([])
        if self._lines:
            lines.hide()
        if context.window:
            context.window.cursor_modal_restore()
        if context.workspace:
            context.workspace.status_text_set(None)
        status.redraw()
        return {"FINISHED"} if self._count else {"CANCELLED"}


def _view_under(
    window: bpy.types.Window, event: bpy.types.Event
) -> tuple[bpy.types.Region, bpy.types.RegionView3D] | None:
    """The 3D view under the mouse, unless a sidebar or header lies above it there."""
    for area in window.screen.areas:
        if area.type == "VIEW_3D":
            under = [
                region
                for region in area.regions
                if 0 <= event.mouse_x - region.x < region.width and 0 <= event.mouse_y - region.y < region.height
            ]
            if [region.type for region in under] == ["WINDOW"]:
                quad = area.spaces.active.region_quadviews
                index = [region for region in area.regions if region.type == "WINDOW"].index(under[0])
                return under[0], quad[index] if quad else area.spaces.active.region_3d
    return None


class MESHKIN_OT_pair_selected(Quick):
    """Make a point pair of the one vertex selected on the source and the one selected on the target"""

    bl_idname = "meshkin.pair_selected"
    bl_label = "Pair Selected Vertices"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        return busy() or missing(context, "source", "target")

    def act(self, context: bpy.types.Context) -> str:
        from meshkin.scene.mesh import pairs

        ends = context.scene.meshkin.source, context.scene.meshkin.target
        one, two = (pairs.selected_vertex(obj) for obj in ends)
        made = pairs.add(*ends, one, two)
        return f"Point pair {made.label} added."


class MESHKIN_OT_remove_pair(Quick):
    """Remove this point pair"""

    bl_idname = "meshkin.remove_pair"
    bl_label = "Remove Point Pair"
    bl_options = {"REGISTER", "UNDO"}

    label: StringProperty(name="Label", description="What the pair is called in the list", options={"SKIP_SAVE"})

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        return busy() or missing(context, "source", "target")

    def act(self, context: bpy.types.Context) -> str:
        from meshkin.scene.mesh import pairs

        pairs.remove(context.scene.meshkin.source, context.scene.meshkin.target, self.label)
        return ""


CLASSES: list[type] = [
    MESHKIN_OT_pick_pairs,
    MESHKIN_OT_pair_selected,
    MESHKIN_OT_remove_pair,
]
