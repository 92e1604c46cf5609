"""Closed proxies of meshes with holes, gaps, pieces and layers."""

from __future__ import annotations

import igl
import numpy as np
import pytest
from numpy.typing import NDArray

from helpers.beasts import beast
from helpers.shapes import icosphere, joined
from meshkin.geometry.adjacency import connected_components
from meshkin.geometry.closest_points import closest_points
from meshkin.geometry.mesh import edges, face_vectors, surface_area, vertex_normals
from meshkin.geometry.proxy import Proxy, ProxySettings, closed_proxy, places_on

Array = NDArray[np.float64]
SETTINGS = ProxySettings(cell=0.02, faces=4000)
"""Coarser than usual, which is faster."""


def body() -> tuple[Array, NDArray[np.integer]]:
    shape, _, _ = beast(64, 0.2, 0)
    return shape.vertices.astype(float), shape.faces.astype(np.int64)


def checked(proxy: Proxy | None) -> Proxy:
    """A proxy that is closed, manifold, in one piece and wound outward."""
    assert proxy is not None
    assert len(igl.boundary_facets(proxy.faces)[0]) == 0
    assert igl.is_edge_manifold(proxy.faces)[0]
    assert connected_components(edges(proxy.faces), len(proxy.vertices)).max() == 0
    volume = np.einsum("fd,fd->f", proxy.vertices[proxy.faces[:, 0]], face_vectors(proxy.vertices, proxy.faces)).sum()
    assert volume > 0
    return proxy


def distances(proxy: Proxy, points: Array) -> Array:
    """Distances of points from a proxy, in square roots of its area."""
    size = np.sqrt(surface_area(proxy.vertices, proxy.faces))
    return np.sqrt(closest_points(points, proxy.vertices, proxy.faces).square) / size


def without_caps(vertices: Array, faces: NDArray[np.integer], radius: float) -> NDArray[np.integer]:
    """Faces without those around three vertices."""
    for seed in (10, len(vertices) // 2, len(vertices) - 20):
        near = np.linalg.norm(vertices - vertices[seed], axis=1) < radius
        faces = faces[~near[faces].any(axis=1)]
    return faces


def test_a_closed_body_is_kept() -> None:
    vertices, faces = body()
    proxy = checked(closed_proxy(vertices, faces, SETTINGS))
    assert distances(proxy, vertices).max() < 0.02
    places = np.einsum("vk,vkd->vd", proxy.barycentric, proxy.vertices[proxy.faces[proxy.face]])
    assert np.linalg.norm(places - vertices, axis=1).max() < 0.03 * np.sqrt(surface_area(vertices, faces))


@pytest.mark.parametrize("radius", [0.15, 0.3])
def test_holes_and_flipped_faces_are_closed(radius: float) -> None:
    vertices, faces = body()
    damaged = without_caps(vertices, faces, radius)
    assert len(damaged) < len(faces)
    damaged = np.where(np.random.default_rng(0).random(len(damaged))[:, None] < 0.5, damaged[:, ::-1], damaged)
    proxy = checked(closed_proxy(vertices, damaged, SETTINGS))
    assert np.percentile(distances(proxy, vertices), 99) < 0.04  # of the whole body, what was cut away included


def test_pieces_with_gaps_and_layers_become_one_surface() -> None:
    vertices, faces = body()
    height = vertices[faces].mean(axis=1)[:, 1]
    gaps = faces[np.abs(height - np.percentile(height, 50)) > 0.03]
    inner = 0.5 * icosphere(2)[0] * np.ptp(vertices, axis=0).min() / 4 + vertices.mean(axis=0), icosphere(2)[1]
    layered = joined((vertices, gaps), inner)
    proxy = checked(closed_proxy(*layered, SETTINGS))
    assert np.percentile(distances(proxy, vertices), 95) < 0.03


def test_a_sheet_becomes_a_slab() -> None:
    ball, faces = icosphere(3)
    cape = 1.3 * ball, faces[ball[faces].mean(axis=1)[:, 1] > 0.75]
    vertices, both = joined((ball, faces), cape)
    proxy = closed_proxy(vertices, both, SETTINGS)
    assert proxy is not None
    off = distances(proxy, vertices[len(ball) :][np.unique(cape[1])])
    assert np.median(off) < 0.01
    assert off.max() < 0.08  # its border is rounded off


def test_what_is_too_small_has_none() -> None:
    triangle = np.eye(3), np.array([(0, 1, 2)])
    proxy = closed_proxy(*triangle, SETTINGS)
    assert proxy is None or len(proxy.faces) > 0


def test_places_are_found_by_distance_and_normal() -> None:
    """On two near parallel plates, points take the one that faces their way, though the other is nearer."""
    ball, faces = icosphere(3)
    thin = ball * (1, 1, 0.02)
    normals = vertex_normals(thin, faces)
    sunk = thin - 0.03 * normals  # just beyond the other side
    face, barycentric = places_on(sunk, normals, thin, faces)
    places = np.einsum("vk,vkd->vd", barycentric, thin[faces[face]])
    flat = np.abs(normals[:, 2]) > 0.9
    assert (np.sign(places[flat, 2]) == np.sign(thin[flat, 2])).mean() > 0.95


def test_pieces_far_apart_need_no_more_memory() -> None:
    ball, faces = icosphere(2)
    proxy = closed_proxy(*joined((ball, faces), (ball + np.array((3000.0, 2000.0, 1000.0)), faces)), SETTINGS)
    assert proxy is None or len(proxy.faces) <= SETTINGS.faces
