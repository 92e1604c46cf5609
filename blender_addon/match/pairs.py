"""The buttons that add and remove the point pairs that guide a match."""
# Blender's classes have no types, and its property annotations are calls.
# mypy: disable-error-code="misc, valid-type"
# ruff: noqa: RUF012

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import bpy
from bpy.props import StringProperty

from ..base import members, status
from ..base.operators import Explained, QuickAction, busy, missing

if TYPE_CHECKING:
    from meshkin.scene.display.pinning import MouseRay

CLICK_TOLERANCE = 12
"""Pixels by which a click may miss the object: most picked points are tips, which are hard to hit. Chosen."""


class MESHKIN_OT_pick_pairs(Explained, bpy.types.Operator):
    """Click a point on one object, then the same point on the other, as often as you like. Crosses show where the match
    has the point under the mouse now. The source beside the target (Compare) can be clicked, too. Esc ends it"""

    bl_idname = "meshkin.pick_pairs"
    bl_label = "Pin Here"
    bl_options = {"REGISTER"}

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        if reason := busy() or missing(context, "source", "target"):
            return reason
        for obj in (context.scene.meshkin.source, context.scene.meshkin.target):
            if not obj.visible_get() and not status.compared():
                return f"“{obj.name}” is hidden"
        return ""

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        from meshkin.base.errors import MeshKinError
        from meshkin.scene.display import lines
        from meshkin.scene.display.pinning import Pinning

        settings = context.scene.meshkin
        try:
            self._pinning = Pinning(*(meshes(settings, role) for role in members.ROLES))
        except MeshKinError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        self._own_lines = not lines.is_shown()  # then the pairs' lines are drawn until picking ends
        if self._own_lines:
            lines.show(settings.source, settings.target, 0)
        context.window.cursor_modal_set("EYEDROPPER")
        context.window_manager.modal_handler_add(self)
        self._show_instructions(context)
        return {"RUNNING_MODAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        self.report({"ERROR"}, "Points can only be picked in a window; scripts use meshkin.scene.mesh.pairs.add")
        return {"CANCELLED"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        from meshkin.base.errors import MeshKinError
        from meshkin.scene.display import lines

        if event.type in {"ESC", "RET", "NUMPAD_ENTER", "RIGHTMOUSE"} and event.value == "PRESS":
            return self._end(context)
        is_click = event.type == "LEFTMOUSE" and event.value == "PRESS" and not event.alt
        ray = ray_under(context.window, event) if is_click or event.type == "MOUSEMOVE" else None
        if ray is None:
            return {"PASS_THROUGH"}
        try:
            if not is_click:
                lines.mark(self._pinning.marks(ray))
                return {"PASS_THROUGH"}
            made = self._pinning.click(ray)
        except MeshKinError as error:
            self.report({"ERROR"}, str(error))
            return self._end(context)
        if made:
            bpy.ops.ed.undo_push(message="Add Point Pair")
            status.redraw()
        lines.mark(self._pinning.marks())
        self._show_instructions(context, missed=made is None)
        return {"RUNNING_MODAL"}

    def cancel(self, context: bpy.types.Context) -> None:
        """End picking when Blender ends the operator because its window was closed."""
        self._end(context)

    def _show_instructions(self, context: bpy.types.Context, missed: bool = False) -> None:
        """Say in the status bar what to click next."""
        names = self._pinning.names
        done = next((end for end, point in enumerate(self._pinning.points) if point), None)
        place = f"“{names[0]}” or “{names[1]}”" if done is None else f"the same point of “{names[1 - done]}”"
        text = f"{'Nothing there. ' if missed else ''}Click {place}    Esc: Done ({self._pinning.count} added)"
        context.workspace.status_text_set(text)

    def _end(self, context: bpy.types.Context) -> set[str]:
        from meshkin.scene.display import lines

        lines.mark([])
        if self._own_lines:
            lines.hide()
        if context.window:
            context.window.cursor_modal_restore()
        if context.workspace:
            context.workspace.status_text_set(None)
        status.redraw()
        return {"FINISHED"} if self._pinning.count else {"CANCELLED"}


def meshes(settings: Any, role: str) -> list[bpy.types.Object]:
    """Return the meshes that a role stands for, the picked one first; may be called while drawing."""
    obj = getattr(settings, role)
    return [obj, *(each for each in members.ticked(settings, role) if each != obj)]


def ray_under(window: bpy.types.Window, event: bpy.types.Event) -> MouseRay | None:
    """Return the ray under the mouse; None where there is no 3D view."""
    from bpy_extras import view3d_utils

    from meshkin.scene.display.pinning import MouseRay

    found = _view_under(window, event)
    if found is None:
        return None
    area, region, view_data = found
    position = (event.mouse_x - region.x, event.mouse_y - region.y)
    beside = (position[0] + CLICK_TOLERANCE, position[1])
    pixels = [
        view3d_utils.region_2d_to_location_3d(region, view_data, pixel, view_data.view_location)
        for pixel in (position, beside)
    ]
    return MouseRay(
        tuple(view3d_utils.region_2d_to_origin_3d(region, view_data, position)),
        tuple(view3d_utils.region_2d_to_vector_3d(region, view_data, position)),
        (pixels[0] - pixels[1]).length,
        area.spaces.active,
    )


def _view_under(
    window: bpy.types.Window, event: bpy.types.Event
) -> tuple[bpy.types.Area, bpy.types.Region, bpy.types.RegionView3D] | None:
    """Return the 3D view under the mouse; None if there is none or if a sidebar or header covers it there."""
    for area in window.screen.areas:
        if area.type == "VIEW_3D":
            under_mouse = [
                region
                for region in area.regions
                if 0 <= event.mouse_x - region.x < region.width and 0 <= event.mouse_y - region.y < region.height
            ]
            if [region.type for region in under_mouse] == ["WINDOW"]:
                quad = area.spaces.active.region_quadviews
                index = [region for region in area.regions if region.type == "WINDOW"].index(under_mouse[0])
                return area, under_mouse[0], quad[index] if quad else area.spaces.active.region_3d
    return None


class MESHKIN_OT_pair_selected(QuickAction):
    """Add a point pair from the one vertex selected on the source and the one selected on the target"""

    bl_idname = "meshkin.pair_selected"
    bl_label = "Pair Selected Vertices"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        return busy() or missing(context, "source", "target")

    def act(self, context: bpy.types.Context) -> str:
        from meshkin.scene.mesh import pairs

        ends = context.scene.meshkin.source, context.scene.meshkin.target
        source_vertex, target_vertex = (pairs.selected_vertex(obj) for obj in ends)
        pair = pairs.add(*ends, source_vertex, target_vertex)
        return f"Point pair {pair.label} added."


class MESHKIN_OT_remove_pair(QuickAction):
    """Remove this point pair"""

    bl_idname = "meshkin.remove_pair"
    bl_label = "Remove Point Pair"
    bl_options = {"REGISTER", "UNDO"}

    label: StringProperty(name="Label", description="Name of the pair in the list", options={"SKIP_SAVE"})

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        return busy() or missing(context, "source", "target")

    def act(self, context: bpy.types.Context) -> str:
        from meshkin.scene.mesh import pairs

        sources, targets = (meshes(context.scene.meshkin, role) for role in members.ROLES)
        pairs.remove(sources, targets, self.label)
        return ""


CLASSES: list[type] = [
    MESHKIN_OT_pick_pairs,
    MESHKIN_OT_pair_selected,
    MESHKIN_OT_remove_pair,
]
