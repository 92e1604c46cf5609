"""What is known about each picture of a data set, and how it is kept: in a folder that grows picture by picture.

* ``dataset.json``: what the set is of, and how it was asked for.
* ``models/000001.npz``: the shape of each model, in its own frame.
* ``pictures/000000.png``: what the camera saw; ``passes/000000.npz``: depth, normals, ids, parts, coordinates, masks;
  ``records/000000.json``: camera, poses, boxes, key points. The record is written last: with it, a picture is there.
* ``painted/000000.png``, ``.json``: the picture painted over, where it was, and how. Trainers get it then.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..base.errors import InputError, StorageError
from ..base.json_data import from_json, to_json
from ..base.storage import UNREADABLE, make_folder, readable_failure, write_file
from ..geometry.arrays import Floats
from .camera import PinholeCamera
from .files import read_json, write_compressed, write_json
from .options import SET_FILE

DROPPED = "dropped.json"
"""The file with the numbers of pictures that a filter has dropped: trainers do not get them."""
UNKNOWN, HIDDEN, VISIBLE = 0, 1, 2
"""Whether a key point is seen, as COCO counts: not in the picture, in it but behind something, seen."""


@dataclass(frozen=True)
class Symmetries:
    """Motions of a model that leave its shape as it is; the frame is the model's.

    Attributes:
        discrete: matrices (4, 4), row by row as 16 numbers, without the identity.
        continuous: an axis and a point of it each, as 6 numbers.
    """

    discrete: list[list[float]] = field(default_factory=list)
    continuous: list[list[float]] = field(default_factory=list)


@dataclass(frozen=True)
class ModelRecord:
    """A shape that stands in pictures, once or several times.

    Attributes:
        number: from 1; its file is ``models/NUMBER.npz``.
        category: the name of its class.
        name: of the first object that has it.
        low, high: corners of the box around it, in its own frame, Blender units.
        diameter: largest distance of two of its vertices, Blender units.
        key_points: names of its key points.
        parts: names of its parts, by their numbers from 1; 0 is none.
        symmetries: of its shape.
    """

    number: int
    category: str
    name: str
    low: tuple[float, float, float]
    high: tuple[float, float, float]
    diameter: float
    key_points: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    symmetries: Symmetries = field(default_factory=Symmetries)


@dataclass(frozen=True)
class SetRecord:
    """What a data set is of.

    Attributes:
        models: all shapes.
        count: how many pictures it is to have.
        asked: how it was asked for, as JSON; pictures that were asked for otherwise do not belong to it.
        unit: meters of a Blender unit.
    """

    models: tuple[ModelRecord, ...]
    count: int
    asked: str
    unit: float = 1.0

    @property
    def categories(self) -> list[str]:
        """The names of all classes, in alphabetical order."""
        return sorted({model.category for model in self.models})

    def model(self, number: int) -> ModelRecord:
        """The model of a number."""
        return next(model for model in self.models if model.number == number)

    def save(self, folder: Path) -> None:
        """Write it; raises StorageError."""
        write_json(folder / SET_FILE, to_json(self))

    @staticmethod
    def load(folder: Path) -> SetRecord:
        """Read it; raises InputError ``no-dataset``, ``data-invalid``, StorageError ``file-damaged``."""
        path = folder / SET_FILE
        if not path.is_file():
            raise InputError("no-dataset", f"There is no data set in {folder}.", "Make one first.")
        return from_json(SetRecord, read_json(path))


@dataclass(frozen=True)
class KeyPoint:
    """A named point of an object.

    Attributes:
        name: what it is.
        x, y: its place in the picture, pixels from the upper left corner; 0 where it is not before the camera.
        visible: :data:`UNKNOWN`, :data:`HIDDEN` or :data:`VISIBLE`.
        place: in the world, Blender units.
    """

    name: str
    x: float
    y: float
    visible: int
    place: tuple[float, float, float]


@dataclass(frozen=True)
class InstanceRecord:
    """An object in a picture.

    Attributes:
        id: in the pass ``object``, from 1.
        model: number of its model.
        name: of the object.
        pose: model to world, (4, 4) as 16 numbers row by row, a turn and a shift without scale.
        low, high: the box around it in the model's frame, as its shape is in this picture.
        box: around what is seen of it, pixels: left, top, width, height; zeros if nothing is seen.
        whole_box: around all of it, as if it stood alone, also beyond the picture's border.
        pixels: how many show it; how many would if it stood alone; how many of these beyond the picture's border, too.
        key_points: those of the model.
    """

    id: int
    model: int
    name: str
    pose: tuple[float, ...]
    low: tuple[float, float, float]
    high: tuple[float, float, float]
    box: tuple[int, int, int, int]
    whole_box: tuple[int, int, int, int]
    pixels: tuple[int, int, int]
    key_points: tuple[KeyPoint, ...] = ()

    @property
    def model_to_world(self) -> Floats:
        """The pose, (4, 4)."""
        return np.array(self.pose).reshape(4, 4)

    @property
    def visibility(self) -> float:
        """Which share of what is in the picture nothing hides."""
        return self.pixels[0] / self.pixels[1] if self.pixels[1] else 0.0

    @property
    def truncation(self) -> float:
        """Which share of it lies beyond the picture's border."""
        return 1 - self.pixels[1] / self.pixels[2] if self.pixels[2] else 1.0

    def corners(self) -> Floats:
        """The corners (8, 3) of its box in the model's frame: x changes slowest, z fastest, low before high."""
        ends = np.array((self.low, self.high))
        return np.array([(x, y, z) for x in ends[:, 0] for y in ends[:, 1] for z in ends[:, 2]])


