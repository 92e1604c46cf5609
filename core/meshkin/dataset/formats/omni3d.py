"""Omni3D, which Cube R-CNN reads. Source: facebookresearch/omni3d, ``DATA.md``.

Meters; camera x right, y down, z forward. The corners of a box stand in the order of ``get_cuboid_verts``: dimensions
are width (along the box's z), height (y) and length (x).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ...base.progress import ProgressCallback, silent
from ...geometry.arrays import Floats
from ..files import write_json
from ..record import DataFolder, InstanceRecord, PictureRecord, SetRecord
from .shared import box_in_camera, each_record, picture_path

CORNERS = np.array(
    ((-1, -1, -1), (1, -1, -1), (1, 1, -1), (-1, 1, -1), (-1, -1, 1), (1, -1, 1), (1, 1, 1), (-1, 1, 1)), np.float64
)
"""Of a box in its own axes, in halves of its size."""
OMNI3D_FILE = "omni3d.json"
"""The format's file in the folder of a data set."""


def write(folder: DataFolder, report: ProgressCallback = silent) -> Path:
    """Write ``omni3d.json``; returns it. Raises StorageError, InputError ``data-invalid``."""
    data = SetRecord.load(folder.path)
    numbers = {category: number for number, category in enumerate(data.categories)}
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for record in each_record(folder, report):
        images.append(
            {
                "id": record.number,
                "dataset_id": 0,
                "width": record.width,
                "height": record.height,
                "file_path": picture_path(folder, record),
                "K": record.camera.matrix.tolist(),
                "src_90_rotate": 0,
                "src_flagged": False,
            }
        )
        for instance in record.instances:
            known = _annotation(record, instance, data.unit)
            category = data.model(instance.model).category
            ids = {"id": len(annotations), "image_id": record.number, "dataset_id": 0}
            annotations.append({**ids, "category_id": numbers[category], "category_name": category, **known})
    categories = [{"id": number, "name": name, "supercategory": ""} for name, number in numbers.items()]
    info = {"id": 0, "source": "", "name": folder.path.name, "split": "train", "version": "1", "url": ""}
    whole = {"info": info, "images": images, "categories": categories, "annotations": annotations}
    return write_json(folder.path / OMNI3D_FILE, whole)


def _annotation(record: PictureRecord, instance: InstanceRecord, unit: float) -> dict[str, Any]:
    center, axes, size = box_in_camera(record, instance)
    corners = center + (CORNERS * size / 2) @ axes.T
    length, height, width = size * unit
    behind = bool((corners[:, 2] <= 0).any())
    projected = _projected_box(record, corners)
    left, top, right, bottom = projected
    cut = [max(left, 0), max(top, 0), min(right, record.width), min(bottom, record.height)]
    x, y, across, down = instance.box
    return {
        "valid3D": True,
        "bbox2D_tight": [x, y, x + across, y + down] if instance.pixels[0] else [-1, -1, -1, -1],
        "bbox2D_proj": [-1, -1, -1, -1] if behind else projected,
        "bbox2D_trunc": [-1, -1, -1, -1] if behind else cut,
        "bbox3D_cam": (corners * unit).tolist(),
        "center_cam": (center * unit).tolist(),
        "dimensions": [float(width), float(height), float(length)],
        "R_cam": axes.tolist(),
        "behind_camera": int(behind),
        "visibility": instance.visibility,
        "truncation": instance.truncation,
        "segmentation_pts": -1,
        "lidar_pts": -1,
        "depth_error": -1,
    }


def _projected_box(record: PictureRecord, corners: Floats) -> list[float]:
    """Left, top, right, bottom of the box around projected corners (8, 3)."""
    places, _ = record.camera.project_camera(corners)
    low, high = places.min(axis=0), places.max(axis=0)
    return [*low.tolist(), *high.tolist()]
