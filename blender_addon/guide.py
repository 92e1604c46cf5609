"""The buttons that guide a match and look at it; what they do is in ``meshkin.scene`` and ``meshkin.workflow``."""
# Blender's classes have no types, and its property annotations are calls.
# mypy: disable-error-code="misc, valid-type"
# ruff: noqa: RUF012

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import bpy
from bpy.props import FloatProperty, StringProperty

from . import preferences, properties, status
from .operators import _busy, _Explained, _locked, _missing, _options, _SceneJob

if TYPE_CHECKING:
    from .operators import Steps


REACH = 12
"""Pixels by which a click may miss: tips are what is picked most."""


def _unmatched(context: bpy.types.Context) -> str:
    """Why there is no match to look at, or ""."""
    reason = _busy() or _missing(context, "source", "target")
    known = status.scene_module("matches")
    if not reason and known and not known.is_matched(context.scene.meshkin.source, context.scene.meshkin.target):
        return "Match source and target first"
    return reason


class _Quick(_Explained, bpy.types.Operator):
    """Base of what is done at once: an expected error becomes its sentence."""

    def act(self, context: bpy.types.Context) -> str:
        """Do it; what to tell, or ""."""
        raise NotImplementedError

    def execute(self, context: bpy.types.Context) -> set[str]:
        from meshkin.errors import MeshKinError

        preferences.apply(context)
        try:
            told = self.act(context)
        except MeshKinError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        if told:
            self.report({"INFO"}, told)
        status.redraw()
        return {"FINISHED"}


# Guiding ---------------------------------------------------------------------------------------------------------


