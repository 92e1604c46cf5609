"""The outline that a video shows, drawn over 3D views that look through the camera, in each frame its own.

The outlines are kept with the camera, as a mesh that no object has: each vertex is a place in the picture, one unit
before the camera, and the frame from which on it is shown. They are drawn until they are hidden or another file is
opened.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import bpy
import gpu
import numpy as np
from gpu_extras.batch import batch_for_shader
from numpy.typing import NDArray

from ...geometry.arrays import Floats
from ..arrays import read_floats
from ..frames import transform_points

OUTLINE_PROPERTY = "meshkin_outline"
"""Custom property of a camera: the mesh of the outlines."""
DOUBTFUL_PROPERTY = "meshkin_doubtful_frames"
"""Custom property of this mesh: the frames that do not fit well."""
OUTLINE_WIDTH = 2.0
"""Pixels; chosen."""
OUTLINE_COLORS = {False: (0.1, 1.0, 0.3, 1.0), True: (1.0, 0.25, 0.1, 1.0)}
"""RGBA of an outline, by whether its frame is doubtful; chosen."""

_before: dict[int, tuple[str, bool, bpy.types.Object | None]] = {}
"""How the 3D views looked before outlines were shown, by their space's address."""
_handler: Any = None
_read: tuple[int, NDArray[np.float32], NDArray[np.float32]] | None = None
"""The mesh that was read last: its identity, its places (S, 2, 2) and their frames (S,)."""


def keep(camera: bpy.types.Object, places: Floats, frames: NDArray[np.integer], doubtful: Sequence[int]) -> None:
    """Keep outlines with a camera, in place of those before.

    Args:
        camera: that sees them.
        places: (S, 2, 2), x and y of the ends of their segments one unit before the camera, x right and y up.
        frames: int (S,), of the scene, from which on each is shown, ascending.
        doubtful: those that do not fit well.
    """
    before = camera.get(OUTLINE_PROPERTY)
    mesh = bpy.data.meshes.new(f"{camera.name} outlines")
    mesh.vertices.add(2 * len(places))
    columns = np.column_stack((places.reshape(-1, 2), np.repeat(frames, 2)))
    mesh.vertices.foreach_set("co", columns.astype(np.float32).ravel())
    mesh[DOUBTFUL_PROPERTY] = [int(frame) for frame in doubtful]
    camera[OUTLINE_PROPERTY] = mesh
    if before is not None and not before.users:
        bpy.data.meshes.remove(before)


def cameras() -> list[bpy.types.Object]:
    """The cameras of the scene that have outlines; the scene's own first, then the newest."""
    scene = bpy.context.scene
    found = [obj for obj in scene.objects if obj.type == "CAMERA" and obj.get(OUTLINE_PROPERTY)]
    return [obj for obj in found if obj == scene.camera] + [obj for obj in found[::-1] if obj != scene.camera]


def segments(camera: bpy.types.Object, frame: int) -> NDArray[np.float64]:
    """The outline (S, 2, 3) in the world that a camera sees in a frame: of the last one before that has one."""
    places, frames = _outlines(camera[OUTLINE_PROPERTY])
    last = np.searchsorted(frames, frame, side="right")
    shown = places[np.searchsorted(frames, frames[last - 1]) : last] if last else places[:0]
    evaluated = camera.evaluated_get(bpy.context.evaluated_depsgraph_get())
    distance = max(1.0, 2 * camera.data.clip_start)
    points = np.concatenate((shown, np.full((*shown.shape[:2], 1), -1.0)), axis=2).reshape(-1, 3) * distance
    return transform_points(evaluated.matrix_world.normalized(), points).reshape(-1, 2, 3)


def is_doubtful(camera: bpy.types.Object, frame: int) -> bool:
    """Whether the frame does not fit well."""
    return frame in list(camera[OUTLINE_PROPERTY].get(DOUBTFUL_PROPERTY, ()))


def is_shown() -> bool:
    """Whether outlines are drawn."""
    return bool(_before)


def show(area: bpy.types.Area | None) -> None:
    """Draw outlines in all views that look through their camera, and let this view look through one."""
    global _handler
    hide()
    _before[0] = ("", False, None)
    if area is not None and area.type == "VIEW_3D":
        space, (camera, *_) = area.spaces.active, cameras()
        _before[space.as_pointer()] = (space.region_3d.view_perspective, space.use_local_camera, space.camera)
        if camera != bpy.context.scene.camera:
            space.use_local_camera, space.camera = True, camera
        space.region_3d.view_perspective = "CAMERA"
    if not bpy.app.background:
        _handler = bpy.types.SpaceView3D.draw_handler_add(_draw, (), "WINDOW", "POST_VIEW")
    _redraw()


def hide() -> None:
    """Draw no outlines any more; views that looked through a camera for them look as before."""
    global _handler, _read
    if _handler is not None:
        bpy.types.SpaceView3D.draw_handler_remove(_handler, "WINDOW")
    _handler = _read = None
    for area in _views():
        space = area.spaces.active
        if (before := _before.get(space.as_pointer())) and space.region_3d.view_perspective == "CAMERA":
            space.region_3d.view_perspective, space.use_local_camera, space.camera = before
    _before.clear()
    _redraw()


def _outlines(mesh: bpy.types.Mesh) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The places (S, 2, 2) and frames (S,) that a mesh holds."""
    global _read
    if _read is None or _read[0] != mesh.session_uid:
        columns = read_floats(mesh.vertices, "co", 3)
        _read = mesh.session_uid, columns[:, :2].reshape(-1, 2, 2), columns[::2, 2]
    return _read[1], _read[2]


def _views() -> list[bpy.types.Area]:
    windows = bpy.context.window_manager.windows
    return [area for window in windows for area in window.screen.areas if area.type == "VIEW_3D"]


def _redraw() -> None:
    for area in _views():
        area.tag_redraw()


def _draw() -> None:
    space, scene = bpy.context.space_data, bpy.context.scene
    camera = space.camera if space.use_local_camera else scene.camera
    if space.region_3d.view_perspective != "CAMERA" or camera is None or camera.get(OUTLINE_PROPERTY) is None:
        return
    frame = scene.frame_current
    shader = gpu.shader.from_builtin("POLYLINE_UNIFORM_COLOR")
    points = segments(camera, frame).reshape(-1, 3).astype(np.float32)
    if not len(points):
        return
    gpu.state.blend_set("ALPHA")
    gpu.state.depth_test_set("NONE")
    shader.bind()
    shader.uniform_float("viewportSize", gpu.state.viewport_get()[2:])
    shader.uniform_float("lineWidth", OUTLINE_WIDTH)
    shader.uniform_float("color", OUTLINE_COLORS[is_doubtful(camera, frame)])
    batch_for_shader(shader, "LINES", {"pos": points}).draw(shader)
    gpu.state.blend_set("NONE")
