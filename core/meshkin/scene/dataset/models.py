"""From the surfaces of a scene to the objects of a data set: classes, models, what they share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import bpy
import numpy as np
from mathutils.bvhtree import BVHTree
from numpy.typing import NDArray

from ...base.errors import InputError
from ...dataset.annotating import PlacedMesh, box_coordinates
from ...dataset.record import ModelRecord
from ...dataset.symmetry import symmetries
from ...geometry.arrays import Floats
from .geometry import SceneSurface
from .key_points import without_number

SAME_SHAPE = 1e-4
"""Vertices of one model lie together to this share of its size; chosen: above the rounding of a turned object."""
_HULL_POINTS = 2000
"""Vertices among which the largest distance is looked for. Chosen: those that lie farthest out."""


@dataclass
class SceneModels:
    """The models of a data set, and which surface of the scene has which.

    Attributes:
        chosen: names of the objects that the set is of; those of instancers stand for all that they show.
        classes_from: one of :data:`meshkin.dataset.options.CLASSES_FROM`.
        called: names for objects, by their own.
        records: all models.
        shapes: vertices and faces of each, in its own frame.
    """

    chosen: frozenset[str]
    classes_from: str
    called: Mapping[str, str] = field(default_factory=dict)
    records: list[ModelRecord] = field(default_factory=list)
    shapes: list[tuple[Floats, NDArray[np.int32]]] = field(default_factory=list)
    _numbers: dict[tuple[str, str], int] = field(default_factory=dict)

    def placed(self, surfaces: Sequence[SceneSurface]) -> list[PlacedMesh]:
        """The surfaces as what a camera sees; objects that are new get their models."""
        return [self._placed(surface) for surface in surfaces]

    def _placed(self, surface: SceneSurface) -> PlacedMesh:
        is_chosen = surface.name in self.chosen or surface.owner in self.chosen
        number = self._number(surface) if is_chosen else 0
        local = (surface.vertices - surface.pose[:3, 3]) @ surface.pose[:3, :3]
        coordinates = surface.coordinates if surface.coordinates is not None else box_coordinates(local)
        return PlacedMesh(
            surface.name if surface.name == surface.owner else f"{surface.owner}/{surface.name}",
            surface.vertices,
            surface.faces,
            surface.normals,
            number,
            surface.pose,
            (surface.parts + 1).astype(np.uint16),
            coordinates if number else None,
            surface.key_points,
        )

    def _number(self, surface: SceneSurface) -> int:
        """The number of a surface's model: that of its object before, or of another with the same shape, or a new
        one."""
        known = (surface.owner, surface.name)
        if known not in self._numbers:
            used = np.unique(surface.faces)
            back = np.full(len(surface.vertices), -1, np.int32)
            back[used] = np.arange(len(used), dtype=np.int32)
            vertices = (surface.vertices[used] - surface.pose[:3, 3]) @ surface.pose[:3, :3]
            category, key_points = self._category(surface), tuple(name for name, _ in surface.key_points)
            faces = back[surface.faces]
            same = (
                number for number in range(len(self.shapes)) if self._is(number, category, key_points, vertices, faces)
            )
            index = next(same, len(self.shapes))
            if index == len(self.shapes):
                self.records.append(_model(index + 1, category, surface, vertices))
                self.shapes.append((vertices, faces))
            self._numbers[known] = index + 1
        return self._numbers[known]

    def _is(
        self, index: int, category: str, points: tuple[str, ...], vertices: Floats, faces: NDArray[np.integer]
    ) -> bool:
        """Whether a known model has this class, these key points and this shape."""
        record, (known, known_faces) = self.records[index], self.shapes[index]
        if (record.category, record.key_points) != (category, points) or not np.array_equal(known_faces, faces):
            return False
        size = float(np.ptp(known, axis=0).max(initial=0))
        return known.shape == vertices.shape and bool(np.abs(known - vertices).max() <= SAME_SHAPE * size)

    def _category(self, surface: SceneSurface) -> str:
        """The class of a surface."""
        if self.classes_from == "collection":
            obj = bpy.data.objects.get(surface.owner if surface.owner in self.chosen else surface.name)
            name = obj.users_collection[0].name if obj and obj.users_collection else surface.name
        else:
            name = surface.owner if surface.owner in self.chosen else surface.name
            name = self.called.get(name, name)
        return without_number(name)


def check_size(points: Floats, name: str) -> None:
    """Raise InputError ``mesh-no-area`` for an object (its vertices) whose box has no size in any direction."""
    if float(np.ptp(points, axis=0).max(initial=0)) <= 0:
        raise InputError("mesh-no-area", f"“{name}” is a single point.", "Check its scale, or leave it out.")


def _model(number: int, category: str, surface: SceneSurface, vertices: Floats) -> ModelRecord:
    low, high = vertices.min(axis=0), vertices.max(axis=0)
    tree = BVHTree.FromPolygons(surface.vertices.tolist(), surface.faces.tolist(), all_triangles=True)

    def distances(points: Floats) -> Floats:
        world = points @ surface.pose[:3, :3].T + surface.pose[:3, 3]
        return np.array([tree.find_nearest(point)[3] for point in world.tolist()])

    parts = surface.part_names if surface.parts.max() >= 0 else ()
    outer = vertices[np.argsort(-np.linalg.norm(vertices - (low + high) / 2, axis=1))[:_HULL_POINTS]]
    diameter = max(float(np.linalg.norm(outer - point, axis=1).max()) for point in outer[:: max(1, len(outer) // 200)])
    return ModelRecord(
        number,
        category,
        surface.name,
        (float(low[0]), float(low[1]), float(low[2])),
        (float(high[0]), float(high[1]), float(high[2])),
        diameter,
        tuple(name for name, _ in surface.key_points),
        parts,
        symmetries(vertices, distances),
    )


def world_boxes(surfaces: Sequence[SceneSurface], chosen: frozenset[str]) -> dict[str, Floats]:
    """The corners (8, 3) of the boxes of the chosen objects in the world, by their names; with all that they show."""
    points: dict[str, list[Floats]] = {}
    for surface in surfaces:
        for name in {surface.name, surface.owner} & chosen:
            points.setdefault(name, []).append(surface.vertices[np.unique(surface.faces)])
    return {
        name: np.array([np.min([p.min(0) for p in each], 0), np.max([p.max(0) for p in each], 0)])
        for name, each in points.items()
    }
