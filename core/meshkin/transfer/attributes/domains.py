"""Values on points, edges, faces and corners, UV maps and displacements, carried through a map."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import igl
import numpy as np
from numpy.typing import NDArray

from ...data.snapshot import Snapshot
from ...data.surface_map import SurfaceMap
from ...geometry.adjacency import opposite_triangles, triangle_components
from ...geometry.arrays import unit_rows
from ...geometry.closest_points import nearest_on_triangles
from ...geometry.gradients import barycentric_gradients, differentials
from ...geometry.laplacian import laplacian
from ...geometry.mesh import face_vectors, proper_faces, surface_area, vertex_normals
from ...geometry.smoothing import fair
from ...geometry.welding import place_numbers, uv_corners
from ..carrier import Carrier

Array = NDArray[Any]
INSET = 0.04
"""Corners are looked up this share of the way to their triangle's middle: each on its own side of an edge."""
SPOTS = np.array(
    [[4, 1, 1], [1, 4, 1], [1, 1, 4], [2, 2, 2], [2.8, 2.8, 0.4], [0.4, 2.8, 2.8], [2.8, 0.4, 2.8]], np.float32
) / np.float32(6)
"""Where in a triangle faces are looked up."""
ROUNDS = 3
"""How often the borders between labels are straightened."""
MOST_LABELS = 512
JUMP = 0.5
"""A corner whose UV is farther from where its face lies than this share of the face's size is beyond a seam."""


@dataclass(frozen=True)
class Values:
    """Values of one domain of the source.

    Attributes:
        domain: POINT, EDGE, FACE or CORNER, as Blender calls them.
        label: not to be mixed: whole numbers, truth values; the majority counts.
        values: (N, C).
    """

    domain: str
    label: bool
    values: Array


