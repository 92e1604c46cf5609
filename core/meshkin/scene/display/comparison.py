"""The source beside the target: a stand-in of the source, in the target's pose and size, in the same 3D view.

The stand-in is an object in a collection of its own, which renders leave out. What else is changed is noted on this
collection, so that ending the comparison restores the scene, also after the file was saved and opened again.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from typing import Any

import bpy
import numpy as np
from mathutils import Vector
from numpy.typing import NDArray

from ...base.errors import InputError
from ...base.names import cut
from ..arrays import read_floats, write_vectors
from ..frames import transform_points
from ..mesh import attributes, matches, pieces
from ..mesh import snapshot as snapshots
from ..rig import binding
from . import match_colors, viewport

COMPARISON = "MeshKin Compare"
"""The collection of the stand-in."""
STATE_PROPERTY = "meshkin_compare"
"""Custom property of this collection, as JSON: what has to be restored."""
END_PROPERTIES = ("meshkin_source", "meshkin_target")
"""Custom properties of the stand-in: the two objects that are compared."""
VIEW_PROPERTY = "meshkin_compare_view"
"""Custom property of the screens on which a comparison is shown: the number of the area that shows it alone, or -1."""
GAP = 0.15
"""Distance between the two, in largest dimensions of the target; chosen."""
FLAT = 0.05
"""Height, in largest dimensions, from which heights are made equal, and not largest dimensions; chosen."""
LOOKS = {"textures": "", "colors": match_colors.MATCH_COLOR, "confidence": match_colors.CONFIDENCE_COLOR}
"""How the two can be shown, and the color attribute (without prefix) that shows it; "" for their materials."""


def show(
    sources: Sequence[bpy.types.Object],
    target: bpy.types.Object,
    vertices: NDArray[np.floating] | None = None,
    look: str = "textures",
) -> bpy.types.Object:
    """Put a stand-in of the source beside the target, to its left from the front; returns it.

    Args:
        sources: the object, or the meshes of a character that are matched as one.
        target: the object beside which they are shown.
        vertices: (V, 3) of the source's snapshot, in the pose to show; None for the pose that it has.
        look: one of :data:`LOOKS`.

    Raises InputError as :func:`meshkin.scene.mesh.snapshot.take`, and :func:`set_look`; nothing is shown then.
    """
    hide()
    state: dict[str, Any] = {"shown": viewport.shown_attribute(), "painted": []}
    if len(sources) == 1:
        stand_in = _new_stand_in(sources[0], vertices)
    else:
        with pieces.joined(sources) as whole:
            stand_in = _new_stand_in(whole, vertices)
    collection = bpy.data.collections.new(COMPARISON)
    collection.hide_render = True
    collection.objects.link(stand_in)
    bpy.context.scene.collection.children.link(collection)
    collection[STATE_PROPERTY] = json.dumps(state)
    for window in bpy.context.window_manager.windows:
        window.screen[VIEW_PROPERTY] = -1
    for name, obj in zip(END_PROPERTIES, (sources[0], target), strict=True):
        stand_in[name] = obj
    try:
        set_look(look)
    except BaseException:
        hide()
        raise
    arrange(viewport.right_axis())
    companions = [
        obj
        for obj in (
            *_painted(sources[0], target),
            *target.children_recursive,
            *binding.meshes_posed_with(target),
        )
        if obj.visible_get()
    ]
    _isolate([stand_in, *dict.fromkeys(companions)])
    return stand_in


def hide() -> None:
    """End the comparison: the scene is as it was before, but for what the user has changed since."""
    collection = _collection()
    if collection is None:
        return
    state = json.loads(collection[STATE_PROPERTY])
    source, target = ends()
    _leave_local_view(stand_in())
    _restore_views(state["shown"])
    for name in state["painted"]:
        for obj in _painted(source, target):
            if attribute := obj.data.attributes.get(name):
                obj.data.attributes.remove(attribute)
    blocks = [block for obj in collection.objects for block in (obj, obj.data)]
    bpy.data.batch_remove([*blocks, collection])


def is_shown() -> bool:
    """Whether :func:`hide` has something to end; fast enough for drawing."""
    return stand_in() is not None


def after_undo() -> None:
    """Restore the views if an undo took the stand-in away: it does not change views."""
    marked = [screen for screen in bpy.data.screens if VIEW_PROPERTY in screen]
    if marked and not is_shown():
        _leave_local_view(None)
        _restore_views(viewport.shown_attribute())


def stand_in() -> bpy.types.Object | None:
    """The source's stand-in, while there is one."""
    collection = _collection()
    return collection.objects[0] if collection and len(collection.objects) else None


