"""PASCAL3D+ and 3D-DST: a viewpoint for each object. Source: 3D-DST (Ma et al., ICLR 2024), whose keys these are.

The angles are those from which the camera sees the object: azimuth from the object's +X toward +Y, elevation from its
horizon, theta about the line of sight. Degrees; distance in Blender units.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...base.progress import ProgressCallback, silent
from ...base.storage import write_file
from ...geometry.arrays import Floats
from ..camera import FLIP, look_at
from ..files import write_json
from ..record import DataFolder, InstanceRecord, PictureRecord, SetRecord
from ..sampling import SENSOR
from .shared import each_record, place_file, shown

FOLDER_OF_VIEWPOINTS = "pascal3d"
"""Folder of this format in that of a data set."""


def write(folder: DataFolder, report: ProgressCallback = silent) -> Path:
    """Write ``image_render`` and ``annotation``; returns their folder.

    Of each object an annotation as JSON and as a .npy file: ``000000`` is of the first object of a picture,
    ``000000_1`` of the next. ``np.load(file)[()]["azimuth"]`` reads it as it reads 3D-DST's own, but it is a record of
    named fields and no pickled dict: files that run code when they are read are not for passing on.

    Raises StorageError, InputError ``data-invalid``.
    """
    data = SetRecord.load(folder.path)
    target = folder.path / FOLDER_OF_VIEWPOINTS
    for record in each_record(folder, report):
        place_file(folder.picture(record.number), target / "image_render" / f"{record.stem}.png")
        for order, instance in enumerate(shown(record)):
            known = _annotation(record, instance, data)
            name = record.stem + (f"_{order}" if order else "")
            write_json(target / "annotation" / f"{name}.json", known)
            path = target / "annotation" / f"{name}.npy"
            write_file(path, partial(np.save, arr=_packed(known), allow_pickle=False))
    return target


def viewpoint(pose: Floats, center: Floats) -> tuple[float, float, float, float]:
    """Azimuth, elevation and theta, in radians, and the distance from which a camera sees an object.

    Args:
        pose: (4, 4), model to camera (x right, y down, z forward).
        center: (3,), of the object, in its own frame.
    """
    place = -pose[:3, :3].T @ pose[:3, 3] - center
    distance = float(np.linalg.norm(place))
    azimuth = float(np.arctan2(place[1], place[0]) % (2 * np.pi))
    elevation = float(np.arcsin(np.clip(place[2] / distance, -1, 1))) if distance else 0.0
    # How the camera is turned about the line to the object beside one that looks there with Z upward.
    upright = look_at(place + center, center)[:3, :3] @ FLIP if distance else np.eye(3)
    turn = pose[:3, :3] @ upright  # from the upright camera's axes to the camera's
    theta = float(np.arctan2(turn[0, 1] - turn[1, 0], turn[0, 0] + turn[1, 1]))
    return azimuth, elevation, theta, distance


def _annotation(record: PictureRecord, instance: InstanceRecord, data: SetRecord) -> dict[str, Any]:
    model = data.model(instance.model)
    center = (np.array(instance.low) + instance.high) / 2
    pose = record.model_to_camera(instance)
    azimuth, elevation, theta, distance = viewpoint(pose, center)
    matrix = record.camera.matrix
    focal = float(matrix[0, 0])
    sensor_height = SENSOR * record.height / max(record.width, record.height)
    opengl = FLIP @ pose[:3]
    modelview = np.vstack((opengl, (0, 0, 0, 1)))
    left, top, width, height = instance.box
    return {
        "azimuth": np.degrees(azimuth),
        "elevation": np.degrees(elevation),
        "theta": np.degrees(theta),
        "phi": 90 - np.degrees(elevation),
        "distance": distance,
        "dist": distance,
        "principal": [float(matrix[0, 2]), float(matrix[1, 2])],
        "focal": focal,
        "focal_length": focal * SENSOR / max(record.width, record.height),
        "sensor_width": SENSOR * record.width / max(record.width, record.height),
        "sensor_height": sensor_height,
        "viewport": [record.width, record.height],
        "bbox": [left, top, left + width, top + height],
        "class": model.category,
        "cad_index": model.number,
        "shape_id": model.name,
        "source": "scene",
        "matrix_world": instance.model_to_world.tolist(),
        "camera_rotation": record.camera.pose[:3, :3].tolist(),
        "modelview_matrix": modelview.tolist(),
        "projection_matrix": _projection(record).tolist(),
        "key_points": {point.name: [point.x, point.y, point.visible] for point in instance.key_points},
    }


def _packed(known: Mapping[str, Any]) -> NDArray[np.void]:
    """An annotation as one record, a field for each value; without key points, of which each object has others."""
    values = {name: np.asarray(value) for name, value in known.items() if name != "key_points"}
    packed = np.empty((), [(name, value.dtype, value.shape) for name, value in values.items()])
    for name, value in values.items():
        packed[name] = value
    return packed


def _projection(record: PictureRecord) -> Floats:
    """OpenGL's projection (3, 4) without near and far: x and y in [-1, 1], and the depth."""
    matrix, width, height = record.camera.matrix, record.width, record.height
    return np.array(
        (
            (2 * matrix[0, 0] / width, 0, 1 - 2 * matrix[0, 2] / width, 0),
            (0, 2 * matrix[1, 1] / height, 2 * matrix[1, 2] / height - 1, 0),
            (0, 0, -1, 0),
        )
    )
