"""A closed proxy of a mesh: one even surface around all of it, whatever holes, gaps, pieces and layers it has.

What is inside, the generalized winding number tells (Jacobson, Kavan and Sorkine-Hornung, "Robust Inside-Outside
Segmentation using Generalized Winding Numbers", SIGGRAPH 2013; Barill et al., "Fast Winding Numbers for Soups and
Clouds", 2018): it is 1 inside and 0 outside of a closed mesh, and passes smoothly from one to the other through holes.
Sheets such as hair and capes, which enclose nothing, become thin slabs. The surface between inside and outside is
extracted by marching cubes on a sparse grid, made coarser evenly, and laid back onto the mesh where this is near.
"""

from __future__ import annotations

from dataclasses import dataclass

import igl
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from .adjacency import connected_components
from .arrays import AnyIntegers, Floats, Integers, unit_rows
from .closest_points import closest_points
from .laplacian import laplacian
from .mesh import clean_faces, edges, face_areas, face_vectors, surface_area, vertex_normals
from .outside import outward_faces
from .smoothing import LEAST_MASS, fair

BLOCK = 4
"""Cells along a block of the sparse grid. Chosen."""
MOST_BLOCKS = 300_000
"""Blocks in the grid's box, at most. Chosen: people have 30,000; the winding number of each takes a microsecond."""
_CORNERS = np.array([(0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0), (0, 0, 1), (1, 0, 1), (1, 1, 1), (0, 1, 1)])
"""The corners of a cell in the order that marching cubes expects."""


@dataclass(frozen=True)
class ProxySettings:
    """How a closed proxy is made. All values are chosen.

    Attributes:
        cell: of the grid, in square roots of the mesh's area: what lies closer together grows together.
        faces: of the proxy, about.
        levels: winding numbers from which on a place is inside. The first is taken for which the proxy has the fewest
            pieces: lower ones bridge wider gaps, and change nothing but at borders.
        least_piece: share of the proxy's area that a separate piece must have to be kept.
        sheet_lift: distance from a face, in cells, at which the winding number says whether it encloses something.
        snap: distance, in cells, up to which the proxy is laid back onto the mesh.
        least_cosine: between the proxy's normal and the mesh's, likewise.
        free_weight: of places that are not laid back, as in holes, in the final fairing.
        reach: of the final fairing, in mean edges.
    """

    cell: float = 0.007
    faces: int = 10_000
    levels: tuple[float, ...] = (0.5, 0.35, 0.2)
    least_piece: float = 0.004
    sheet_lift: float = 0.25
    snap: float = 1.5
    least_cosine: float = 0.4
    free_weight: float = 1e-3
    reach: float = 0.5


@dataclass(frozen=True)
class Proxy:
    """A closed surface around a mesh, and where the mesh's vertices lie on it.

    Attributes:
        vertices: float64 (P, 3).
        faces: int64 (G, 3), wound counter-clockwise as seen from outside.
        face: int64 (V,), the proxy's face nearest to each vertex of the mesh that looks the same way.
        barycentric: float64 (V, 3), the nearest point on it.
    """

    vertices: Floats
    faces: Integers
    face: Integers
    barycentric: Floats


def closed_proxy(
    vertices: NDArray[np.floating], faces: AnyIntegers, settings: ProxySettings = ProxySettings()
) -> Proxy | None:
    """Return a closed proxy of a mesh; None for a mesh that is too thin or too small to have one.

    Args:
        vertices: (V, 3).
        faces: (F, 3), wound either way.
        settings: of the proxy.
    """
    points = np.asarray(vertices, np.float64)
    outward = np.asarray(outward_faces(points, clean_faces(np.asarray(faces, np.int64))), np.int64)
    if not len(outward) or surface_area(points, outward) <= 0:
        return None
    cell = _cell(points, outward, settings)
    grid = _sampled(points, outward, cell, settings)
    best: tuple[Floats, Integers, int] | None = None
    for level in settings.levels:
        surface = _largest_pieces(*grid.surface(level), settings)
        if surface is not None and (best is None or surface[2] < best[2]):
            best = surface
        if best is not None and best[2] == 1:
            break
    if best is None:
        return None
    shell, corners, *_ = igl.decimate(*_fortran(best[0], best[1]), settings.faces)
    shell, corners = np.ascontiguousarray(shell), np.ascontiguousarray(corners, np.int64)
    shell = _laid_back(shell, corners, points, outward, cell, settings)
    face, barycentric = places_on(points, vertex_normals(points, outward), shell, corners)
    return Proxy(shell, corners, face, barycentric)


