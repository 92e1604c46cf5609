"""Attribute colors in the viewport: shown by one call, and the user's own shading given back by the next.

What was there before is kept on the data it belongs to, as JSON in a custom property of each screen and each mesh. So
it lives as long as what it describes: undo takes a mesh's color choice and its note back together, screens, which
undo leaves alone, keep theirs, and both are saved with the file.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

import bpy

from ...base.errors import InputError
from ..mesh.attributes import COLOR

KEPT = "meshkin_display"
"""The custom property."""
SHADING = {"type": "SOLID", "color_type": "VERTEX", "light": "STUDIO"}
"""How a view shows attribute colors; what these were before is kept, in the order in which to set them."""


def show(objects: Iterable[bpy.types.Object], attribute: str = COLOR) -> None:
    """Show a color attribute of the objects in every 3D view of every window.

    Without a window only the meshes' active color is set. Objects that lack the attribute are passed over.

    Raises InputError ``no-colors`` when no object has it.
    """
    meshes = {obj.data for obj in objects if obj.type == "MESH" and attribute in obj.data.color_attributes}
    if not meshes:
        raise InputError("no-colors", "There are no feature colors to show.", "Compute the features first.")
    for mesh in meshes:
        if mesh.library is None:
            if KEPT not in mesh:
                mesh[KEPT] = mesh.color_attributes.active_color_name
            _activate(mesh, attribute)
    for screen, views in _screens():
        kept = json.loads(screen.get(KEPT, "{}"))
        for index, shading in views:
            kept.setdefault(str(index), {name: getattr(shading, name) for name in SHADING})
            _set(shading, SHADING)
        screen[KEPT] = json.dumps(kept)


def hide() -> None:
    """Give every view and mesh that :func:`show` changed what it had before.

    A view whose shading the user has changed since then keeps that.
    """
    for screen in bpy.data.screens:
        kept = json.loads(screen.pop(KEPT, "{}"))
        for index, area in enumerate(screen.areas):
            if str(index) in kept and area.type == "VIEW_3D":
                shading = area.spaces.active.shading
                if all(getattr(shading, name) == value for name, value in SHADING.items()):
                    _set(shading, kept[str(index)])
    for mesh in bpy.data.meshes:
        if KEPT in mesh:
            name = mesh.pop(KEPT)
            if name in mesh.color_attributes:
                _activate(mesh, name)


def is_shown() -> bool:
    """Whether :func:`hide` has something to give back."""
    return any(KEPT in item for item in bpy.data.screens) or any(KEPT in item for item in bpy.data.meshes)


def shown_attribute() -> str:
    """The color attribute that :func:`show` made active, of whichever mesh shows one; "" where none does."""
    return next((mesh.color_attributes.active_color_name for mesh in bpy.data.meshes if KEPT in mesh), "")


def _screens() -> Iterator[tuple[bpy.types.Screen, list[tuple[int, bpy.types.View3DShading]]]]:
    """The screens in sight, and the number and shading of each of their 3D views."""
    for window in bpy.context.window_manager.windows:
        areas = enumerate(window.screen.areas)
        views = [(index, area.spaces.active.shading) for index, area in areas if area.type == "VIEW_3D"]
        if views:
            yield window.screen, views


def _activate(mesh: bpy.types.Mesh, name: str) -> None:
    mesh.color_attributes.active_color_name = name
    mesh.update_tag()  # Blender does not see by itself that there are other colors to draw


def _set(shading: bpy.types.View3DShading, values: dict[str, str]) -> None:
    for name, value in values.items():
        setattr(shading, name, value)
