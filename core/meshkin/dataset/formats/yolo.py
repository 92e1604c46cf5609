"""YOLO: a text file of boxes for each picture, with key points where there are some. Source: docs.ultralytics.com,
"Detection datasets" and "Pose datasets"."""

from __future__ import annotations

import json
from pathlib import Path

from ...base.progress import ProgressCallback, silent
from ..record import DataFolder, InstanceRecord, PictureRecord, SetRecord
from .shared import each_record, key_point_names, key_points_of, place_file, shown, write_lines

FOLDER_OF_BOXES = "yolo"
"""Folder of this format in that of a data set."""


def write(folder: DataFolder, report: ProgressCallback = silent) -> Path:
    """Write ``images/train``, ``labels/train`` and ``data.yaml``; returns their folder.

    All classes have as many key points as the one with the most, as the format asks.

    Raises StorageError, InputError ``data-invalid``.
    """
    data = SetRecord.load(folder.path)
    target = folder.path / FOLDER_OF_BOXES
    names = key_point_names(data)
    most = max((len(found) for found in names.values()), default=0)
    for record in each_record(folder, report):
        place_file(folder.picture(record.number), target / "images" / "train" / f"{record.stem}.png")
        lines = [_line(record, instance, data, names, most) for instance in shown(record)]
        write_lines(target / "labels" / "train" / f"{record.stem}.txt", lines)
    # Without "path", which Ultralytics would look for below the current folder, all is beside this file.
    described = ["train: images/train", "val: images/train", f"nc: {len(data.categories)}"]
    described.append(f"names: {json.dumps(data.categories)}")
    if most:
        described.append(f"kpt_shape: [{most}, 3]")
    write_lines(target / "data.yaml", described)
    return target


def _line(
    record: PictureRecord, instance: InstanceRecord, data: SetRecord, names: dict[str, list[str]], most: int
) -> str:
    left, top, width, height = instance.box
    middle = ((left + width / 2) / record.width, (top + height / 2) / record.height)
    values = [*middle, width / record.width, height / record.height]
    category = data.model(instance.model).category
    points = key_points_of(instance, names[category], 0)
    points += [0.0] * (3 * most - len(points))
    for x, y, visible in zip(points[::3], points[1::3], points[2::3], strict=True):
        values += [x / record.width, y / record.height, visible]
    return " ".join((str(data.categories.index(category)), *(f"{value:.6f}" for value in values)))
