"""Points that are picked with the mouse on source and target, also on the stand-in of a comparison."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass

import bpy
import numpy as np
from mathutils import Vector
from mathutils.bvhtree import BVHTree
from numpy.typing import NDArray

from ...base.errors import InputError
from ...data.point_pairs import Point
from ...data.snapshot import Snapshot
from ...geometry.arrays import Floats
from ...geometry.rays import nearest_vertex_to_ray
from ..mesh import matches, pairs
from ..mesh import snapshot as snapshots
from ..objects import Handle
from . import comparison


@dataclass(frozen=True)
class MouseRay:
    """What lies under the mouse.

    Attributes:
        origin, direction: of the ray, in the world.
        reach: by how much it may miss a surface, in the world.
        view: the 3D view.
    """

    origin: Point
    direction: Point
    reach: float
    view: bpy.types.SpaceView3D


@dataclass(frozen=True)
class PickedPoint:
    """A point of source or target.

    Attributes:
        end: 0 for the source, 1 for the target.
        corners, shares: the vertices of its triangle (3,) of all meshes together, and its barycentric coordinates (3,).
        seen: where it was seen, in the world.
        place: where it lies on its mesh, in the world: elsewhere if it was seen on a stand-in.
    """

    end: int
    corners: NDArray[np.int32]
    shares: Floats
    seen: Point
    place: Point


@dataclass(frozen=True)
class _Surface:
    """A surface that can be clicked: of a mesh, or of a stand-in.

    Attributes:
        handle: of the object that shows it.
        end: 0 for the source, 1 for the target.
        vertices: float64 (V, 3), of all meshes of this end together as this object shows them, in the world.
        faces: int32 (F, 3), those of this object, of these vertices.
        tree: of these faces.
    """

    handle: Handle
    end: int
    vertices: Floats
    faces: NDArray[np.int32]
    tree: BVHTree


class Pinning:
    """Picks point pairs, a point on one object or character and then one on the other.

    Attributes:
        names: of source and target.
        points: what is picked of source and target of the pair that is not complete yet.
        count: how many pairs were added.
    """

    def __init__(self, sources: Sequence[bpy.types.Object], targets: Sequence[bpy.types.Object]) -> None:
        """Begin with an object, or with the meshes of a character, on both sides; raises InputError as `refresh`."""
        self._meshes = tuple([Handle.of(obj) for obj in each] for each in (sources, targets))
        self.names = sources[0].name, targets[0].name
        self.points: list[PickedPoint | None] = [None, None]
        self.count = 0
        self.refresh()

    def refresh(self) -> None:
        """Read both objects, their match and the stand-in as they are now; raises InputError for what is gone."""
        ends = [[handle.get() for handle in each] for each in self._meshes]
        matched = None
        with contextlib.suppress(InputError):
            matched = matches.load(ends[0][0], ends[1][0], in_any_pose=True)
            known = matched.source_meshes, matched.target_meshes  # in the order of the match
            self._meshes = tuple([Handle.of(mesh.object) for mesh in each] for each in known)
            ends = [[mesh.object for mesh in each] for each in known]
        self._match = matched.match if matched else None
        self._state = self._present_state()
        pieces = [[snapshots.take(obj) for obj in each] for each in ends]
        self._shapes = tuple(Snapshot.joined(each) for each in pieces)
        self._starts = [np.cumsum([0, *(len(piece.vertices) for piece in each)]) for each in pieces]
        self._surfaces = [
            _surface(handle, end, self._shapes[end], slice(start, start + len(piece.vertices)))
            for end in (0, 1)
            for handle, piece, start in zip(self._meshes[end], pieces[end], self._starts[end], strict=False)
        ]
        stand_in, compared = comparison.stand_in(), comparison.ends()
        if stand_in and compared[0] in ends[0] and compared[1] in ends[1]:
            shown = snapshots.take(stand_in)
            if np.array_equal(shown.faces, self._shapes[0].faces):
                self._surfaces.append(_surface(Handle.of(stand_in), 0, shown, slice(None)))

    def under(self, ray: MouseRay, near: bool = False) -> PickedPoint | None:
        """The point under the mouse, on the surface that is seen there; with ``near``, also a vertex beside it.

        Raises InputError if one of the objects is gone.
        """
        if self._present_state() != self._state:
            self.refresh()
        hits = []
        for surface in self._seen_surfaces(ray.view):
            hit = _cast(surface, ray, near)
            hits += [(*hit, surface)] if hit else []
        if not hits:
            return None
        _, point, face, surface = min(hits, key=lambda hit: hit[0])
        corners = surface.faces[face]
        shares = _barycentric(point, surface.vertices[corners])
        shape = self._shapes[surface.end]
        place = shares @ shape.vertices[corners].astype(np.float64) + shape.location
        return PickedPoint(surface.end, corners, shares, _as_point(point), _as_point(place))

    def images(self, picked: PickedPoint, view: bpy.types.SpaceView3D) -> list[Point]:
        """Where the match sends a point, on the other object and its stand-in, as far as a view shows them.

        Nothing without a match.
        """
        if self._match is None:
            return []
        surface_map = (self._match.to_target, self._match.to_source)[picked.end]
        faces = (self._match.target_faces, self._match.source_faces)[picked.end]
        of_corners = surface_map.at(picked.corners)
        shown = [surface.vertices for surface in self._seen_surfaces(view) if surface.end != picked.end]
        points = [_as_point(picked.shares @ of_corners.pull(vertices, faces)) for vertices in shown]
        return list(dict.fromkeys(points))  # the meshes of a character show it at one place

    def marks(self, ray: MouseRay | None = None) -> list[Point]:
        """What is to be marked: picked points, what is under the mouse, and where the match sends it."""
        marks, hovered = [picked.seen for picked in self.points if picked], self.under(ray) if ray else None
        return [*marks, hovered.seen, *self.images(hovered, ray.view)] if ray and hovered else marks

    def click(self, ray: MouseRay) -> bool | None:
        """Pick the point under the mouse; returns whether that made a pair, and None if there is nothing there.

        Raises InputError as :func:`meshkin.scene.mesh.pairs.add`, and if one of the objects is gone.
        """
        picked = self.under(ray, near=True)
        if picked is None:
            return None
        self.points[picked.end] = picked
        one, other = self.points
        if one is None or other is None:
            return False
        pairs.add(self._mesh_of(one), self._mesh_of(other), one.place, other.place)
        self.points = [None, None]
        self.count += 1
        return True

    def _mesh_of(self, picked: PickedPoint) -> bpy.types.Object:
        """The mesh that a point lies on."""
        number = np.searchsorted(self._starts[picked.end], picked.corners[0], side="right") - 1
        return self._meshes[picked.end][int(number)].get()

    def _present_state(self) -> list[object]:
        """What tells cheaply whether something has been moved or changed since it was read."""
        objects = [handle.get() for each in self._meshes for handle in each]
        objects += [each for each in [comparison.stand_in()] if each]
        counts = [len(obj.data.vertices) if obj.type == "MESH" else 0 for obj in objects]
        places = [(obj.session_uid, *map(tuple, obj.matrix_world)) for obj in objects]
        return [bpy.context.scene.frame_current, counts, places]

    def _seen_surfaces(self, view: bpy.types.SpaceView3D) -> list[_Surface]:
        """The surfaces whose objects still exist and that a view shows: a local view does not show all."""
        objects = [obj for obj in bpy.context.view_layer.objects if obj.visible_get()]
        shown = {obj.session_uid for obj in objects if obj.visible_in_viewport_get(view)}
        return [surface for surface in self._surfaces if surface.handle.uid in shown]


def _surface(handle: Handle, end: int, shape: Snapshot, own: slice) -> _Surface:
    """The surface of an object that has some of the vertices of a shape."""
    first, last, _ = own.indices(len(shape.vertices))
    vertices = shape.vertices.astype(np.float64) + shape.location
    faces = shape.faces[(shape.faces[:, 0] >= first) & (shape.faces[:, 0] < last)]
    tree = BVHTree.FromPolygons(vertices[own].tolist(), (faces - first).tolist(), all_triangles=True)
    return _Surface(handle, end, vertices, faces, tree)


def _cast(surface: _Surface, ray: MouseRay, near: bool) -> tuple[float, Floats, int] | None:
    """Where a ray meets a surface: its distance, the point, the triangle."""
    origin, direction = np.array(ray.origin), np.array(ray.direction)
    location, _, face, distance = surface.tree.ray_cast(Vector(ray.origin), Vector(ray.direction))
    if location is not None:
        return float(distance), np.array(location), int(face)
    if not near:
        return None
    used = np.unique(surface.faces)
    number, beside = nearest_vertex_to_ray(origin, direction, surface.vertices[used])
    if not beside <= ray.reach:
        return None
    vertex = used[number]
    point = surface.vertices[vertex]
    return float(np.linalg.norm(point - origin)), point, int((surface.faces == vertex).any(axis=1).argmax())


def _barycentric(point: Floats, corners: Floats) -> Floats:
    """Barycentric coordinates (3,) of a point of a triangle (3, 3): positive, with the sum 1."""
    edges = (corners[1:] - corners[0]).T
    second, third = np.linalg.lstsq(edges, point - corners[0], rcond=None)[0]
    shares = np.clip((1 - second - third, second, third), 0, 1)
    return np.asarray(shares / shares.sum(), np.float64)


def _as_point(values: Sequence[float] | Floats) -> Point:
    x, y, z = (float(value) for value in values)
    return x, y, z
