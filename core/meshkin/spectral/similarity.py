"""How alike two shapes are, and how well a map of points keeps triangles and neighbors together."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..geometry.arrays import Floats, Integers
from ..geometry.mesh import edges
from .eigenbasis import SpectralMesh
from .functional_map import PairOfFloats

SMOOTHEST = 30
"""Eigenfunctions by which distances along the surface are measured. Chosen."""
TORN_SQUARE_LENGTH = 0.15
"""A map tears a link whose ends it takes farther apart than this, in mean squares of any two points. Chosen."""
COMPARED = 20
"""Eigenvalues, after the zero, that :func:`spectral_similarity` compares. Chosen."""
DIFFERENT = 0.15
"""Root mean square logarithm of eigenvalue ratios at which :func:`spectral_similarity` is 1/e. Chosen from the figures
measured there."""


def spectral_similarity(eigenvalues: PairOfFloats) -> float:
    """How alike two shapes are if bending is free, by their first eigenvalues: from 1 for the same shape down to 0.

    (Reuter, Wolter and Peinecke, "Laplace-Beltrami Spectra as Shape-DNA", 2006.) Measured: the root mean square
    logarithm of the ratios is 0.02 to 0.05 for one body in two poses, 0.03 to 0.3 for people of different build and
    age, 0.1 to 0.4 for animals of different species.
    """
    source, target = (values[1 : 1 + COMPARED] for values in eigenvalues)
    return float(np.exp(-np.mean(np.log(source / target) ** 2) / DIFFERENT**2))


def triangle_orientations(domain: SpectralMesh, image: SpectralMesh, to_image: Integers) -> Floats:
    """Whether each triangle keeps its orientation under a map of points, float64 (G,).

    Returns:
        1 where a triangle of the domain keeps its orientation, -1 where it is turned over, 0 where it becomes a line
        or a point.
    """
    corners = to_image[domain.faces]
    first, second, third = image.points[corners].transpose(1, 0, 2)
    facing = np.cross(second - first, third - first)
    agreement = np.einsum("fd,fd->f", facing, image.normals[corners].sum(axis=1))
    return np.sign(agreement) * (np.linalg.norm(facing, axis=1) > 1e-12)


def kept_orientation(domain: SpectralMesh, image: SpectralMesh, to_image: Integers) -> float:
    """Share of the domain's triangles that keep their orientation under a map of points (P,) into ``image``.

    Triangles that become a line or a point are not counted. About 0.9 for a good map, 0.1 for its mirror image.
    """
    signs = triangle_orientations(domain, image, to_image)
    return float((signs > 0).sum() / max((signs != 0).sum(), 1)) if signs.any() else 0.5


def mapped_square_lengths(image: SpectralMesh, to_image: Integers, links: NDArray[np.integer]) -> Floats:
    """How far apart a map of points (P,) takes the ends of links (E, 2), squared, float64 (E,).

    Distances are those along the surface (:attr:`SpectralMesh.embedding`); the mean of any two points is 1.
    """
    places = image.embedding[:, :SMOOTHEST]
    start, end = to_image[links].T
    return np.asarray(((places[start] - places[end]) ** 2).sum(axis=1) / (2 * places.var(axis=0).sum()))


def dirichlet_energy(domain: SpectralMesh, image: SpectralMesh, to_image: Integers) -> float:
    """The Dirichlet energy of a map of points (P,): the mean square distance to which it takes neighbors.

    The unit is the mean square distance of any two points (compare Ezuz, Heeren, Azencot, Rumpf and Ben-Chen, "Elastic
    Correspondence between Triangle Meshes", 2019). Measured: about 0.015 for a good map between people, 0.03 to 0.1
    where limbs are taken for each other.
    """
    return float(mapped_square_lengths(image, to_image, edges(domain.faces)).mean())


def torn_links(image: SpectralMesh, to_image: Integers, links: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Which links (E, 2) a map of points (P,) tears: their ends come to lie far apart."""
    return np.asarray(mapped_square_lengths(image, to_image, links) > TORN_SQUARE_LENGTH)
