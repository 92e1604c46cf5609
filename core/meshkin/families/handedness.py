"""Left and right read from features that are the same on both sides.

Of two smooth functions a and b on a surface, take the way in which one turns into the other around the outward normal:
the 2-form da∧db, over a triangle half of (a1 - a0)(b2 - b0) - (a2 - a0)(b1 - b0). If both functions are the same on
both sides of a body, as features are (toward the head, toward the back), the form changes its sign from one side to the
other: a mirror image turns the other way. So do its products with symmetric functions. Which combination of such
products is positive on the left of one kind of shape is learned by least squares from the mirror maps of some of them.
It is then read off any other, in any pose, without a map between the two.

No published method is known to us that does this with features; forms like these keep orientations in functional maps
(Ren, Poulenard, Wonka and Ovsjanikov, "Continuous and Orientation-preserving Correspondences via Functional Maps",
2018).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from ..geometry.arrays import Floats, Integers, Singles, unit_rows
from ..spectral.eigenbasis import SpectralMesh
from .surroundings import SIGNATURES, SPREAD_TIMES, at_time, signatures, spread

FIELDS = 6
"""Principal components of the spread features and signatures of which the forms are made. Measured: 8 were no
better at the sides of unseen shapes, with 2.4 times the coefficients. Without signatures, which stay as they are in any
pose, what is read agreed with the true sides by 0.50 on six people who kneel, kick and sit, where people who stand were
learned from, and by 0.84 on ten animals in other poses; with them by 0.84 and 0.91."""
FACTORS = 4
"""Of these, so many say where on the body a combination holds. Chosen."""
FORM_TIMES = (0.003, 0.02)
"""Times for which forms are spread: once around a thin limb, and once around a thick one. Chosen."""
MOST_FORM = 4.0
"""Largest value of a form, in three times its root mean square. Chosen."""
SAMPLED = 800
"""Points of each shape that are learned from, evenly picked. Chosen."""
SIDE_RIDGE = 500.0
"""Weight of small coefficients beside the points' errors. Measured: from 150 to 2000 the shares differ by .01 to .02,
but for one shape of seven."""


@dataclass(frozen=True)
class Forms:
    """What changes its sign from one side to the other, and how it is scaled.

    Attributes:
        axes: float64 (D, K), principal axes of the fields, divided by their deviations.
        scale: float64 (T,), root mean squares of the forms.
    """

    axes: Floats
    scale: Floats

    @staticmethod
    def of(meshes: Sequence[SpectralMesh]) -> Forms:
        """Those of a family, from its members with their features."""
        covariance = np.mean([_covariance(mesh, _fields(mesh)) for mesh in meshes], axis=0)
        variance, vectors = np.linalg.eigh(covariance)
        order = np.argsort(-variance)[:FIELDS]
        axes = vectors[:, order] / np.sqrt(np.maximum(variance[order], np.finfo(np.float32).eps))
        squares = [(_forms(mesh, _fields(mesh) @ axes) ** 2).mean(axis=0) for mesh in meshes]
        return Forms(axes, np.sqrt(np.mean(squares, axis=0)))

    def rows(self, mesh: SpectralMesh) -> Singles:
        """The forms of each point of a mesh, times one and times each factor, float32 (P, T (1 + FACTORS))."""
        fields = _fields(mesh) @ self.axes
        scale = 3 * np.where(self.scale > 0, self.scale, 1)
        forms = np.clip(_forms(mesh, fields) / scale, -MOST_FORM, MOST_FORM)
        factors = np.hstack((np.ones((len(fields), 1)), np.tanh(fields[:, :FACTORS] / 2)))
        return _products(forms, factors).astype(np.float32)


@dataclass(frozen=True)
class SideReader:
    """Reads sides.

    Attributes:
        forms: what is read.
        weights: float64 (T (1 + FACTORS),), of their products.
    """

    forms: Forms
    weights: Floats

    def read(self, mesh: SpectralMesh) -> Floats:
        """The side of each point of a mesh with features, (P,) in [-1, 1]: positive on the family's left."""
        return sides(self.forms.rows(mesh), self.weights)


def sides(rows: Singles, weights: Floats) -> Floats:
    """Sides (N,) in [-1, 1] by rows of forms (N, R) and their weights (R,)."""
    return np.clip(rows @ weights, -1, 1)


def sample(mesh: SpectralMesh) -> Integers:
    """Points that are learned from, evenly picked."""
    return np.linspace(0, len(mesh.points) - 1, min(SAMPLED, len(mesh.points))).astype(np.int64)


@dataclass
class SideLesson:
    """Sums of least squares, to which one shape after another is added.

    Attributes:
        squares: (R, R), of the rows.
        products: (R,), of the rows with the sides.
    """

    squares: Floats
    products: Floats

    @staticmethod
    def empty(width: int) -> SideLesson:
        """Before any shape; ``width`` is that of the rows."""
        return SideLesson(SIDE_RIDGE * np.eye(width), np.zeros(width))

    def add(self, rows: Singles, side: Floats) -> None:
        """Add the rows (N, R) of a shape's points with their sides (N,)."""
        self.squares += rows.T @ rows
        self.products += rows.T @ side

    def weights(self) -> Floats:
        """What fits best so far."""
        return np.asarray(np.linalg.solve(self.squares, self.products), np.float64)


def _fields(mesh: SpectralMesh) -> Floats:
    """What forms are made of, (P, D): spread features of each point of a mesh, and signatures.

    The mean of each over the surface is 0: shapes of other kinds differ in their means, which say nothing of sides. The
    variance of all features together is 1, and that of all signatures.
    """
    fields = np.hstack(spread(mesh, unit_rows(mesh.features.astype(np.float64))))
    fields = fields - mesh.mass @ fields
    variance = float((mesh.mass @ fields**2).sum())
    return np.hstack((fields / np.sqrt(max(variance, 1e-12)), signatures(mesh)))


def field_width(features: int) -> int:
    """How many fields are made of so many features."""
    return features * len(SPREAD_TIMES) + SIGNATURES


def _covariance(mesh: SpectralMesh, fields: Floats) -> Floats:
    return np.asarray(fields.T @ (mesh.mass[:, None] * fields))


def _forms(mesh: SpectralMesh, fields: Floats) -> Floats:
    """The forms of each pair of fields (P, K), times one and times each field, spread for each time: (P, T)."""
    corners = fields[mesh.faces]
    along, across = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    one, other = np.triu_indices(fields.shape[1], 1)
    turning = (along[:, one] * across[:, other] - along[:, other] * across[:, one]) / 2
    factors = np.hstack((np.ones((len(corners), 1)), corners.mean(axis=1)))
    count = len(mesh.faces)
    corner, face = mesh.faces.T.ravel(), np.tile(np.arange(count), 3)
    to_points = sparse.csr_array((np.full(3 * count, 1 / 3), (corner, face)), shape=(len(mesh.points), count))
    spectrum = mesh.eigenfunctions.T @ (to_points @ _products(turning, factors))
    return np.hstack([at_time(mesh, spectrum, time) for time in FORM_TIMES])


def _products(one: Floats, other: Floats) -> Floats:
    """Each column of one matrix times each of another one, (N, A B)."""
    return np.asarray((one[:, :, None] * other[:, None, :]).reshape(len(one), -1))