@dataclass(frozen=True)
class PictureRecord:
    """A picture and all that is known about it.

    Attributes:
        number: from 0; its files have this name, with six digits.
        width, height: pixels.
        intrinsics: K, as 9 numbers row by row, pixels; the picture's upper left corner is (0, 0).
        camera_pose: camera to world as Blender has it (y up, looking along -Z), 16 numbers row by row.
        frame: of the scene.
        instances: the objects, in the order of their masks.
        drawn: azimuth, polar angle (degrees) and distance of the camera, as they were drawn; None for one of the scene.
    """

    number: int
    width: int
    height: int
    intrinsics: tuple[float, ...]
    camera_pose: tuple[float, ...]
    frame: int
    instances: tuple[InstanceRecord, ...]
    drawn: tuple[float, float, float] | None = None

    @cached_property
    def camera(self) -> PinholeCamera:
        """Its camera."""
        matrix, pose = np.array(self.intrinsics).reshape(3, 3), np.array(self.camera_pose).reshape(4, 4)
        return PinholeCamera.looking(self.width, self.height, matrix, pose)

    @property
    def stem(self) -> str:
        """The name of its files."""
        return f"{self.number:06d}"

    def model_to_camera(self, instance: InstanceRecord) -> Floats:
        """Pose (4, 4) of an object in the camera's frame (x right, y down, z forward), Blender units."""
        world, camera = np.eye(4), self.camera
        world[:3, :3], world[:3, 3] = camera.rotation, camera.translation
        return np.asarray(world @ instance.model_to_world)


@dataclass(frozen=True)
class PaintingRecord:
    """How a picture was painted over.

    Attributes:
        prompt: what it is of.
        key: of the options and models; a picture that was painted otherwise has another one.
    """

    prompt: str
    key: str


@dataclass(frozen=True)
class PicturePasses:
    """What the pixels of a picture show.

    Attributes:
        depth: float32 (H, W), along the camera's axis, Blender units; inf where nothing is.
        normal: float16 (H, W, 3), of unit length, in the camera's frame (x right, y down, z forward); 0 where nothing
            is.
        object: uint16 (H, W), the id of the instance; 0 for anything else.
        part: uint16 (H, W), the part of its model, from 1; 0 for none.
        coordinates: float16 (H, W, 3), the place on the model, in [0, 1]; 0 where no object is.
        masks: bool (I, H, W), each instance as if it stood alone.
    """

    depth: NDArray[np.float32]
    normal: NDArray[np.float16]
    object: NDArray[np.uint16]
    part: NDArray[np.uint16]
    coordinates: NDArray[np.float16]
    masks: NDArray[np.bool_]

    def save(self, path: Path) -> None:
        """Write an .npz file, whole or not at all; raises StorageError."""
        arrays = {name: getattr(self, name) for name in self.__dataclass_fields__}
        arrays["masks"] = np.packbits(self.masks, axis=-1)
        arrays["shape"] = np.array(self.masks.shape)
        write_compressed(path, arrays)

    @staticmethod
    def load(path: Path) -> PicturePasses:
        """Read what :meth:`save` wrote; raises StorageError ``file-damaged``."""
        try:
            with np.load(path, allow_pickle=False) as data:
                arrays = {name: data[name] for name in data.files}
            count, height, width = arrays.pop("shape").tolist()
            masks = np.unpackbits(arrays.pop("masks"), axis=-1, count=width).astype(bool)
            return PicturePasses(**arrays, masks=masks.reshape(count, height, width))
        except UNREADABLE as error:
            raise StorageError("file-damaged", f"{path} cannot be read.", "Make the picture again.") from error