class MESHKIN_OT_pick_pairs(_Explained, bpy.types.Operator):
    """Click on a point of one object, then on the same point of the other, as often as you like; Esc ends it"""

    bl_idname = "meshkin.pick_pairs"
    bl_label = "Add Point Pairs"
    bl_options = {"REGISTER"}

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        if reason := _busy() or _missing(context, "source", "target"):
            return reason
        for obj in (context.scene.meshkin.source, context.scene.meshkin.target):
            if not obj.visible_get():
                return f"“{obj.name}” is hidden"
        return ""

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        from meshkin.scene import lines
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
        self.report({"ERROR"}, "Points are picked in a window; scripts use meshkin.scene.pairs.add")
        return {"CANCELLED"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        from meshkin.errors import MeshKinError

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

        from meshkin.scene import lines, pairs, snapshot

        region, data = view
        at = (event.mouse_x - region.x, event.mouse_y - region.y)
        origin = view3d_utils.region_2d_to_origin_3d(region, data, at)
        direction = view3d_utils.region_2d_to_vector_3d(region, data, at)
        objects = [handle.get() for handle in self._ends]
        hits = []
        for side, obj in enumerate(objects):
            shape = snapshot.take(obj)
            centre = obj.matrix_world @ (sum((Vector(corner) for corner in obj.bound_box), Vector()) / 8)
            beside = (at[0] + REACH, at[1])
            here, there = (view3d_utils.region_2d_to_location_3d(region, data, one, centre) for one in (at, beside))
            if point := pairs.hit(shape, tuple(origin), tuple(direction), (here - there).length):
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
        from meshkin.scene import lines

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


class MESHKIN_OT_pair_selected(_Quick):
    """Make a point pair of the one vertex selected on the source and the one selected on the target"""

    bl_idname = "meshkin.pair_selected"
    bl_label = "Pair Selected Vertices"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        return _busy() or _missing(context, "source", "target")

    def act(self, context: bpy.types.Context) -> str:
        from meshkin.scene import pairs

        ends = context.scene.meshkin.source, context.scene.meshkin.target
        one, two = (pairs.selected_vertex(obj) for obj in ends)
        made = pairs.add(*ends, one, two)
        return f"Point pair {made.label} added."


class MESHKIN_OT_remove_pair(_Quick):
    """Remove this point pair"""

    bl_idname = "meshkin.remove_pair"
    bl_label = "Remove Point Pair"
    bl_options = {"REGISTER", "UNDO"}

    label: StringProperty(name="Label", description="What the pair is called in the list", options={"SKIP_SAVE"})

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        return _busy() or _missing(context, "source", "target")

    def act(self, context: bpy.types.Context) -> str:
        from meshkin.scene import pairs

        pairs.remove(context.scene.meshkin.source, context.scene.meshkin.target, self.label)
        return ""


class MESHKIN_OT_flip(_SceneJob):
    """Take the mirrored match, for when left and right came out exchanged; pressed again it flips back"""

    bl_idname = "meshkin.flip"
    bl_label = "Flip Match"

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        reason = _unmatched(context)
        settings = context.scene.meshkin
        if not reason and settings.through and settings.through != settings.source:
            reason = "Only a direct match can be flipped; clear “Through”, or make it the source"
        return reason or _locked(settings.target) or status.worker_missing

    def steps(self, context: bpy.types.Context) -> Steps:
        from meshkin import workflow
        from meshkin.scene import matches

        settings = context.scene.meshkin
        flip = not matches.is_flipped(settings.source, settings.target)
        return with_lines(workflow.match(settings.source, settings.target, _options(context, flip=flip)))


class MESHKIN_OT_match_set(_SceneJob):
    """Match all selected objects to the active one, and through it to each other, so that all of them agree"""

    bl_idname = "meshkin.match_set"
    bl_label = "Match Selected as a Set"

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        reference, others = _set(context)
        if len(others) < 2 or not (reference and reference.select_get() and reference.type in properties.SURFACES):
            return "Select three or more objects with a surface; the active one becomes the reference"
        return _busy() or _locked(*others) or status.worker_missing

    def steps(self, context: bpy.types.Context) -> Steps:
        from meshkin import workflow
        from meshkin.scene.objects import Handle

        reference, others = _set(context)
        centre, scene = Handle.of(reference), context.scene.name
        report = yield from with_lines(workflow.match_set(others, reference, _options(context)))
        if scene in bpy.data.scenes:
            bpy.data.scenes[scene].meshkin.through = centre.get()
        return report


def _set(context: bpy.types.Context) -> tuple[bpy.types.Object | None, list[bpy.types.Object]]:
    reference = context.view_layer.objects.active
    chosen = [obj for obj in context.selected_objects if obj.type in properties.SURFACES]
    return reference, [obj for obj in chosen if obj != reference]


def with_lines(job: Steps) -> Steps:
    """A job after which the lines in the viewport are those of the new match."""
    from meshkin.scene import lines

    report = yield from job
    lines.refresh()
    return report


# Looking ---------------------------------------------------------------------------------------------------------


class _Show(_Quick):
    """Base of the buttons that colour source and target; pressed again they give the shading back."""

    bl_options = {"REGISTER", "UNDO"}
    colour: str
    """Name of the attribute, without prefix."""
    paint: Callable[[bpy.types.Object, bpy.types.Object], None]

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        if status.colours_shown(cls.colour):
            return _busy()
        settings = context.scene.meshkin
        return _unmatched(context) or _locked(settings.source, settings.target)

    def act(self, context: bpy.types.Context) -> str:
        from meshkin.scene import attributes, display

        name = attributes.PREFIX + self.colour
        if display.shown() == name:
            display.hide()
            return ""
        settings = context.scene.meshkin
        type(self).paint(settings.source, settings.target)
        everything = [obj for obj in context.scene.objects if obj.type == "MESH"]
        display.show(everything, name)
        return ""


class MESHKIN_OT_show_match(_Show):
    """Give points that are matched the same colour on source and target (and on others matched with this source)"""

    bl_idname = "meshkin.show_match"
    bl_label = "Same Colour"
    colour = "match_color"

    @staticmethod
    def paint(source: bpy.types.Object, target: bpy.types.Object) -> None:
        from meshkin.errors import InputError
        from meshkin.scene import look, matches

        look.paint(source, [target])
        for other in matches.matched_with(source):
            if other != target:
                try:
                    look.paint(source, [other])
                except InputError:
                    continue  # changed since, or linked: it is not what was asked about


class MESHKIN_OT_show_confidence(_Show):
    """Colour source and target by how sure their match is: green is sure, yellow and orange less, dark red is not"""

    bl_idname = "meshkin.show_confidence"
    bl_label = "Confidence"
    colour = "match_confidence_color"

    @staticmethod
    def paint(source: bpy.types.Object, target: bpy.types.Object) -> None:
        from meshkin.scene import look

        look.paint_confidence(source, target)


class MESHKIN_OT_show_lines(_Quick):
    """Draw lines from points of the source to their kin on the target, and between point pairs"""

    bl_idname = "meshkin.show_lines"
    bl_label = "Lines"
    bl_options = {"REGISTER"}

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        reason = "" if status.lines_shown() else _unmatched(context)
        known, settings = status.scene_module("pairs"), context.scene.meshkin
        if reason and known and settings.source and settings.target and known.between(settings.source, settings.target):
            return _busy()
        return reason

    def act(self, context: bpy.types.Context) -> str:
        from meshkin.scene import lines

        settings = context.scene.meshkin
        if lines.is_shown():
            lines.hide()
        else:
            lines.show(settings.source, settings.target, settings.lines)
        return ""


class MESHKIN_OT_select_low(_Quick):
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
        reason = _busy() or _missing(context, "target")
        target = context.scene.meshkin.target
        if reason or (target.type == "MESH" and target.mode == "EDIT"):
            return reason
        if context.mode not in ("OBJECT", "EDIT_MESH"):
            return "Go back to Object Mode first"
        return _locked(target) or ("" if target.visible_get() else f"“{target.name}” is hidden")

    def act(self, context: bpy.types.Context) -> str:
        from meshkin.scene import look

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
        bpy.app.timers.register(status.scene_module("lines").refresh, first_interval=0.01)


@bpy.app.handlers.persistent  # type: ignore[untyped-decorator]
def before_load(*_: object) -> None:
    """No lines in a new file."""
    if lines := status.scene_module("lines"):
        lines.hide()
        lines.mark([])


CLASSES: list[type] = [
    MESHKIN_OT_pick_pairs,
    MESHKIN_OT_pair_selected,
    MESHKIN_OT_remove_pair,
    MESHKIN_OT_flip,
    MESHKIN_OT_match_set,
    MESHKIN_OT_show_match,
    MESHKIN_OT_show_confidence,
    MESHKIN_OT_show_lines,
    MESHKIN_OT_select_low,
]
HANDLERS = {"undo_post": after_undo, "redo_post": after_undo, "load_pre": before_load}
