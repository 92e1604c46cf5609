"""BOP, scene-wise: rigid poses for robots. Source: bop_toolkit, ``docs/bop_datasets_format.md``.

Millimeters; OpenCV camera; the middle of the upper left pixel is (0, 0).
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ...base.png import write_png
from ...base.progress import ProgressCallback, silent
from ...base.storage import write_file
from ...geometry.arrays import Floats
from ..files import write_json
from ..record import DataFolder, ModelRecord, PicturePasses, PictureRecord, SetRecord
from .shared import HALF_PIXEL, each_record, place_file

MILLIMETERS = 1000.0
"""Of a meter."""
DEEPEST = 65535
"""The largest number in a 16-bit picture."""
DEPTH_SCALE = 0.1
"""Millimeters of a step of a depth picture, where that reaches far enough; chosen: BlenderProc's."""
FOLDER = "bop"
"""Folder of this format in that of a data set."""


def write(folder: DataFolder, report: ProgressCallback = silent) -> Path:
    """Write the folder ``bop``: models and one scene, ``train_pbr/000000``; returns it.

    Shapes that deform are there as they were in the first picture: this format knows only rigid ones.

    Raises StorageError, InputError ``data-invalid``.
    """
    data = SetRecord.load(folder.path)
    target = folder.path / FOLDER
    scene = target / "train_pbr" / "000000"
    cameras: dict[str, Any] = {}
    poses: dict[str, Any] = {}
    facts: dict[str, Any] = {}
    for record in each_record(folder, report):
        passes = PicturePasses.load(folder.passes(record.number))
        place_file(folder.picture(record.number), scene / "rgb" / f"{record.stem}.png")
        scale = _write_depth(scene / "depth" / f"{record.stem}.png", passes, data.unit)
        for order, instance in enumerate(record.instances):
            name = f"{record.stem}_{order:06d}.png"
            masks = {"mask": passes.masks[order], "mask_visib": passes.object == instance.id}
            for kind, mask in masks.items():
                write_png(scene / kind / name, (mask * np.uint8(255))[..., None])
        key = str(record.number)
        cameras[key] = _camera(record, scale, data.unit)
        poses[key] = [_pose(record, order, data.unit) for order in range(len(record.instances))]
        facts[key] = [_facts(record, order, passes) for order in range(len(record.instances))]
    write_json(scene / "scene_camera.json", cameras)
    write_json(scene / "scene_gt.json", poses)
    write_json(scene / "scene_gt_info.json", facts)
    _write_models(folder, target, data)
    if cameras:
        _write_default_camera(target, folder.load(folder.numbers()[0]))
    return target


def _write_depth(path: Path, passes: PicturePasses, unit: float) -> float:
    """Write a depth picture; returns the millimeters of its steps, which reach to the farthest point."""
    depth = np.where(np.isfinite(passes.depth), passes.depth.astype(np.float64) * unit * MILLIMETERS, 0)
    scale = max(DEPTH_SCALE, float(depth.max(initial=0)) / DEEPEST)
    write_png(path, np.round(depth / scale).astype(np.uint16)[..., None])
    return scale


def _matrix(record: PictureRecord) -> Floats:
    matrix = record.camera.matrix.copy()
    matrix[:2, 2] -= HALF_PIXEL
    return matrix


def _camera(record: PictureRecord, scale: float, unit: float) -> dict[str, Any]:
    return {
        "cam_K": _matrix(record).ravel().tolist(),
        "depth_scale": scale,
        "cam_R_w2c": record.camera.rotation.ravel().tolist(),
        "cam_t_w2c": (record.camera.translation * unit * MILLIMETERS).tolist(),
    }


def _pose(record: PictureRecord, order: int, unit: float) -> dict[str, Any]:
    pose = record.model_to_camera(record.instances[order])
    return {
        "cam_R_m2c": pose[:3, :3].ravel().tolist(),
        "cam_t_m2c": (pose[:3, 3] * unit * MILLIMETERS).tolist(),
        "obj_id": record.instances[order].model,
    }


def _facts(record: PictureRecord, order: int, passes: PicturePasses) -> dict[str, Any]:
    instance = record.instances[order]
    mask = passes.masks[order]
    return {
        "bbox_obj": _bop_box(instance.whole_box),
        "bbox_visib": _bop_box(instance.box) if instance.pixels[0] else [-1, -1, -1, -1],
        "px_count_all": instance.pixels[2],
        "px_count_valid": int((np.isfinite(passes.depth) & mask).sum()),
        "px_count_visib": instance.pixels[0],
        "visib_fract": instance.pixels[0] / instance.pixels[2],
    }


def _bop_box(box: tuple[int, int, int, int]) -> list[int]:
    """The toolkit's boxes are as wide as it is from the middle of their first pixel to that of their last one."""
    left, top, width, height = box
    return [left, top, width - 1, height - 1]


def _write_models(folder: DataFolder, target: Path, data: SetRecord) -> None:
    infos = {}
    for model in data.models:
        vertices, faces = folder.load_model(model.number)
        millimeters = vertices * data.unit * MILLIMETERS
        path = target / "models" / f"obj_{model.number:06d}.ply"
        write_file(path, partial(Path.write_bytes, data=ply(millimeters, faces)))
        infos[str(model.number)] = _model_info(model, data.unit * MILLIMETERS)
    write_json(target / "models" / "models_info.json", infos)


def _model_info(model: ModelRecord, scale: float) -> dict[str, Any]:
    low, size = np.array(model.low) * scale, (np.array(model.high) - model.low) * scale
    info: dict[str, Any] = {"diameter": model.diameter * scale}
    info |= dict(zip(("min_x", "min_y", "min_z"), low.tolist(), strict=True))
    info |= dict(zip(("size_x", "size_y", "size_z"), size.tolist(), strict=True))
    if model.symmetries.discrete:
        matrices = np.array(model.symmetries.discrete).reshape(-1, 4, 4)
        matrices[:, :3, 3] *= scale
        info["symmetries_discrete"] = matrices.reshape(-1, 16).tolist()
    if model.symmetries.continuous:
        info["symmetries_continuous"] = [
            {"axis": axis[:3], "offset": (np.array(axis[3:]) * scale).tolist()} for axis in model.symmetries.continuous
        ]
    return info


def ply(vertices: Floats, faces: np.ndarray[Any, Any]) -> bytes:
    """The content of a binary PLY file of vertices (V, 3) and triangles (F, 3)."""
    header = (
        "ply\nformat binary_little_endian 1.0\n"
        f"element vertex {len(vertices)}\nproperty float x\nproperty float y\nproperty float z\n"
        f"element face {len(faces)}\nproperty list uchar int vertex_indices\nend_header\n"
    )
    rows = np.empty(len(faces), np.dtype([("count", "u1"), ("corners", "<i4", 3)]))
    rows["count"], rows["corners"] = 3, faces
    return header.encode() + vertices.astype("<f4").tobytes() + rows.tobytes()


def _write_default_camera(target: Path, record: PictureRecord) -> None:
    matrix = _matrix(record)
    values = {"fx": matrix[0, 0], "fy": matrix[1, 1], "cx": matrix[0, 2], "cy": matrix[1, 2]}
    size = {"width": record.width, "height": record.height}
    write_json(target / "camera.json", {**values, **size, "depth_scale": DEPTH_SCALE})
