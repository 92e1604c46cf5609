"""Ordinary defects of a mesh, mended for matching: winding, noise, holes and gaps. The user's mesh is not changed.

A clean mesh stays as it is. Winding is made consistent and outward (:mod:`.outside`). Vertices that are scattered at
random are smoothed. Holes are filled (:mod:`.hole_filling`); a mesh in pieces with gaps between them gets a closed
proxy (:mod:`.proxy`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import splu

from .adjacency import boundary_loop_lengths, connected_components
from .arrays import KEPT_MESHES, AnyIntegers, Floats, Integers, SameArrays, unit_rows
from .hole_filling import boundary_loops, filled_holes
from .laplacian import single_thread
from .mesh import clean_faces, edges, face_areas, surface_area, vertex_areas, vertex_normals
from .outside import outward_faces
from .proxy import Proxy, ProxySettings, closed_proxy, places_on
from .smoothing import neighbor_mean
from .welding import weld


@dataclass(frozen=True)
class MendingSettings:
    """When a mesh counts as defective, and how it is mended.

    Attributes:
        hole: length of a loop of the boundary, in square roots of the area, from which on it is a hole. Measured: those
            around eyes and in mouths of people's meshes have 0.11 at most.
        cut, cut_cosine, cut_roundness: a mesh is a part, and stays open, if a loop of its boundary is longer than the
            first, in the same unit; the mean cosine between the normals around it and its plane's is below the second;
            and the area within it is more than the third of a circle's of that length. Measured, cosine and roundness:
            bodies cut off across 0.3 at most and 0.3 to 0.7 but for one of 16; of 60 holes that took 1 % of the area
            none had both.
        loose: share of the area that all pieces but the largest one may have, as eyes and teeth do; if they have more,
            a closed proxy joins them. Chosen.
        hidden: distance from its proxy, in square roots of the proxy's area, from which on a place of a mesh is hidden.
            Chosen.
        most_hidden: share of the area that may be hidden; a mesh of layers, such as clothes on a body, stays as it is.
            Measured: 0.005 to 0.010 on bodies in five pieces, 0.10 to 0.14 on characters with clothes.
        noise: :func:`roughness` from which on a mesh is noisy. Measured: 0.004 to 0.07 on clean meshes, 0.3 with noise
            of 0.3 % of the diagonal on meshes of 5,000 vertices.
        smoothness: roughness that a noisy mesh may keep. Measured on one pair: 0.12 and 0.2 give err 1.11 to 1.12 and
            1.41 to 1.42 with noise of 0.3 % and 1 %, 0.03 gives 1.41 and 1.73.
        strengths: of the smoothing, of which the first is taken that suffices. Chosen.
        proxy: how a closed proxy is made.
    """

    hole: float = 0.15
    cut: float = 0.5
    cut_cosine: float = 0.35
    cut_roundness: float = 0.3
    loose: float = 0.02
    hidden: float = 0.03
    most_hidden: float = 0.04
    noise: float = 0.15
    smoothness: float = 0.12
    strengths: tuple[float, ...] = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)
    proxy: ProxySettings = field(default_factory=ProxySettings)


@dataclass(frozen=True)
class MendedMesh:
    """A mesh without the defects of another one, and where the other's vertices lie on it.

    Attributes:
        vertices: float64 (P, 3).
        faces: int64 (G, 3), wound counter-clockwise as seen from outside.
        closed_places: where the other's vertices lie on this mesh if it was closed, by filling holes or as a proxy:
            face int64 (V,) and barycentric float64 (V, 3). None if vertices and faces are the other's, the vertices
            smoothed at most and the faces rewound at most.
    """

    vertices: Floats
    faces: Integers
    closed_places: tuple[Integers, Floats] | None = None

    def carried(self, values: NDArray[np.floating]) -> NDArray[np.floating]:
        """Return values (P, C) of the mended mesh at the other's vertices, (V, C)."""
        if self.closed_places is None:
            return values
        face, barycentric = self.closed_places
        return np.einsum("vk,vkc->vc", barycentric.astype(values.dtype), values[self.faces[face]])

    def sampled(
        self, values: NDArray[np.floating], vertices: NDArray[np.floating], faces: AnyIntegers
    ) -> NDArray[np.floating]:
        """Return values (V, C) of the other mesh, ``vertices`` and ``faces`` wound outward, at this one's, (P, C)."""
        if self.closed_places is None:
            return values
        normals = vertex_normals(self.vertices, self.faces)
        face, barycentric = places_on(self.vertices, normals, vertices, faces)
        return np.einsum("pk,pkc->pc", barycentric.astype(values.dtype), values[faces[face]])


def mended(
    vertices: NDArray[np.floating], faces: AnyIntegers, settings: MendingSettings = MendingSettings()
) -> MendedMesh:
    """Return a mesh, vertices (V, 3) and faces (F, 3), without its defects.

    The last few are kept: features and matcher want the same.
    """
    outward = np.asarray(outward_faces(vertices, faces), np.int64)
    return _mended(SameArrays(np.asarray(vertices, np.float64), outward), settings)


@lru_cache(maxsize=KEPT_MESHES)
def _mended(mesh: SameArrays, settings: MendingSettings) -> MendedMesh:
    """As :func:`mended`, of vertices and faces that are wound outward."""
    vertices, outward = mesh.arrays
    points = smoothed_noise(vertices, outward, settings)
    if _is_in_one_piece(points, outward, settings):
        is_filled = has_holes(points, outward, settings) and not is_part(points, outward, settings)
        return _with_holes_filled(points, outward) if is_filled else MendedMesh(points, outward)
    proxy = closed_proxy(points, outward, settings.proxy)
    if proxy is None or _hidden_share(points, outward, proxy, settings) > settings.most_hidden:
        return MendedMesh(points, outward)
    return MendedMesh(proxy.vertices, proxy.faces, (proxy.face, proxy.barycentric))