def ends() -> tuple[bpy.types.Object | None, bpy.types.Object | None]:
    """Source and target of the comparison; None where there is none."""
    shown = stand_in()
    source, target = (shown.get(name) if shown else None for name in END_PROPERTIES)
    return source, target


def set_look(look: str) -> None:
    """Show both with their textures, or with the colors of their match.

    Raises InputError as :func:`meshkin.scene.mesh.matches.load` for colors.
    """
    collection, shown, (source, target) = _collection(), stand_in(), ends()
    if collection is None or shown is None or source is None or target is None:
        return
    if not LOOKS[look]:
        viewport.show_materials()
        return
    name = attributes.ATTRIBUTE_PREFIX + LOOKS[look]
    if not (name in shown.data.attributes and name in target.data.attributes):
        matched = matches.load(source, target, in_any_pose=True)
        source_colors, target_colors = match_colors.colors_of_pair(matched, LOOKS[look])
        if name not in target.data.attributes:
            state = json.loads(collection[STATE_PROPERTY])
            collection[STATE_PROPERTY] = json.dumps({**state, "painted": [*state["painted"], name]})
        attributes.write(shown, LOOKS[look], source_colors)
        for mesh in matched.target_meshes:
            attributes.write(mesh.object, LOOKS[look], target_colors[mesh.rows])
    viewport.show([shown, target, *(obj for obj in _painted(source, target) if obj != target)], name)


def arrange(right: Sequence[float] = (1, 0, 0)) -> None:
    """Put the stand-in to the target's left, on the same ground and as high.

    Args:
        right: what is to the right in the view, in the world.
    """
    shown, (_, target) = stand_in(), ends()
    if shown is None or target is None:
        return
    goal = transform_points(target.matrix_world, np.array(target.bound_box))
    points = np.array(shown.bound_box, np.float64)
    largest, size = np.ptp(goal, axis=0), np.ptp(points, axis=0)
    by = 2 if min(largest[2] / largest.max(), size[2] / size.max()) > FLAT else slice(None)
    scale = float(np.max(largest[by]) / np.max(size[by]))
    side = np.array((right[0], right[1], 0.0))
    side = side / np.linalg.norm(side) if side.any() else np.array((1.0, 0, 0))
    place = (goal.min(axis=0) + goal.max(axis=0)) / 2 - scale * (points.min(axis=0) + points.max(axis=0)) / 2
    place -= side * ((np.ptp(goal @ side) + scale * np.ptp(points @ side)) / 2 + GAP * largest.max())
    place[2] = goal[:, 2].min() - scale * points[:, 2].min()
    shown.scale, shown.location = (scale,) * 3, place.tolist()
    bpy.context.view_layer.update()


def offset() -> Vector:
    """How far the stand-in's middle lies from the target's, in the world."""
    centers = [
        obj.matrix_world @ (sum(map(Vector, obj.bound_box), Vector()) / 8) for obj in (stand_in(), ends()[1]) if obj
    ]
    return centers[0] - centers[1] if len(centers) == 2 else Vector()


def _painted(source: bpy.types.Object | None, target: bpy.types.Object | None) -> Sequence[bpy.types.Object]:
    """The target's meshes that were colored for the comparison."""
    if source is None or target is None:
        return [target] if target else []
    with contextlib.suppress(InputError):  # one of them is gone
        return matches.matched_as_one(source, target)
    return [target]


