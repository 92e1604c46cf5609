"""Small data sets made of arrays: two kinds of objects before a wall, seen by drawn cameras."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from meshkin.base.png import write_png
from meshkin.dataset import sampling
from meshkin.dataset.annotating import PlacedMesh, annotate, box_coordinates
from meshkin.dataset.camera import PinholeCamera, intrinsic_matrix, look_at
from meshkin.dataset.record import (
    DataFolder,
    ModelRecord,
    PicturePasses,
    PictureRecord,
    SetRecord,
    Symmetries,
    numbers,
)
from meshkin.geometry.arrays import Floats

Point = tuple[float, float, float]
"""A place."""
BOX_FACES = np.array(
    ((0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)),
)
"""Quads of :func:`box`."""


def box(size: tuple[float, float, float]) -> tuple[Floats, np.ndarray]:
    """Vertices (8, 3) and triangles (12, 3) of a box around the origin."""
    ends = np.array(((-0.5,) * 3, (0.5,) * 3)) * size
    vertices = np.array([(x, y, z) for x in ends[:, 0] for y in ends[:, 1] for z in ends[:, 2]])
    return vertices, np.concatenate((BOX_FACES[:, [0, 1, 2]], BOX_FACES[:, [0, 2, 3]]))


def placed(
    name: str, model: int, vertices: Floats, faces: np.ndarray, pose: Floats, points: Mapping[str, Point]
) -> PlacedMesh:
    """A mesh at a pose, with key points in its own frame."""
    world = vertices @ pose[:3, :3].T + pose[:3, 3]
    corners = world[faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    return PlacedMesh(
        name,
        world,
        faces,
        np.repeat(normals[:, None], 3, axis=1).astype(np.float32),
        model,
        pose,
        np.ones(len(faces), np.uint16),
        box_coordinates(vertices),
        tuple((key, pose[:3, :3] @ np.array(point) + pose[:3, 3]) for key, point in points.items()),
    )


def turned(degrees: float, place: tuple[float, float, float]) -> Floats:
    """A pose (4, 4): turned about Z, then moved."""
    angle = np.radians(degrees)
    pose = np.eye(4)
    pose[:2, :2] = ((np.cos(angle), -np.sin(angle)), (np.sin(angle), np.cos(angle)))
    pose[:3, 3] = place
    return pose


def scene() -> tuple[list[PlacedMesh], tuple[ModelRecord, ...], dict[int, tuple[Floats, np.ndarray]]]:
    """Two cars and a crate, one partly behind the other, on a floor."""
    car, crate = box((2.0, 1.0, 0.8)), box((0.6, 0.6, 0.6))
    car[0][[1, 3], 0] *= 0.5  # sloped at one end, so that it is no box any more
    floor, floor_faces = box((20.0, 20.0, 0.02))
    points = {"front": (1.0, 0.0, 0.0), "roof": (0.0, 0.0, 0.4)}
    meshes = [
        placed("Car", 1, *car, turned(20, (0, 0, 0.4)), points),
        placed("Car.001", 1, *car, turned(-50, (1.2, -1.6, 0.4)), points),
        placed("Crate", 2, *crate, turned(10, (-1.5, 0.6, 0.3)), {"lid": (0, 0, 0.3)}),
        placed("Floor", 0, floor, floor_faces, turned(0, (0, 0, -0.011)), {}),
    ]
    half = [list(numbers(turned(180, (0, 0, 0))))]
    models = (
        _model(1, "car", "Car", car[0], ("front", "roof"), Symmetries()),
        _model(2, "crate", "Crate", crate[0], ("lid",), Symmetries(half)),
    )
    return meshes, models, {1: car, 2: crate}


def _model(
    number: int, category: str, name: str, vertices: Floats, points: tuple[str, ...], turns: Symmetries
) -> ModelRecord:
    low, high = (numbers(each) for each in (vertices.min(axis=0), vertices.max(axis=0)))
    diameter = float(np.linalg.norm(vertices[:, None] - vertices, axis=2).max())
    return ModelRecord(number, category, name, low, high, diameter, points, ("Body",), turns)  # type: ignore[arg-type]


def make(path: Path, count: int, sampler: str = "upper", size: tuple[int, int] = (160, 120)) -> DataFolder:
    """A whole data set, written as others are."""
    folder = DataFolder(path)
    meshes, models, shapes = scene()
    SetRecord(models, count, "test", 1.0).save(path)
    for number, (vertices, faces) in shapes.items():
        folder.save_model(number, vertices, faces)
    for number in range(count):
        drawn = sampling.draw(sampler, number, 3, 6.0, 0.5)
        level = sampler == "level"
        direction = np.array((np.cos(number), np.sin(number), 0)) if level else drawn.direction
        target = np.array((0, 0, 0.4))
        pose = look_at(target + drawn.distance * direction, target)
        add(folder, number, pose, size, meshes)
    return folder


def add(folder: DataFolder, number: int, pose: Floats, size: tuple[int, int], meshes: list[PlacedMesh]) -> None:
    """One picture, whose gray says how far everything is."""
    matrix = intrinsic_matrix(*size, sampling.LENS, sampling.SENSOR)
    matrix[0, 2] += 3.25  # a shifted lens
    camera = PinholeCamera.looking(*size, matrix, pose)
    passes, instances = annotate(camera, meshes)
    write_png(folder.picture(number), shaded(passes))
    passes.save(folder.passes(number))
    folder.save(PictureRecord(number, *size, numbers(matrix), numbers(pose), 1, instances))


def shaded(passes: PicturePasses) -> np.ndarray:
    """A picture in which surfaces that face the camera are light."""
    light = np.clip(-passes.normal[..., 2].astype(np.float32), 0, 1)
    return np.repeat((light * 255).astype(np.uint8)[..., None], 3, axis=2)
