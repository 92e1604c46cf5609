"""The geometric extractor: what must not change it, what it must tell apart, and meshes in a bad state."""

from __future__ import annotations

from typing import Any

import igl
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from helpers.shapes import icosphere, snapshot
from meshkin.base.errors import Cancelled
from meshkin.base.progress import silent
from meshkin.features.extractors.geometric import signatures
from meshkin.features.extractors.geometric.settings import GeometricSettings
from meshkin.geometry.coarsening import coarsen
from meshkin.geometry.laplacian import laplacian
from meshkin.geometry.mesh import face_areas, vertex_normals
from meshkin.spectral.eigenbasis import eigenpairs

Array = NDArray[Any]
SETTINGS = GeometricSettings()


def describe(vertices: Array, faces: Array) -> NDArray[np.float32]:
    return signatures.describe(snapshot(vertices, faces), silent)


def creature(level: int) -> tuple[Array, Array]:
    """A body without symmetry, with a long limb, a short one and a flat one."""
    vertices, faces = icosphere(level)
    reach = np.ones(len(vertices))
    for direction, length, width in (((1, 0, 0), 2.5, 0.15), ((-0.5, 1, 0.3), 1.0, 0.1), ((0, -0.6, 1), 1.5, 0.4)):
        away = 1 - vertices @ (np.array(direction) / np.linalg.norm(direction))
        reach += length * np.exp(-away / width)
    return vertices * reach[:, None] * (1, 0.8, 0.5), faces


def test_shape_and_type_are_as_announced() -> None:
    vertices, faces = creature(3)
    found = describe(vertices, faces)
    assert found.shape == (len(vertices), signatures.channels())
    assert found.dtype == np.float32
    assert np.isfinite(found).all()


def test_moving_turning_and_scaling_change_nothing() -> None:
    vertices, faces = creature(3)
    turned = vertices @ Rotation.from_euler("xyz", (1, 2, 3)).as_matrix().T
    plain = describe(vertices, faces)
    for other in (turned, vertices * 1e-3, vertices * 1e3 + (2e3, 0, 0)):
        assert describe(other, faces) == pytest.approx(plain, abs=0.02)


def test_thickness_and_curvature_of_a_sphere() -> None:
    vertices, faces = icosphere(4)
    normals = vertex_normals(vertices, faces)
    through = signatures.thickness(vertices * 3, faces, normals, SETTINGS.rays, SETTINGS.cone_angle)
    # A chord of angle a is 2 r cos(a); half of the rays lie within.
    expected = 6 * np.cos(np.radians(SETTINGS.cone_angle) / np.sqrt(2))
    assert through == pytest.approx(np.full(len(vertices), expected), rel=0.03)
    stiffness, mass = laplacian(vertices, faces)
    values, functions = eigenpairs(stiffness, mass, 20)
    bent = signatures.curvature(vertices, normals, mass, (values, functions), SETTINGS.curvature_times)
    for column, time in zip(bent.T, SETTINGS.curvature_times, strict=True):
        assert column == pytest.approx(np.full(len(vertices), 2 * np.exp(-2 * time)), rel=0.02)


def test_thickness_of_an_open_sheet_is_zero() -> None:
    points = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]])
    assert not signatures.thickness(points, np.array([[0, 1, 2]]), np.tile((0.0, 0, 1), (3, 1)), 24, 50).any()


def test_points_are_found_again_on_another_triangulation() -> None:
    fine, fine_faces = creature(4)
    generator = np.random.default_rng(0)
    coarse, coarse_faces, _, _ = igl.decimate(fine, fine_faces.astype(np.int32), 2500)
    jittered = coarse + 1e-3 * generator.normal(size=coarse.shape)
    one, two = describe(fine, fine_faces), describe(jittered, coarse_faces)
    picked = cKDTree(one).query(two)[1]
    scale = np.sqrt(face_areas(fine, fine_faces).sum())
    error = np.linalg.norm(fine[picked] - coarse, axis=1) / scale
    assert np.median(error) < 0.03
    assert error.mean() < 0.06


def test_a_large_mesh_is_described_like_a_small_one(monkeypatch: pytest.MonkeyPatch) -> None:
    vertices, faces = creature(4)
    whole = describe(vertices, faces)
    monkeypatch.setattr(coarsen, "__defaults__", (1200,))
    coarse = describe(vertices, faces)
    assert np.corrcoef(whole.ravel(), coarse.ravel())[0, 1] > 0.97


def test_bending_a_limb_changes_little() -> None:
    length, around = np.linspace(0, 6, 120), np.linspace(0, 2 * np.pi, 24, endpoint=False)
    along, angle = (grid.ravel() for grid in np.meshgrid(length, around, indexing="ij"))
    radius = 0.3 + 0.1 * np.sin(1.3 * along) + 0.02 * along
    straight = np.column_stack((along, radius * np.cos(angle), radius * np.sin(angle)))
    turn = along / 6  # radians, along an arc of 6
    bent = np.column_stack(((6 + straight[:, 1]) * np.sin(turn), (6 + straight[:, 1]) * np.cos(turn), straight[:, 2]))
    ring = np.arange(24)
    start = (np.arange(119) * 24)[:, None]
    a, b = (start + ring).ravel(), (start + (ring + 1) % 24).ravel()
    faces = np.concatenate((np.column_stack((a, b, a + 24)), np.column_stack((b, b + 24, a + 24))))
    one, two = describe(straight, faces), describe(bent, faces)
    found = cKDTree(two).query(one)[1]
    assert np.abs(length[found // 24] - along).mean() < 0.3


def test_cancelling_stops_it() -> None:
    def report(stage: str, fraction: float) -> None:
        if fraction > 0.1:
            raise Cancelled()

    vertices, faces = creature(2)
    with pytest.raises(Cancelled):
        signatures.describe(snapshot(vertices, faces), report)


def test_bad_meshes_are_described_with_finite_numbers() -> None:
    generator = np.random.default_rng(0)
    crumbs = (generator.normal(size=(10_000, 1, 3)) + 0.01 * generator.normal(size=(10_000, 3, 3))).reshape(-1, 3)
    body, sides = creature(2)
    meshes = {
        "one triangle": (np.eye(3), np.array([[0, 1, 2]])),
        "two triangles": (np.concatenate((np.eye(3), np.eye(3) + 3)), np.arange(6).reshape(2, 3)),
        "zero-area faces": (np.concatenate((body, body[:5])), np.concatenate((sides, [[0, len(body), 1], [3, 3, 4]]))),
        "repeated faces": (body, np.concatenate((sides, sides, sides[:, ::-1]))),
        "loose vertices": (np.concatenate((body, generator.normal(size=(50, 3)))), sides),
        "10,000 parts": (crumbs, np.arange(30_000).reshape(-1, 3)),
    }
    for name, (vertices, faces) in meshes.items():
        found = describe(vertices, faces)
        assert found.shape == (len(vertices), signatures.channels()), name
        assert np.isfinite(found).all(), name