class Domains:
    """Where the points, edges, faces and corners of a target come from on a source."""

    def __init__(
        self, source: Snapshot, target: Snapshot, to_source: SurfaceMap, source_edges: Array, target_edges: Array
    ) -> None:
        """Look them all up.

        Args:
            source: the source.
            target: the mesh that values are for; its polygons and corners count its own.
            to_source: of its vertices.
            source_edges, target_edges: (E, 2), vertices.
        """
        self.source, self.target, self.map = source, target, to_source
        self.source_edges, self.target_edges = source_edges, target_edges
        self.carrier = Carrier(source, target, to_source)
        self.faces = int(target.polygons.max(initial=-1)) + 1

    def carry(self, given: Values) -> Array:
        """Values of the same domain and type on the target."""
        values = np.asarray(given.values)
        if given.domain == "POINT":
            weights, corners = self.map.barycentric, self.source.faces[self.map.face]
            return _mixed(values[corners], weights, given.label)
        if given.domain == "CORNER":
            face, weights = self._corners()
            return _mixed(values[self.source.corners[face]], weights, given.label)
        if given.domain == "FACE":
            return self._on_faces(values, given.label)
        return self._on_edges(values)

    def uvs(self, layout: Array) -> NDArray[np.float32]:
        """A UV map of the source, float32 (C, 2) at the target's corners; each face lies whole in one island.

        Args:
            layout: (F, 3, 2) at the source's triangle corners.
        """
        source = self.source
        place = place_numbers(source.vertices)
        island = triangle_components(opposite_triangles(uv_corners(place, source.faces, layout)))
        # Each face of the target belongs to one island, where its middle lies or the nearest point of that island.
        whose = self._labels(island)
        face, weights = self._middles()
        points = np.einsum("nk,nkd->nd", weights, source.vertices.astype(np.float64)[source.faces[face]])
        for number in np.unique(whose[island[face] != whose]).tolist():
            strays = np.flatnonzero((whose == number) & (island[face] != number))
            own = np.flatnonzero(island == number)
            vertices = source.vertices.astype(np.float64)
            _, found, _ = igl.point_mesh_squared_distance(points[strays], vertices, source.faces[own].astype(np.int64))
            face[strays] = own[found]
            weights[strays], _ = nearest_on_triangles(points[strays], vertices[source.faces[face[strays]]])
            points[strays] = np.einsum("nk,nkd->nd", weights[strays], vertices[source.faces[face[strays]]])
        middle = np.einsum("nk,nkd->nd", weights, layout[face])
        rises = np.stack(barycentric_gradients(source.vertices.astype(np.float64)[source.faces]), axis=1)
        to_uv = np.einsum("fku,fkd->fud", layout[:, 1:] - layout[:, :1], rises)
        # Each corner where it comes from, unless that is another island or beyond a seam of this one: then straight on
        # from the middle of its face.
        there, shares = self._corners()
        polygon = self._polygon_of_corner()
        spots = np.einsum("nk,nkd->nd", shares, source.vertices.astype(np.float64)[source.faces[there]])
        own = np.einsum("nk,nkd->nd", shares, layout[there])
        straight = middle[polygon] + np.einsum("nud,nd->nu", to_uv[face[polygon]], spots - points[polygon])
        reach = np.linalg.norm(straight - middle[polygon], axis=1)
        beyond = (island[there] != whose[polygon]) | (np.linalg.norm(own - straight, axis=1) > JUMP * reach + 1e-4)
        return np.where(beyond[:, None], straight, own).astype(np.float32)

    def displacements(self, offsets: Array) -> NDArray[np.float64]:
        """Displacements (U, 3) of the source's vertices, turned and scaled into the target's local frames: (V, 3)."""
        carried = self.map.pull(offsets, self.source.faces)
        turn, scale = self.frames()
        return np.einsum("vji,vj->vi", turn, carried) / scale[:, None]

    def _corners(self) -> tuple[Array, Array]:
        """Triangle and coordinates on the source of each corner of the target."""
        count = int(self.target.corners.max(initial=-1)) + 1
        row, side = np.zeros(count, np.int64), np.zeros(count, np.int64)
        flat = np.arange(self.target.corners.size)[::-1]
        row[self.target.corners.ravel()[flat]], side[self.target.corners.ravel()[flat]] = np.divmod(flat, 3)
        weights = np.full((count, 3), INSET / 3, np.float32)
        weights[np.arange(count), side] += 1 - INSET
        return self.carrier.carry(row, weights)

    def _polygon_of_corner(self) -> Array:
        polygon = np.zeros(int(self.target.corners.max(initial=-1)) + 1, np.int64)
        polygon[self.target.corners] = self.target.polygons[:, None]
        return polygon

    def _middles(self) -> tuple[Array, Array]:
        """Triangle and coordinates on the source of the middle of each face's largest triangle."""
        size = np.linalg.norm(face_vectors(self.target.vertices.astype(np.float64), self.target.faces), axis=1)
        order = np.argsort(size, kind="stable")
        largest = np.zeros(self.faces, np.int64)
        largest[self.target.polygons[order]] = order
        face, weights = self.carrier.carry(largest, np.full((self.faces, 3), 1 / 3, np.float32))
        return face.astype(np.int64), weights.astype(np.float64)

    def _spots(self) -> tuple[Array, Array, Array]:
        """Spots all over the target's faces: their polygon, how much each counts, their triangle on the source."""
        count = len(self.target.faces)
        triangle = np.repeat(np.arange(count), len(SPOTS))
        size = np.linalg.norm(face_vectors(self.target.vertices.astype(np.float64), self.target.faces), axis=1)
        there, _ = self.carrier.carry(triangle, np.tile(SPOTS, (count, 1)))
        return self.target.polygons[triangle], np.maximum(size, 1e-300)[triangle], there

    def _on_faces(self, values: Array, label: bool) -> Array:
        """Means, or majorities with straight borders, over each face; ``values`` (P, C) by the source's polygons."""
        if label:
            kinds, number = np.unique(values, axis=0, return_inverse=True)
            return kinds[self._labels(number.reshape(-1)[self.source.polygons])]
        polygon, size, there = self._spots()
        given = values[self.source.polygons[there]].astype(np.float64)
        sums = [np.bincount(polygon, size * column, self.faces) for column in given.T]
        total = np.bincount(polygon, size, self.faces)
        return (np.stack(sums, axis=1) / np.maximum(total, 1e-300)[:, None]).astype(values.dtype)

    def _labels(self, labels: Array) -> Array:
        """The majority of the source triangles' labels (F,) over each face of the target, borders straightened."""
        polygon, size, there = self._spots()
        kinds, number = np.unique(labels, return_inverse=True)
        found = number[there]
        key, entry = np.unique(polygon.astype(np.int64) * len(kinds) + found, return_inverse=True)
        votes = np.bincount(entry, size)
        order = np.argsort(votes, kind="stable")
        best = np.zeros(self.faces, np.int64)
        best[key[order] // len(kinds)] = key[order] % len(kinds)
        if 1 < len(kinds) <= MOST_LABELS:
            best = self._straightened(best, key, votes, len(kinds))
        return kinds[best]

    def _straightened(self, best: Array, key: Array, votes: Array, count: int) -> Array:
        """Labels after some rounds in which the neighbors' labels count half as much as the face's own votes."""
        across = opposite_triangles(self.target.faces)
        row, side = np.nonzero(across >= 0)
        one, two = self.target.polygons[row], self.target.polygons[across[row, side]]
        one, two = one[one != two], two[one != two]
        owner = key // count
        own = votes / np.bincount(owner, votes, self.faces)[owner]
        neighbors = np.maximum(np.bincount(one, minlength=self.faces), 1)
        for _ in range(ROUNDS):
            keys = np.concatenate([key, one.astype(np.int64) * count + best[two]])
            unique, entry = np.unique(keys, return_inverse=True)
            score = np.bincount(entry, np.concatenate([own, 0.9 / neighbors[one]]))
            order = np.argsort(score, kind="stable")
            new = best.copy()
            new[unique[order] // count] = unique[order] % count
            if np.array_equal(new, best):
                break
            best = new
        return best

    def _on_edges(self, values: Array) -> Array:
        """The nearest edge's value.

        What most edges have nothing of are lines (seams, creases): they go only to edges that lie on them and run along
        them, the others stay 0.
        """
        result = np.zeros((len(self.target_edges), values.shape[1]), values.dtype)
        marked = np.flatnonzero((values != 0).any(axis=1))
        if not len(marked) or not len(self.target_edges):
            return result
        lines = 2 * len(marked) < len(values)
        given = marked if lines else np.arange(len(values))
        places_of = self.source.vertices.astype(np.float64)
        ends = self.carrier.points[self.target_edges]
        middle, along = ends.mean(axis=1), ends[:, 1] - ends[:, 0]
        segments = self.source_edges[given].astype(np.int64)
        thin = np.column_stack([segments, segments[:, 1]])
        squares, found, _ = igl.point_mesh_squared_distance(middle, places_of, thin)
        if not lines:
            return np.asarray(values[given[found]])
        direction = unit_rows(places_of[segments[found, 1]] - places_of[segments[found, 0]])
        length = np.linalg.norm(along, axis=1)
        straight = np.abs(np.einsum("ed,ed->e", unit_rows(along), direction)) > 0.85
        near = (np.sqrt(np.maximum(squares, 0)) <= 0.25 * length + 1e-9) & straight
        result[near] = values[given[found[near]]]
        return result

    def frames(self) -> tuple[Array, Array]:
        """How the target's local frames are turned (V, 3, 3) and scaled (V,) onto the source's by the map."""
        vertices, points = self.target.vertices.astype(np.float64), self.carrier.points
        faces = self.target.faces
        before, after = vertices[faces], points[faces]
        upward = unit_rows(face_vectors(vertices, faces))
        outward = unit_rows(
            self.map.pull(vertex_normals(self.source.vertices.astype(np.float64), self.source.faces), self.source.faces)
        )[faces].mean(axis=1)
        size = np.linalg.norm(face_vectors(vertices, faces), axis=1)
        plane = differentials(before, after)
        growth = np.sqrt(np.maximum((plane**2).sum(axis=(1, 2)) / 2, 1e-20))
        whole = plane / growth[:, None, None] + outward[:, :, None] * upward[:, None]
        whole[self.carrier.torn] = 0
        place = place_numbers(self.target.vertices)
        count = int(place.max(initial=-1)) + 1
        corner = place[faces].ravel()
        sums = np.zeros((count, 3, 3))
        np.add.at(sums, corner, np.repeat(whole * size[:, None, None], 3, axis=0))
        weight = np.bincount(corner, np.repeat(np.where(self.carrier.torn, 0, size), 3), count)
        grown = np.bincount(corner, np.repeat(np.where(self.carrier.torn, 0, size) * growth, 3), count)
        average = np.sqrt(
            surface_area(self.source.vertices, self.source.faces) / surface_area(self.target.vertices, faces)
        )
        sums[weight <= 0] = np.eye(3)
        left, _, right = np.linalg.svd(sums)
        flip = np.linalg.det(left @ right) < 0
        left[flip, :, 2] *= -1
        scale = np.where(weight > 0, grown / np.maximum(weight, 1e-300), average)
        scale = np.clip(scale, average / 3, average * 3)
        return (left @ right)[place], scale[place]


def detail(shape: Snapshot, radius: float) -> NDArray[np.float64]:
    """What of a surface's shape is smaller than ``radius`` (hundredths of the square root of its area): (V, 3).

    Added to the surface smoothed by that radius, it gives the surface (implicit fairing, Desbrun et al. 1999).
    """
    place = place_numbers(shape.vertices)
    first = np.zeros(int(place.max(initial=-1)) + 1, np.int64)
    first[place] = np.arange(len(place))
    stiffness, mass = laplacian(shape.vertices[first], place[shape.faces], keep_duplicates=True)
    used = np.unique(proper_faces(place[shape.faces]))
    stiffness, mass = stiffness[used][:, used], mass[used]
    vertices = shape.vertices.astype(np.float64)[first[used]]
    reach = radius / 100 * np.sqrt(surface_area(shape.vertices, shape.faces))
    smooth = fair(vertices, mass, stiffness, np.maximum(mass, 1e-12 * mass.max()), reach)
    offsets = np.zeros((len(first), 3))
    offsets[used] = vertices - smooth
    return offsets[place]


def carry_given(
    source: Snapshot,
    target: Snapshot,
    to_source: SurfaceMap,
    edges: Sequence[Array],
    given: Sequence[Mapping[str, Any]],
    radius: float,
) -> list[Array]:
    """What :func:`meshkin.worker.jobs.carry_domains` is asked for."""
    domains = Domains(source, target, to_source, *edges)
    carried = []
    for one in given:
        values = one["values"]
        if one["mode"] == "uvs":
            carried.append(domains.uvs(values.astype(np.float64)))
        elif one["mode"] == "offsets":
            carried.append(domains.displacements(values).astype(np.float32))
        elif one["mode"] == "detail":
            carried.append(domains.displacements(detail(source, radius)).astype(np.float32))
        else:
            carried.append(domains.carry(Values(one["domain"], one["label"], values)))
    return carried


def _mixed(values: Array, weights: Array, label: bool) -> Array:
    """Values (N, 3, C) of three corners mixed by weights (N, 3), or the one that most of the weight is for."""
    if not label:
        mixed = np.einsum("nk,nkc->nc", weights.astype(np.float64), values.astype(np.float64))
        return mixed.astype(values.dtype)
    same = (values[:, :, None] == values[:, None]).all(axis=3)
    best = np.einsum("nkj,nj->nk", same, weights).argmax(axis=1)
    return np.asarray(np.take_along_axis(values, best[:, None, None], axis=1)[:, 0])