@dataclass(frozen=True)
class DataFolder:
    """The folder of a data set.

    Attributes:
        path: of the folder.
    """

    path: Path

    def rendered(self, number: int) -> Path:
        """The file of a picture as it was rendered."""
        return self.path / "pictures" / f"{number:06d}.png"

    def painted(self, number: int) -> Path:
        """The file of a picture that was painted over."""
        return self.path / "painted" / f"{number:06d}.png"

    def picture(self, number: int) -> Path:
        """The file of a picture as trainers get it: painted, where it is."""
        return self.painted(number) if self.painted(number).is_file() else self.rendered(number)

    def painting(self, number: int) -> PaintingRecord | None:
        """How a picture was painted; None where it was not, or not to the end. Raises as :meth:`load`."""
        path = self.painted(number).with_suffix(".json")
        is_whole = path.is_file() and self.painted(number).is_file()
        return from_json(PaintingRecord, read_json(path)) if is_whole else None

    def save_painting(self, number: int, content: bytes, painting: PaintingRecord) -> None:
        """Write a painted picture, the content of a PNG file, and how it was painted last; raises StorageError."""
        record = self.painted(number).with_suffix(".json")
        make_folder(record.parent)
        with readable_failure(record, "writing"):
            record.unlink(missing_ok=True)
        write_file(self.painted(number), lambda file: file.write_bytes(content))
        write_json(record, to_json(painting))

    def passes(self, number: int) -> Path:
        """The file of a picture's passes."""
        return self.path / "passes" / f"{number:06d}.npz"

    def record(self, number: int) -> Path:
        """The file of a picture's record."""
        return self.path / "records" / f"{number:06d}.json"

    def model(self, number: int) -> Path:
        """The file of a model's shape."""
        return self.path / "models" / f"{number:06d}.npz"

    def files(self, number: int) -> list[Path]:
        """All files of a picture, its record last."""
        optional = [self.painted(number), self.painted(number).with_suffix(".json")]
        return [
            *(file for file in optional if file.is_file()),
            self.rendered(number),
            self.passes(number),
            self.record(number),
        ]

    def numbers(self, with_dropped: bool = True) -> list[int]:
        """The numbers of all pictures that are there, in order; those that a filter has dropped may be left out."""
        files = (self.path / "records").glob("[0-9]*.json")
        dropped = set() if with_dropped else self.dropped()
        return sorted({int(file.stem) for file in files if file.stem.isdigit()} - dropped)

    def dropped(self) -> set[int]:
        """The numbers of the pictures that a filter has dropped; raises StorageError ``file-damaged``."""
        path = self.path / DROPPED
        known = read_json(path) if path.exists() else []
        return {int(number) for number in known} if isinstance(known, list) else set()

    def drop(self, numbers: Collection[int]) -> None:
        """Keep these pictures, and no others, from trainers; raises StorageError."""
        write_json(self.path / DROPPED, sorted(numbers))

    def load(self, number: int) -> PictureRecord:
        """Read a picture's record; raises InputError ``data-invalid``, StorageError ``file-damaged``."""
        return from_json(PictureRecord, read_json(self.record(number)))

    def load_all(self) -> list[PictureRecord]:
        """Read all records, in order; raises as :meth:`load`."""
        return [self.load(number) for number in self.numbers()]

    def write_picture(self, number: int, content: bytes) -> None:
        """Write a rendered picture, the content of a PNG file, whole or not at all; raises StorageError."""
        write_file(self.rendered(number), lambda file: file.write_bytes(content))

    def save(self, record: PictureRecord) -> None:
        """Write a picture's record, whole or not at all; raises StorageError."""
        write_json(self.record(record.number), to_json(record))

    def save_model(self, number: int, vertices: Floats, faces: NDArray[np.integer]) -> None:
        """Write the shape of a model, float64 (V, 3) and int (F, 3), in its own frame; raises StorageError."""
        write_compressed(self.model(number), {"vertices": vertices, "faces": faces.astype(np.int32)})

    def load_model(self, number: int) -> tuple[Floats, NDArray[np.int32]]:
        """The shape of a model; raises StorageError ``file-damaged``."""
        path = self.model(number)
        try:
            with np.load(path, allow_pickle=False) as data:
                return data["vertices"], data["faces"]
        except UNREADABLE as error:
            raise StorageError("file-damaged", f"{path} cannot be read.", "Make the data set again.") from error


def numbers(values: NDArray[np.floating] | Sequence[float]) -> tuple[float, ...]:
    """An array's values as plain numbers, row by row."""
    return tuple(float(value) for value in np.asarray(values, np.float64).ravel())
