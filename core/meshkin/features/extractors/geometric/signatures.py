"""Signatures of the shape alone: no model, no pictures, the same in every pose if the surface bends without stretching.

Each vertex is described by its wave kernel and heat kernel signatures, the thickness of the body under it, and its
mean curvature. None of them tells left from right or up from down. Height was measured too and left out: it makes
matches between different poses three times worse.
"""

from __future__ import annotations

import igl
import numpy as np
from numpy.typing import NDArray

from ....base.progress import ProgressCallback
from ....data.snapshot import Snapshot
from ....geometry.arrays import Floats
from ....geometry.coarsening import coarsen
from ....geometry.laplacian import connected_laplacian
from ....geometry.mending import mended
from ....geometry.mesh import normalize, vertex_normals
from ....spectral.descriptors import ENERGIES, TIMES, heat_kernel, wave_kernel
from ....spectral.eigenbasis import eigenpairs
from .settings import GeometricSettings

KERNEL_FLOOR, THICKNESS_FLOOR = 1e-3, 1e-2
"""Added before the logarithm of the kernels (about 0.1 on a surface of area 1) and of the thickness. Chosen."""
CURVATURE_SCALE = 5.0
"""Curvature above which it counts by its logarithm, on a surface of area 1. Chosen."""
LIFT = 1e-4
"""How far under the surface rays start, on a surface of area 1. Chosen: far above rounding."""


def channels(settings: GeometricSettings = GeometricSettings()) -> int:
    """Number of channels of :func:`describe`."""
    return ENERGIES + TIMES + 1 + len(settings.curvature_times) + 1


def describe(
    snapshot: Snapshot, report: ProgressCallback, settings: GeometricSettings = GeometricSettings()
) -> NDArray[np.float32]:
    """Signatures of every vertex, float32 (V, channels), finite; the same for a moved, turned or scaled object.

    Meshes of more than :data:`~meshkin.geometry.coarsening.COARSE_VERTICES` vertices are described on a coarser mesh of
    the same surface, and the result is interpolated back.

    Args:
        snapshot: must have passed :meth:`~meshkin.data.snapshot.Snapshot.check`.
        report: told the progress; may raise Cancelled.
        settings: how the signatures are made and weighted.
    """
    report("Measuring the surface", 0.0)
    mesh = mended(snapshot.vertices, snapshot.faces)
    coarse = coarsen(normalize(mesh.vertices, mesh.faces), mesh.faces)
    points = normalize(coarse.vertices, coarse.faces)
    report("Measuring the surface", 0.2)
    stiffness, mass = connected_laplacian(points, coarse.faces)
    eigenvalues, eigenfunctions = eigenpairs(stiffness, mass, settings.eigenpairs)
    report("Measuring the surface", 0.7)
    normals = vertex_normals(points, coarse.faces)
    through = thickness(points, coarse.faces, normals, settings.rays, settings.cone_angle)
    bent = curvature(points, normals, mass, (eigenvalues, eigenfunctions), settings.curvature_times)
    blocks = (
        (np.log(wave_kernel(eigenvalues, eigenfunctions) + KERNEL_FLOOR), 1.0),
        (np.log(heat_kernel(eigenvalues, eigenfunctions) + KERNEL_FLOOR), 1.0),
        (np.log(through + THICKNESS_FLOOR)[:, None], settings.thickness_weight),
        (np.arcsinh(bent / CURVATURE_SCALE), settings.curvature_weight),
    )
    columns = [
        _standardized(block, mass, settings.outlier) * weight / np.sqrt(block.shape[1]) for block, weight in blocks
    ]
    signatures = np.column_stack((*columns, np.full(len(points), settings.constant)))
    report("Measuring the surface", 0.9)
    return np.asarray(mesh.carried(coarse.prolong @ signatures), np.float32)


def thickness(points: Floats, faces: NDArray[np.integer], normals: Floats, rays: int, cone_angle: float) -> Floats:
    """Distance through the body to its other side, float64 (V,), in the points' unit; 0 where there is no other side.

    The median length of rays into a cone: the shape diameter function (Shapira, Shamir and Cohen-Or, "Consistent Mesh
    Partitioning and Skeletonisation using the Shape Diameter Function", 2008).

    Args:
        points: (V, 3).
        faces: (F, 3).
        normals: (V, 3), unit vectors outward.
        rays: from each vertex.
        cone_angle: half the opening angle of the cone, degrees.
    """
    step = np.arange(rays)
    cosine = 1 - (1 - np.cos(np.radians(cone_angle))) * (step + 0.5) / rays
    azimuth = step * np.pi * (3 - np.sqrt(5))
    flat = np.sqrt(1 - cosine**2)
    neighbor = np.arange(len(points))  # the first ray leans toward a neighbor: rays turn with the object
    neighbor[faces] = np.roll(faces, 1, axis=1)
    side = np.cross(normals, points[neighbor] - points)
    side /= np.maximum(np.linalg.norm(side, axis=1, keepdims=True), 1e-12)
    frames = np.stack((side, np.cross(normals, side), normals), axis=1)
    local = -np.column_stack((flat * np.cos(azimuth), flat * np.sin(azimuth), cosine))
    directions = np.ascontiguousarray((local @ frames).reshape(-1, 3))
    origins = np.repeat(points - LIFT * normals, rays, axis=0)
    tree, triangles = igl.AABB(), np.ascontiguousarray(faces, np.int64)
    tree.init(points, triangles)
    face, length, _ = tree.intersect_ray_first(points, triangles, origins, directions)
    lengths = np.where(face >= 0, length, np.inf).reshape(-1, rays)
    lengths.sort(axis=1)
    hits = np.isfinite(lengths).sum(axis=1)
    median = lengths[np.arange(len(lengths)), np.maximum(hits - 1, 0) // 2]
    return np.where(hits > 0, median, 0.0)


def curvature(
    points: Floats, normals: Floats, mass: Floats, eigenpairs: tuple[Floats, Floats], times: tuple[float, ...]
) -> Floats:
    """Twice the mean curvature of the surface smoothed for each diffusion time, float64 (V, number of times).

    It is positive where the surface bulges along ``normals``. The surface is smoothed by the heat equation in the basis
    of eigenfunctions, in which the Laplacian of the positions is the mean curvature normal.

    Args:
        points: (V, 3), of a surface of area 1.
        normals: (V, 3), unit vectors.
        mass: (V,), area of each vertex.
        eigenpairs: eigenvalues (K,) and eigenfunctions (V, K) of the Laplacian.
        times: of the diffusion.
    """
    eigenvalues, eigenfunctions = eigenpairs
    spectrum = eigenfunctions.T @ (mass[:, None] * points)
    bends = [eigenfunctions @ ((eigenvalues * np.exp(-eigenvalues * time))[:, None] * spectrum) for time in times]
    return np.column_stack([np.einsum("vk,vk->v", bend, normals) for bend in bends])


def _standardized(block: Floats, mass: Floats, outlier: float) -> Floats:
    """Columns (V, C) with mean 0 and variance 1 over the surface; those that do not vary become 0.

    Values beyond so many standard deviations are cut off.
    """
    share = mass / mass.sum()
    centered = block - share @ block
    deviation = np.sqrt(share @ centered**2)
    centered = np.divide(centered, deviation, out=np.zeros_like(centered), where=deviation > 1e-9)
    return np.asarray(np.clip(centered, -outlier, outlier))
