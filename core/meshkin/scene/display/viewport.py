"""Attribute colors in the viewport: shown by one call, and the user's own shading restored by the next.

The state before is kept in a custom property of what it belongs to: of each screen as JSON, and of each mesh. So undo
restores a mesh's active color together with this note, screens, which undo does not change, keep theirs, and both are
saved with the file.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

import bpy
from mathutils import Vector

from ...base.errors import InputError
from ..mesh.attributes import COLOR

BEFORE_PROPERTY = "meshkin_display"
"""Custom property: on a screen, the shading of its 3D views before; on a mesh, the name of its active color before."""
SHADING = {"type": "SOLID", "color_type": "VERTEX", "light": "STUDIO"}
"""Settings of a 3D view that shows attribute colors, in the order in which they have to be set."""
MATERIAL_SHADING = {"type": "MATERIAL"}
"""Settings of a 3D view that shows materials with their textures."""


def show(objects: Iterable[bpy.types.Object], attribute: str = COLOR) -> None:
    """Show a color attribute of the objects in every 3D view of every window.

    Without a window only the meshes' active color is set. Objects without the attribute are ignored.

    Raises InputError ``no-colors`` when no object has it.
    """
    meshes = {obj.data for obj in objects if obj.type == "MESH" and attribute in obj.data.color_attributes}
    if not meshes:
        raise InputError("no-colors", "There are no feature colors to show.", "Compute the features first.")
    for mesh in meshes:
        if mesh.library is None:
            if BEFORE_PROPERTY not in mesh:
                mesh[BEFORE_PROPERTY] = mesh.color_attributes.active_color_name
            _activate(mesh, attribute)
    _shade(SHADING)


def show_materials() -> None:
    """Show materials with their textures in every 3D view of every window."""
    _shade(MATERIAL_SHADING)


def _shade(values: dict[str, str]) -> None:
    """Give every visible 3D view this shading, and keep the one before."""
    for screen, views in _visible_screens():
        before = json.loads(screen.get(BEFORE_PROPERTY, "{}"))
        for index, shading in views:
            before.setdefault(str(index), {name: getattr(shading, name) for name in SHADING})
            _set(shading, values)
        screen[BEFORE_PROPERTY] = json.dumps(before)


def hide() -> None:
    """Restore what every view and mesh that :func:`show` has changed had before.

    A view whose shading the user has changed since then is not changed.
    """
    for screen in bpy.data.screens:
        before = json.loads(screen.pop(BEFORE_PROPERTY, "{}"))
        for index, area in enumerate(screen.areas):
            if str(index) in before and area.type == "VIEW_3D":
                shading = area.spaces.active.shading
                if any(_is_set(shading, values) for values in (SHADING, MATERIAL_SHADING)):
                    _set(shading, before[str(index)])
    for mesh in bpy.data.meshes:
        if BEFORE_PROPERTY in mesh:
            name = mesh.pop(BEFORE_PROPERTY)
            if name in mesh.color_attributes:
                _activate(mesh, name)


def is_shown() -> bool:
    """Whether :func:`hide` has something to restore."""
    return any(BEFORE_PROPERTY in block for block in (*bpy.data.screens, *bpy.data.meshes))


def shows_materials() -> bool:
    """Whether a view shows materials because of :func:`show_materials`."""
    areas = (area for screen in bpy.data.screens if BEFORE_PROPERTY in screen for area in screen.areas)
    return any(_is_set(area.spaces.active.shading, MATERIAL_SHADING) for area in areas if area.type == "VIEW_3D")


def shown_attribute() -> str:
    """Name of the color attribute that :func:`show` made active, on the first mesh that shows one; "" for none."""
    return next((mesh.color_attributes.active_color_name for mesh in bpy.data.meshes if BEFORE_PROPERTY in mesh), "")


def right_axis() -> tuple[float, float, float]:
    """What is to the right in the present 3D view, in the world; X without a view."""
    area = bpy.context.area
    if area is None or area.type != "VIEW_3D":
        return 1.0, 0.0, 0.0
    x, y, z = area.spaces.active.region_3d.view_rotation @ Vector((1, 0, 0))
    return x, y, z


def _visible_screens() -> Iterator[tuple[bpy.types.Screen, list[tuple[int, bpy.types.View3DShading]]]]:
    """The screens of the open windows, each with the number and the shading of its 3D views."""
    for window in bpy.context.window_manager.windows:
        areas = enumerate(window.screen.areas)
        views = [(index, area.spaces.active.shading) for index, area in areas if area.type == "VIEW_3D"]
        if views:
            yield window.screen, views


def _activate(mesh: bpy.types.Mesh, name: str) -> None:
    mesh.color_attributes.active_color_name = name
    mesh.update_tag()  # otherwise Blender would go on drawing the old colors


def _is_set(shading: bpy.types.View3DShading, values: dict[str, str]) -> bool:
    return all(getattr(shading, name) == value for name, value in values.items())


def _set(shading: bpy.types.View3DShading, values: dict[str, str]) -> None:
    for name, value in values.items():
        setattr(shading, name, value)
