"""Pictures of a scene, taken in a copy of it: the user's own is not changed, and everything stays where it is."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import bpy
import numpy as np
from mathutils import Matrix

from ...base.errors import InputError
from ...base.storage import readable_failure
from ...base.temporary import temporary_folder
from ...geometry.arrays import Floats
from .. import compat
from ..objects import remove_data_blocks
from ..render.cycles import PASSES_NAME, render_scene
from . import geometry
from .geometry import SceneSurfaces

NEAREST_SEEN = 1e-3
"""Nearest depth that a drawn camera sees, in its distances from what it looks at. Chosen."""
FARTHEST_SEEN = 1e3
"""Farthest depth, the same way."""


@dataclass(frozen=True)
class Studio:
    """A copy of a scene, in which pictures are taken.

    Attributes:
        scene: the copy.
        read: reads the scene's surfaces and its camera.
        file: what is rendered into.
        drawn: the camera that is placed.
    """

    scene: bpy.types.Scene
    read: Callable[[], SceneSurfaces]
    file: Path
    drawn: bpy.types.Object

    def use_frame(self, frame: int) -> None:
        """Go to a frame."""
        self.scene.frame_current = frame  # frame_set would evaluate the user's objects in that frame, too

    def place(self, pose: Floats, lens: tuple[float, float], size: int, distance: float) -> None:
        """Render from a placed camera from now on.

        Args:
            pose: (4, 4), camera to world as Blender has it.
            lens: focal length and width of the sensor, mm.
            size: width and height of the picture, pixels.
            distance: of what it looks at, Blender units.
        """
        data = self.drawn.data
        data.lens, data.sensor_width = lens
        data.clip_start, data.clip_end = distance * NEAREST_SEEN, distance * FARTHEST_SEEN
        self.drawn.matrix_world = Matrix(pose.tolist())
        render = self.scene.render
        render.resolution_x = render.resolution_y = size
        render.pixel_aspect_x = render.pixel_aspect_y = 1
        self.scene.camera = self.drawn

    def use_camera(self, name: str, size: int) -> None:
        """Render from a camera of the scene from now on; ``size`` is the longer side of the picture, pixels."""
        render = self.scene.render
        longest = max(render.resolution_x, render.resolution_y)
        render.resolution_x, render.resolution_y = (
            max(round(side * size / longest), 1) for side in (render.resolution_x, render.resolution_y)
        )
        self.scene.camera = bpy.data.objects[name]

    def picture(self) -> bytes:
        """Render with Cycles; returns the content of a PNG file.

        Raises StorageError, MeshKinError ``render-refused``.
        """
        render_scene(self.scene)
        with readable_failure(self.file, "reading"):
            return self.file.read_bytes()


@contextlib.contextmanager
def opened(user_scene: bpy.types.Scene, samples: int, moves: bool) -> Iterator[Studio]:
    """A studio for a scene; while it is open, a copy of the scene is in the file.

    Blender 4.2 counts what is in a copied scene once too often, until the file is loaded again.

    Args:
        user_scene: the scene.
        samples: of Cycles.
        moves: whether pictures are of several frames. Else Cycles keeps what it has loaded from one to the next.

    Raises InputError ``render-unavailable`` where Cycles is disabled, StorageError.
    """
    if not hasattr(bpy.types.Scene, "cycles"):
        raise InputError("render-unavailable", "Cycles is disabled.", "Enable the add-on Cycles Render Engine.")
    temporary: set[int] = set()
    with temporary_folder() as folder:
        try:
            scene = user_scene.copy()
            temporary.add(scene.session_uid)
            camera = bpy.data.cameras.new(PASSES_NAME)
            temporary.add(camera.session_uid)
            drawn = bpy.data.objects.new(PASSES_NAME, camera)
            temporary.add(drawn.session_uid)
            scene.collection.objects.link(drawn)
            scene.camera = drawn
            file = folder / "picture.png"
            _set_up(scene, samples, file)
            scene.render.use_persistent_data = not moves  # it would stay as in the first frame
            with geometry.reading(scene, lambda: render_scene(scene)) as read:
                yield Studio(scene, read, file, drawn)
        finally:
            remove_data_blocks(temporary)


def _set_up(scene: bpy.types.Scene, samples: int, file: Path) -> None:
    render = scene.render
    render.engine = "CYCLES"
    render.use_compositing = render.use_sequencer = False
    render.use_border = render.use_multiview = False
    render.resolution_percentage = 100
    render.use_stamp = False
    render.filepath, render.use_file_extension = str(file), False
    compat.write_png(render.image_settings)
    scene.cycles.samples = samples
    for layer in [layer for layer in scene.view_layers if layer.use][1:]:
        layer.use = False


def cameras_of(scene: bpy.types.Scene) -> list[tuple[int, str]]:
    """The pictures that a scene's own cameras take: frame and camera, for each frame of its range.

    Where markers say which camera is used, that one takes each frame; else each camera does.
    """
    frames = range(scene.frame_start, scene.frame_end + 1, max(scene.frame_step, 1))
    bound = sorted((marker.frame, marker.camera.name) for marker in scene.timeline_markers if marker.camera)
    if bound:
        return [(frame, ([name for at, name in bound if at <= frame] or [bound[0][1]])[-1]) for frame in frames]
    names = sorted(obj.name for obj in scene.objects if obj.type == "CAMERA")
    return [(frame, name) for frame in frames for name in names]


def bounds(points: list[Floats]) -> tuple[Floats, float]:
    """Middle (3,) and longest side of the box around points (N, 3) of several objects."""
    low = np.min([each.min(axis=0) for each in points], axis=0)
    high = np.max([each.max(axis=0) for each in points], axis=0)
    return (low + high) / 2, float((high - low).max())