def has_holes(vertices: Floats, faces: AnyIntegers, settings: MendingSettings = MendingSettings()) -> bool:
    """Return whether a mesh has a boundary longer than those around eyes and in mouths."""
    first, place = weld(vertices)
    points, triangles = vertices[first], clean_faces(place[faces])
    longest = boundary_loop_lengths(points, triangles).max(initial=0)
    return bool(longest > settings.hole * np.sqrt(surface_area(points, triangles)))


def is_part(vertices: Floats, faces: AnyIntegers, settings: MendingSettings = MendingSettings()) -> bool:
    """Return whether a mesh, wound outward, is part of a body: cut across, as a bust or a hand is.

    The surface around a hole faces the way of the hole's own plane, or the hole winds about a limb; around a cut, which
    is rather flat and round, the surface faces sideways.
    """
    first, place = weld(vertices)
    points, triangles = vertices[first], clean_faces(place[faces])
    normals = vertex_normals(points, triangles)
    size = np.sqrt(surface_area(points, triangles))
    for loop in boundary_loops(triangles):
        border = points[loop]
        length = np.linalg.norm(border - np.roll(border, 1, axis=0), axis=1).sum()
        plane = -np.cross(border, np.roll(border, -1, axis=0)).sum(axis=0) / 2
        cosine = float((normals[loop] @ unit_rows(plane)).mean())
        roundness = 4 * np.pi * float(np.linalg.norm(plane)) / max(length, 1e-30) ** 2
        if length > settings.cut * size and cosine < settings.cut_cosine and roundness > settings.cut_roundness:
            return True
    return False


def _is_in_one_piece(vertices: Floats, faces: Integers, settings: MendingSettings) -> bool:
    """Return whether all pieces of a mesh are small, but for the largest one."""
    first, place = weld(vertices)
    triangles = clean_faces(place[faces])
    piece = connected_components(edges(triangles), len(first))[triangles[:, 0]]
    areas = np.bincount(piece, face_areas(vertices[first], triangles))
    return bool(areas.sum() - areas.max() <= settings.loose * areas.sum())


def _hidden_share(vertices: Floats, faces: Integers, proxy: Proxy, settings: MendingSettings) -> float:
    """Return the share of a mesh's area that does not lie on its closed proxy."""
    places = np.einsum("vk,vkd->vd", proxy.barycentric, proxy.vertices[proxy.faces[proxy.face]])
    away = np.linalg.norm(places - vertices, axis=1)
    is_hidden = away > settings.hidden * np.sqrt(surface_area(proxy.vertices, proxy.faces))
    areas = vertex_areas(vertices, faces)
    return float(areas[is_hidden].sum() / areas.sum())


def _with_holes_filled(vertices: Floats, faces: Integers) -> MendedMesh:
    """Return a mesh, wound outward, with its holes filled."""
    first, place = weld(vertices)
    triangles = clean_faces(place[faces])
    filled, all_faces = filled_holes(vertices[first], np.asarray(triangles, np.int64))
    face, barycentric = places_on(vertices, np.zeros_like(vertices), filled, all_faces)
    # A vertex of the mesh lies at a corner: the nearest point may be on another surface that touches it there.
    corner = np.full(len(filled), -1)
    corner[all_faces.ravel()] = np.arange(all_faces.size)
    own = corner[place]
    is_used = own >= 0
    face[is_used], barycentric[is_used] = own[is_used] // 3, np.eye(3)[own[is_used] % 3]
    return MendedMesh(filled, all_faces, (face, barycentric))


def roughness(vertices: Floats, faces: AnyIntegers) -> float:
    """Return how far vertices are scattered at random along their normals, in mean edges.

    It is the median of the difference between how far a vertex stands out from its neighbors and how far these do.
    Coarse meshes of round bodies stand out everywhere alike, noise does not.
    """
    first, place = weld(vertices)
    return _roughness(vertices[first], clean_faces(place[faces]))


def smoothed_noise(vertices: Floats, faces: AnyIntegers, settings: MendingSettings = MendingSettings()) -> Floats:
    """Return the vertices (V, 3) of a mesh, smoothed if it is noisy; vertices at one place stay together.

    Implicit fairing (Desbrun et al. 1999) with the squared graph Laplacian, because the noise has made angles and areas
    meaningless; what is long in comparison with an edge does not shrink.
    """
    first, place = weld(vertices)
    points, triangles = vertices[first], clean_faces(place[faces])
    if _roughness(points, triangles) <= settings.noise:
        return vertices
    rows = sparse.eye_array(len(points)) - neighbor_mean(len(points), triangles)
    squared = sparse.csc_array(rows.T @ rows)
    smooth = points
    for strength in settings.strengths:
        system = sparse.csc_array(sparse.eye_array(len(points)) + strength * squared)
        with single_thread():
            smooth = np.asarray(splu(system).solve(points))
        if _roughness(smooth, triangles) <= settings.smoothness:
            break
    return smooth[place]


def _roughness(points: Floats, triangles: AnyIntegers) -> float:
    """Return :func:`roughness` of a mesh without coincident points."""
    if not len(triangles):
        return 0.0
    mean = neighbor_mean(len(points), triangles)
    out = np.einsum("pd,pd->p", mean @ points - points, vertex_normals(points, triangles))
    start, end = edges(triangles).T
    edge = float(np.linalg.norm(points[start] - points[end], axis=1).mean())
    return float(np.median(np.abs(out - mean @ out)[np.unique(triangles)])) / max(edge, 1e-30)
