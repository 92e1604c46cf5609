"""NeRF's ``transforms.json``, as Instant NGP and Nerfstudio read it: cameras alone. Source: docs.nerf.studio, "Data
conventions"; Blender's camera axes."""

from __future__ import annotations

import math
from pathlib import Path

from ...base.progress import ProgressCallback, silent
from ..files import write_json
from ..record import DataFolder, PictureRecord
from .shared import each_record, picture_path


def write(folder: DataFolder, report: ProgressCallback = silent) -> Path:
    """Write ``transforms.json``; returns it. Raises StorageError, InputError ``data-invalid``."""
    frames = []
    for record in each_record(folder, report):
        pose = [list(record.camera_pose[row : row + 4]) for row in range(0, 16, 4)]
        frames.append({"file_path": picture_path(folder, record), "transform_matrix": pose, **_intrinsics(record)})
    return write_json(folder.path / "transforms.json", {"camera_model": "OPENCV", "frames": frames})


def _intrinsics(record: PictureRecord) -> dict[str, float]:
    matrix = record.camera.matrix
    return {
        "camera_angle_x": 2 * math.atan(record.width / 2 / matrix[0, 0]),
        "fl_x": float(matrix[0, 0]),
        "fl_y": float(matrix[1, 1]),
        "cx": float(matrix[0, 2]),
        "cy": float(matrix[1, 2]),
        "w": record.width,
        "h": record.height,
    }