def places_on(
    points: Floats, normals: Floats, vertices: NDArray[np.floating], faces: AnyIntegers
) -> tuple[Integers, Floats]:
    """Return where points lie on a surface, by distance and normal: face (N,) and barycentric coordinates (N, 3).

    The closest point is taken if the surface faces the same way there, or the point has no normal; else the vertex that
    is nearest in place and normal together.

    Args:
        points: (N, 3).
        normals: (N, 3), unit vectors, or 0.
        vertices: (P, 3) and faces (G, 3), the surface.
    """
    closest = closest_points(points, vertices, faces)
    face, barycentric = closest.face.copy(), closest.barycentric.copy()
    facing = unit_rows(face_vectors(vertices, faces))
    is_turned = np.flatnonzero(np.einsum("nd,nd->n", facing[face], normals) < 0)
    if len(is_turned):
        size = float(np.sqrt(surface_area(vertices, faces))) / 10
        tree = cKDTree(np.hstack((vertices / size, vertex_normals(vertices, faces))))
        nearest = tree.query(np.hstack((points[is_turned] / size, normals[is_turned])))[1]
        order = np.argsort(faces.ravel(), kind="stable")
        corner = order[np.searchsorted(faces.ravel()[order], nearest)]
        face[is_turned], barycentric[is_turned] = corner // 3, np.eye(3)[corner % 3]
    return face, barycentric


@dataclass(frozen=True)
class _Grid:
    """A sparse grid around a surface.

    Attributes:
        nodes: (N, 3).
        cells: int64 (C, 8), the nodes of each cell.
        winding: (N,), the winding number.
        distance: (N,), to the mesh.
        sheet_distance: (N,), to faces that enclose nothing; infinite if there are none.
        cell: length of a cell's edge.
    """

    nodes: Floats
    cells: Integers
    winding: Floats
    distance: Floats
    sheet_distance: Floats
    cell: float

    def surface(self, level: float) -> tuple[Floats, Integers]:
        """Return the surface around what has at least a winding number of ``level``, vertices and faces."""
        depth = np.where(self.winding > level, 1, -1) * np.minimum(self.distance, self.cell)
        depth = np.maximum(depth, self.cell - self.sheet_distance)
        depth[depth == 0] = 1e-9 * self.cell
        vertices, faces, _ = igl.marching_cubes(-depth, self.nodes, self.cells, 0.0)
        return vertices, np.asarray(faces, np.int64)


