"""One picture after another: where the camera stands, what it sees, and what is known about it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import bpy
import numpy as np

from ...base.errors import InputError
from ...dataset import sampling
from ...dataset.annotating import PlacedMesh, annotate
from ...dataset.camera import PinholeCamera, intrinsic_matrix, look_at
from ...dataset.options import DatasetOptions
from ...dataset.raster import NEAR
from ...dataset.record import DataFolder, InstanceRecord, PicturePasses, PictureRecord, numbers
from ...geometry.arrays import Floats
from . import studio as studios
from .geometry import SURFACE_TYPES
from .models import SceneModels, check_size, world_boxes
from .studio import NEAREST_SEEN, Studio
from .wholes import Wholes

ATTEMPTS = 20
"""Cameras that are drawn for a picture until an object can be seen. Chosen: in a room half of them stand outside."""


@dataclass
class Shooting:
    """The taking of pictures of a scene.

    Attributes:
        chosen: names of the objects that the set is of.
        options: how.
        wholes: which of them are of several pieces.
        models: of the objects, once :meth:`begin` was called.
        scene_uid: of the scene.
    """

    scene_uid: int
    chosen: frozenset[str]
    options: DatasetOptions
    wholes: Wholes
    models: SceneModels
    _frame: int | None = None
    _placed: list[PlacedMesh] = field(default_factory=list)
    _boxes: dict[str, Floats] = field(default_factory=dict)

    @staticmethod
    def of(objects: Sequence[bpy.types.Object], options: DatasetOptions) -> Shooting:
        """The taking of pictures of objects; an armature stands for the pieces of its character, as one object.

        Raises InputError ``dataset-empty`` without an object that has a surface or shows a collection,
        ``dataset-no-camera`` where the scene's cameras are asked for and there are none.
        """
        wholes = Wholes.of(objects)
        shown = (obj.name for obj in objects if obj.type in SURFACE_TYPES or obj.instance_type != "NONE")
        names = frozenset({*shown} - {*wholes.whole_of} | {*wholes.called})
        if not names:
            raise InputError(
                "dataset-empty", "There are no objects to take pictures of.", "Choose some with a surface."
            )
        if options.cameras == "scene" and not studios.cameras_of(bpy.context.scene):
            raise InputError("dataset-no-camera", "The scene has no camera.", "Add one, or choose other cameras.")
        models = SceneModels(names, options.classes, wholes.called)
        return Shooting(bpy.context.scene.session_uid, names, options, wholes, models)

    @property
    def scene(self) -> bpy.types.Scene:
        """The scene; raises InputError ``object-gone`` if it was deleted meanwhile."""
        for scene in bpy.data.scenes:
            if scene.session_uid == self.scene_uid:
                return scene
        raise InputError("object-gone", "The scene is not in the file any more.", "Start again.")

    @contextmanager
    def studio(self) -> Iterator[Studio]:
        """A studio for the pictures; what was read of the scene before is read anew."""
        self._frame = None
        moves = self.options.animate or self.options.cameras == "scene"
        with studios.opened(self.scene, self.options.samples, moves) as studio:
            yield studio

    def begin(self, studio: Studio) -> None:
        """Find the models of all objects, as they are in the present frame.

        Raises InputError ``mesh-no-area`` for an object that is a single point, ``dataset-hidden`` if none of them is
        rendered.
        """
        self._read(studio, self.scene.frame_current)
        if not self._boxes:
            raise InputError("dataset-hidden", "None of the objects is rendered.", "Show them in renders.")
        for name, box in self._boxes.items():
            check_size(box, name)

    def take(self, studio: Studio, number: int) -> tuple[bytes, PicturePasses, PictureRecord]:
        """Take a picture: the content of its PNG file, its passes and its record.

        Raises InputError ``dataset-no-view`` when no drawn camera sees an object, ``dataset-camera`` for a camera of
        the scene that is no perspective one, and as :meth:`meshkin.scene.dataset.studio.Studio.picture`.
        """
        if self.options.cameras == "scene":
            return self._from_scene_camera(studio, number)
        frame = self._drawn_frame(number)
        self._read(studio, frame)
        size = self.options.resolution
        matrix = intrinsic_matrix(size, size, sampling.LENS, sampling.SENSOR)
        target, side = self._target(number)
        for attempt in range(ATTEMPTS):
            chosen = self.options
            drawn = sampling.draw(chosen.cameras, number, chosen.seed, chosen.distance, chosen.spread, attempt)
            pose = look_at(target + drawn.distance * side * drawn.direction, target)
            camera = PinholeCamera.looking(size, size, matrix, pose)
            away = drawn.distance * side
            passes, instances = annotate(camera, self._placed, away * NEAREST_SEEN)
            if any(instance.pixels[0] for instance in instances):
                break
        else:
            raise InputError(
                "dataset-no-view", f"No camera of picture {number} sees an object.", "Bring the cameras nearer."
            )
        studio.place(pose, (sampling.LENS, sampling.SENSOR), size, away)
        facts = (drawn.azimuth, drawn.polar, drawn.distance)
        return studio.picture(), passes, _record(number, camera, frame, instances, facts)

    def _from_scene_camera(self, studio: Studio, number: int) -> tuple[bytes, PicturePasses, PictureRecord]:
        shots = studios.cameras_of(self.scene)
        frame, name = shots[number % len(shots)]
        studio.use_frame(frame)
        studio.use_camera(name, self.options.resolution)
        found = studio.read()
        if found.camera is None:
            raise InputError("dataset-camera", f"“{name}” is no perspective camera.", "Only those can be described.")
        placed = self.models.placed(self.wholes.joined(found))
        passes, instances = annotate(found.camera, placed, max(found.near, NEAR))
        return studio.picture(), passes, _record(number, found.camera, frame, instances, None)

    def _drawn_frame(self, number: int) -> int:
        scene = self.scene
        if not self.options.animate:
            return int(scene.frame_current)
        random = sampling.generator(self.options.seed, number, "frame")
        return int(random.integers(scene.frame_start, scene.frame_end, endpoint=True))

    def _read(self, studio: Studio, frame: int) -> None:
        if self._frame == frame:
            return
        studio.use_frame(frame)
        surfaces = self.wholes.joined(studio.read())
        self._placed = self.models.placed(surfaces)
        self._boxes = world_boxes(surfaces, self.chosen)
        self._frame = frame

    def _target(self, number: int) -> tuple[Floats, float]:
        """What a drawn camera looks at: middle (3,) and longest side."""
        names = sorted(self._boxes)
        if self.options.around == "all":
            return studios.bounds(list(self._boxes.values()))
        return studios.bounds([self._boxes[names[number % len(names)]]])


def picture_count(options: DatasetOptions) -> int:
    """How many pictures a set can have: those that were asked for; of the scene's own cameras each view once."""
    if options.cameras != "scene":
        return options.count
    return min(options.count, len(studios.cameras_of(bpy.context.scene)))


def has_window() -> bool:
    """Whether people can change the scene while a job runs."""
    return not bpy.app.background


def note_undo(message: str) -> None:
    """Make an undo step of what was done so far."""
    if has_window():
        bpy.ops.ed.undo_push(message=message)


def unit() -> float:
    """Meters of a Blender unit in the open scene."""
    return float(bpy.context.scene.unit_settings.scale_length)


def keep(folder: DataFolder, taken: tuple[bytes, PicturePasses, PictureRecord]) -> None:
    """Write a picture into the folder of a set, its record last; raises StorageError."""
    content, passes, record = taken
    folder.write_picture(record.number, content)
    passes.save(folder.passes(record.number))
    folder.save(record)


def _record(
    number: int,
    camera: PinholeCamera,
    frame: int,
    instances: tuple[InstanceRecord, ...],
    drawn: tuple[float, float, float] | None,
) -> PictureRecord:
    pose = numbers(np.asarray(camera.pose))
    return PictureRecord(number, camera.width, camera.height, numbers(camera.matrix), pose, frame, instances, drawn)
