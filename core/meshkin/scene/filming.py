"""Cameras that film as a video was filmed: the scene's own as a known one, and a new one that a fit has found."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import bpy
import numpy as np
from mathutils import Matrix

from ..base.errors import InputError
from ..geometry.arrays import Floats

FILM_WIDTH = 36.0
"""Width of the sensor that focal lengths are about, millimeters: full frame, and Blender's default."""
LEAST_SHIFT = 1e-3
"""Shift of a lens, widths of the picture, that counts. Chosen: half a pixel."""
VIDEO_OPACITY = 0.5
"""Opacity of a video behind a character. Chosen: the character stays in front."""


def scene_camera() -> bpy.types.Object:
    """The scene's camera; raises InputError ``no-camera``, ``camera-unsuitable``."""
    camera = bpy.context.scene.camera
    if camera is None:
        raise InputError("no-camera", "The scene has no camera.", "Add one, or let the video have a new camera.")
    data = camera.data
    if data.type != "PERSP" or max(abs(data.shift_x), abs(data.shift_y)) > LEAST_SHIFT:
        raise InputError(
            "camera-unsuitable",
            f"“{camera.name}” is no perspective camera without a shift.",
            "Use a perspective camera whose Shift is 0.",
        )
    return camera


def focal_length(camera: bpy.types.Object, width: int, height: int) -> float:
    """The focal length of a camera, in widths of pictures of this size in pixels."""
    graph = bpy.context.evaluated_depsgraph_get()
    projection = camera.evaluated_get(graph).calc_matrix_camera(graph, x=width, y=height)
    return float(projection[0][0]) / 2


def seen_by(camera: bpy.types.Object) -> Floats:
    """The matrix (4, 4) from the world to a camera's axes, in this frame of the scene."""
    evaluated = camera.evaluated_get(bpy.context.evaluated_depsgraph_get())
    place, rotation, _ = evaluated.matrix_world.decompose()
    return np.array(Matrix.LocRotScale(place, rotation, None).inverted(), np.float64)


def new_camera(name: str, cameras: Floats, frames: Sequence[int], location: Floats, lens: float) -> bpy.types.Object:
    """A camera in the scene; one that moves has keyframes.

    Args:
        name: of the camera.
        cameras: (T, 4, 4), from a frame with the world's axes around ``location`` to camera axes.
        frames: of the scene, T.
        location: (3,), in the world.
        lens: focal length, millimeters on a sensor 36 mm wide.
    """
    data = bpy.data.cameras.new(name)
    data.sensor_width, data.sensor_fit, data.lens = FILM_WIDTH, "HORIZONTAL", lens
    camera = bpy.data.objects.new(name, data)
    bpy.context.scene.collection.objects.link(camera)
    camera.rotation_mode = "QUATERNION"
    around, is_still = Matrix.Translation(location.tolist()), bool((cameras == cameras[0]).all())
    for frame, matrix in zip(frames, cameras.tolist(), strict=True):
        place, rotation, _ = (around @ Matrix(matrix).inverted()).decompose()
        camera.location, camera.rotation_quaternion = place, rotation
        if is_still:
            break
        camera.keyframe_insert("location", frame=frame)
        camera.keyframe_insert("rotation_quaternion", frame=frame)
    return camera


def show_video(camera: bpy.types.Object, file: Path, count: int, number: int) -> None:
    """Let a camera show a video behind what it films; frame n of the video is frame n of the scene.

    Args:
        camera: that gets a background picture.
        file: the movie, or its first picture.
        count: frames of the video.
        number: of the first picture; 0 for a movie.
    """
    image = bpy.data.images.load(str(file), check_existing=True)
    image.source = "MOVIE" if not number else "SEQUENCE" if count > 1 else "FILE"
    background = camera.data.background_images.new()
    background.image, background.alpha, background.frame_method = image, VIDEO_OPACITY, "FIT"
    user = background.image_user
    user.frame_duration, user.frame_start, user.use_auto_refresh = count, 1, True
    user.frame_offset = max(number - 1, 0)
    camera.data.show_background_images = True
