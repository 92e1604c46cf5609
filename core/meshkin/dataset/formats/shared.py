"""What several formats have in common."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...base.progress import ProgressCallback
from ...base.storage import make_folder, readable_failure, write_file
from ...geometry.arrays import Floats
from ..record import DataFolder, InstanceRecord, PictureRecord, SetRecord

HALF_PIXEL = 0.5
"""From pixel corners to pixel centers: in some formats, the middle of the upper left pixel is (0, 0), while here its
corner is."""
BOX_AXES = np.array(((1.0, 0, 0), (0, 0, 1.0), (0, -1.0, 0)))
"""Columns: the axes of a box whose y points down and whose length lies along x, in a frame whose z points up."""
LEAST_PIXELS = 1
"""Pixels that an object needs to be in formats of things that are seen. Chosen."""


def shown(record: PictureRecord) -> list[InstanceRecord]:
    """The instances of which something is seen."""
    return [instance for instance in record.instances if instance.pixels[0] >= LEAST_PIXELS]


def key_point_names(data: SetRecord) -> dict[str, list[str]]:
    """For each class the names of its key points, those of all its models in order."""
    names: dict[str, dict[str, None]] = {category: {} for category in data.categories}
    for model in data.models:
        names[model.category] |= dict.fromkeys(model.key_points)
    return {category: list(found) for category, found in names.items()}


def key_points_of(instance: InstanceRecord, names: list[str], shift: float) -> list[float]:
    """x, y and visibility of each named key point, zeros for one that is not in the picture.

    Args:
        instance: the object.
        names: of the key points of its class.
        shift: added to x and y.
    """
    known = {point.name: point for point in instance.key_points}
    values: list[float] = []
    for name in names:
        point = known.get(name)
        values += [point.x + shift, point.y + shift, point.visible] if point and point.visible else [0.0, 0.0, 0]
    return values


def picture_path(folder: DataFolder, record: PictureRecord) -> str:
    """A picture's place in the folder of the data set."""
    return folder.picture(record.number).relative_to(folder.path).as_posix()


def runs(mask: NDArray[np.bool_]) -> list[int]:
    """Lengths of the runs of a mask (H, W) in COCO's uncompressed RLE: by columns, off and on in turn, off first."""
    flat = np.concatenate(([False], mask.ravel(order="F"), [False]))
    changes = np.flatnonzero(flat[1:] != flat[:-1])
    ends = np.append(changes, mask.size) if len(changes) == 0 or changes[-1] != mask.size else changes
    return np.diff(ends, prepend=0).tolist()


def box_in_camera(record: PictureRecord, instance: InstanceRecord) -> tuple[Floats, Floats, Floats]:
    """A box whose y points down: its middle (3,) and its axes (3, 3), as columns, in the camera's frame, and its sizes
    along these axes (3,), Blender units."""
    pose = record.model_to_camera(instance)
    low, high = np.array(instance.low), np.array(instance.high)
    center = pose[:3, :3] @ ((low + high) / 2) + pose[:3, 3]
    return center, pose[:3, :3] @ BOX_AXES, np.abs(BOX_AXES.T @ (high - low))


def write_lines(path: Path, lines: list[str]) -> Path:
    """Write lines of text, whole or not at all; raises StorageError."""
    write_file(path, lambda file: file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8"))
    return path


def place_file(source: Path, target: Path) -> None:
    """Let a file be in a second place, without a second copy where the disk can do that; raises StorageError."""
    make_folder(target.parent)
    with readable_failure(target, "writing"):
        target.unlink(missing_ok=True)
        try:
            os.link(source, target)
        except OSError:
            shutil.copyfile(source, target)


def each_record(folder: DataFolder, report: ProgressCallback) -> Iterator[PictureRecord]:
    """All records that no filter has dropped, one at a time; ``report`` is told the share done."""
    found = folder.numbers(with_dropped=False)
    for done, number in enumerate(found):
        report("Writing formats", done / len(found))
        yield folder.load(number)