def _collection() -> bpy.types.Collection | None:
    """The comparison's collection."""
    return next((each for each in bpy.data.collections if STATE_PROPERTY in each), None)


def _new_stand_in(source: bpy.types.Object, vertices: NDArray[np.floating] | None) -> bpy.types.Object:
    """A mesh object like the source as it is evaluated, with its materials and attributes, along world axes."""
    with snapshots.evaluated(source) as (evaluated_object, evaluated_mesh):
        mesh = bpy.data.meshes.new_from_object(evaluated_object)
        materials = snapshots.slot_materials(evaluated_object, evaluated_mesh)
        linear = np.array(evaluated_object.matrix_world, np.float64)[:3, :3]
    mesh.name = cut(f"{source.name} beside")
    for slot, material in enumerate(materials):
        mesh.materials[slot] = material
    if vertices is None:
        vertices = read_floats(mesh.vertices, "co", 3) @ linear.T
    if np.linalg.det(linear) < 0:
        mesh.flip_normals()
    write_vectors(mesh.vertices, "co", vertices)
    mesh.update()
    stand_in = bpy.data.objects.new(mesh.name, mesh)
    stand_in.hide_select = True  # it cannot be edited, only looked at
    return stand_in


def _restore_views(shown: str) -> None:
    """Give the views and meshes back what they showed: a color attribute, or what the user had chosen ("")."""
    viewport.hide()
    for screen in bpy.data.screens:
        screen.pop(VIEW_PROPERTY, None)
    if shown:
        with contextlib.suppress(InputError):  # what showed these colors may be gone
            viewport.show(bpy.context.scene.objects, shown)


# Local view --------------------------------------------------------------------------------------------------------


def _isolate(objects: Sequence[bpy.types.Object]) -> None:
    """Show these objects alone in the present 3D view.

    A view that shows a local choice of objects already shows these, too.
    """
    area = bpy.context.area
    if bpy.app.background or area is None or area.type != "VIEW_3D":
        return
    space = area.spaces.active
    if space.local_view:
        for obj in objects:
            obj.local_view_set(space, True)
        return
    _toggle_local_view(bpy.context.window, area, objects)
    bpy.context.screen[VIEW_PROPERTY] = list(bpy.context.screen.areas).index(area)


def _leave_local_view(shown: bpy.types.Object | None) -> None:
    """Let the view that :func:`_isolate` has changed show everything again, unless it shows another choice by now.

    Args:
        shown: the stand-in; None if it is gone.
    """
    for window in bpy.context.window_manager.windows:
        number = window.screen.get(VIEW_PROPERTY, -1)
        if not 0 <= number < len(window.screen.areas):
            continue
        area = window.screen.areas[number]
        is_local = area.type == "VIEW_3D" and area.spaces.active.local_view
        if is_local and (shown is None or shown.local_view_get(area.spaces.active)):
            _toggle_local_view(window, area, [])


def _toggle_local_view(window: bpy.types.Window, area: bpy.types.Area, objects: Sequence[bpy.types.Object]) -> None:
    """Enter the local view with these objects, or leave it; selection and active object stay."""
    layer = window.view_layer
    active, selected = layer.objects.active, list(layer.objects.selected)
    unselectable = [obj for obj in objects if obj.hide_select]
    for obj in unselectable:
        obj.hide_select = False
    for obj in selected:
        obj.select_set(False, view_layer=layer)
    for obj in objects:
        obj.select_set(True, view_layer=layer)
    region = next(region for region in area.regions if region.type == "WINDOW")
    with bpy.context.temp_override(window=window, area=area, region=region):
        bpy.ops.view3d.localview()
    for obj in list(layer.objects.selected):
        obj.select_set(False, view_layer=layer)
    for obj in selected:
        obj.select_set(True, view_layer=layer)
    for obj in unselectable:
        obj.hide_select = True
    layer.objects.active = active
