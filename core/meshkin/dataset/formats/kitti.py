"""KITTI's object detection: labels and calibrations. Source: Geiger et al., CVPR 2012, the development kit's readme.

Meters; a box turns about the camera's y axis alone, so that it is exact for level cameras and upright objects. The
middle of the upper left pixel is (0, 0).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...base.progress import ProgressCallback, silent
from ..record import DataFolder, InstanceRecord, PictureRecord, SetRecord
from .shared import HALF_PIXEL, box_in_camera, each_record, place_file, shown, write_lines

FOLDER_NAME = "kitti/training"
"""Folder of this format in that of a data set."""
OCCLUSION_LEVELS = (0.95, 0.5, 0.05)
"""Shares that must be seen for the levels 0 (all), 1 (partly) and 2 (largely hidden); chosen: KITTI's were judged by
eye."""


def write(folder: DataFolder, report: ProgressCallback = silent) -> Path:
    """Write ``image_2``, ``label_2`` and ``calib``; returns their folder. Raises StorageError, InputError."""
    data = SetRecord.load(folder.path)
    target = folder.path / FOLDER_NAME
    for record in each_record(folder, report):
        place_file(folder.picture(record.number), target / "image_2" / f"{record.stem}.png")
        lines = [_line(record, instance, data) for instance in shown(record)]
        write_lines(target / "label_2" / f"{record.stem}.txt", lines)
        matrix = np.zeros((3, 4))
        matrix[:, :3] = record.camera.matrix
        matrix[:2, 2] -= HALF_PIXEL
        row = " ".join(f"{value:.12e}" for value in matrix.ravel())
        write_lines(target / "calib" / f"{record.stem}.txt", [f"P{number}: {row}" for number in range(4)])
    return target


def _line(record: PictureRecord, instance: InstanceRecord, data: SetRecord) -> str:
    center, axes, size = box_in_camera(record, instance)
    length, height, width = size * data.unit
    turn = float(np.arctan2(-axes[2, 0], axes[0, 0]))
    x, y, z = center * data.unit + (0, height / 2, 0)
    angle = (turn - np.arctan2(x, z) + np.pi) % (2 * np.pi) - np.pi
    level = next((level for level, share in enumerate(OCCLUSION_LEVELS) if instance.visibility >= share), 3)
    left, top, across, down = instance.box
    box = (left, top, left + across - 1, top + down - 1)
    values = [*box, height, width, length, x, y, z, turn]
    kind = data.model(instance.model).category.replace(" ", "_")
    written = " ".join(f"{value:.6f}" for value in values)
    return f"{kind} {instance.truncation:.2f} {level} {angle:.6f} {written}"