def _sampled(points: Floats, faces: Integers, cell: float, settings: ProxySettings) -> _Grid:
    """Return a sparse grid around a mesh, with what is known at its nodes."""
    low = points[np.unique(faces)].min(axis=0) - 2.5 * cell
    counts = np.ceil((points[np.unique(faces)].max(axis=0) + 2.5 * cell - low) / (BLOCK * cell)).astype(int)
    blocks = _blocks(points, faces, low, cell, counts, settings)
    steps = np.stack(np.meshgrid(*[np.arange(BLOCK)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    corners = (blocks[:, None] * BLOCK + steps).reshape(-1, 1, 3) + _CORNERS
    sizes = counts * BLOCK + 1
    keys = (corners[..., 0] * sizes[1] + corners[..., 1]) * sizes[2] + corners[..., 2]
    nodes, cells = np.unique(keys, return_inverse=True)
    steps = np.stack((nodes // (sizes[1] * sizes[2]), nodes // sizes[2] % sizes[1], nodes % sizes[2]), axis=1)
    places = low + steps * cell
    distance = np.sqrt(igl.point_mesh_squared_distance(places, points, faces)[0])
    is_sheet = _encloses_nothing(points, faces, settings.sheet_lift * cell)
    sheet_distance = np.full(len(places), np.inf)
    if is_sheet.any():
        sheet_distance = np.sqrt(igl.point_mesh_squared_distance(places, points, faces[is_sheet])[0])
    winding = igl.fast_winding_number(points, faces, places)
    return _Grid(places, cells.reshape(-1, 8).astype(np.int64), winding, distance, sheet_distance, cell)


def _cell(points: Floats, faces: Integers, settings: ProxySettings) -> float:
    """Return the length of a cell's edge: larger for meshes whose area is small for their extent, as of far pieces."""
    cell = settings.cell * float(np.sqrt(surface_area(points, faces)))
    extent = np.ptp(points[np.unique(faces)], axis=0)
    while np.prod(extent / (BLOCK * cell) + 2) > MOST_BLOCKS:
        cell *= 1.2
    return cell


def _blocks(
    points: Floats, faces: Integers, low: Floats, cell: float, counts: NDArray[np.integer], settings: ProxySettings
) -> NDArray[np.integer]:
    """Return the blocks of the grid (B, 3) that the surface may pass: near the mesh, or across its holes."""
    size = BLOCK * cell
    steps = np.stack(np.meshgrid(*(np.arange(count + 1) for count in counts), indexing="ij"), axis=-1)
    winding = igl.fast_winding_number(points, faces, (low + steps.reshape(-1, 3) * size)).reshape(counts + 1)
    corners = np.stack([winding[tuple(slice(o, o + c) for o, c in zip(at, counts, strict=True))] for at in _CORNERS])
    is_passed = (corners.min(axis=0) <= max(settings.levels)) & (corners.max(axis=0) > min(settings.levels))
    area = surface_area(points, faces)
    number = int(20 * area / size**2) + 100
    rng = np.random.default_rng(0)
    areas = face_areas(points, faces)
    drawn = rng.choice(len(faces), number, p=areas / areas.sum())
    samples = np.einsum("nk,nkd->nd", rng.dirichlet(np.ones(3), number), points[faces[drawn]])
    samples = np.concatenate((samples, points[np.unique(faces)]))
    for shift in _CORNERS * 2 - 1:
        at = np.floor((samples + 1.5 * cell * shift - low) / size).astype(int)
        is_passed[tuple(np.clip(at, 0, counts - 1).T)] = True
    return np.argwhere(is_passed)


def _encloses_nothing(points: Floats, faces: Integers, lift: float) -> NDArray[np.bool_]:
    """Return which faces (F,) are sheets: on neither side of them is the inside of anything."""
    middles, normals = points[faces].mean(axis=1), unit_rows(face_vectors(points, faces))
    behind = igl.fast_winding_number(points, faces, middles - lift * normals)
    before = igl.fast_winding_number(points, faces, middles + lift * normals)
    return np.asarray((behind < 0.5) & (before < 0.5) & (behind > -0.5) & (before > -0.5))


def _largest_pieces(vertices: Floats, faces: Integers, settings: ProxySettings) -> tuple[Floats, Integers, int] | None:
    """Return a surface without small pieces and cavities, and its number of pieces; None if nothing is left."""
    if not len(faces):
        return None
    piece = connected_components(edges(faces), len(vertices))[faces[:, 0]]
    areas = np.bincount(piece, face_areas(vertices, faces))
    volumes = np.bincount(piece, np.einsum("fd,fd->f", vertices[faces[:, 0]], face_vectors(vertices, faces)))
    kept = (areas >= settings.least_piece * areas.sum()) & (volumes > 0)
    if not kept.any():
        return None
    used, compact = np.unique(faces[kept[piece]], return_inverse=True)
    return vertices[used], compact.reshape(-1, 3).astype(np.int64), int(kept.sum())


def _fortran(vertices: Floats, faces: Integers) -> tuple[Floats, NDArray[np.int32]]:
    """Return arrays as igl.decimate takes them."""
    return np.asfortranarray(vertices), np.asfortranarray(faces.astype(np.int32))


def _laid_back(
    shell: Floats, corners: Integers, points: Floats, faces: Integers, cell: float, settings: ProxySettings
) -> Floats:
    """Return the proxy's vertices (P, 3) laid onto the mesh where this is near and faces the same way, then faired."""
    closest = closest_points(shell, points, faces)
    facing = unit_rows(face_vectors(points, faces))[closest.face]
    cosine = np.einsum("pd,pd->p", facing, vertex_normals(shell, corners))
    is_near = (closest.square < (settings.snap * cell) ** 2) & (cosine > settings.least_cosine)
    goals = np.where(is_near[:, None], closest.point, shell)
    stiffness, mass = laplacian(goals, corners)
    mass = np.maximum(mass, LEAST_MASS * mass.mean())
    start, end = edges(corners).T
    reach = settings.reach * float(np.linalg.norm(goals[start] - goals[end], axis=1).mean())
    return fair(goals, np.where(is_near, mass, settings.free_weight * mass), stiffness, mass, reach)
