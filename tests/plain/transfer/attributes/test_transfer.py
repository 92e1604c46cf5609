"""A transfer of attributes of every kind, and rotations averaged."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from helpers.attributes import SOURCE, TARGET, with_edges
from helpers.textured import known_map
from meshkin.transfer.attributes.rotations import quaternion_products, quaternions_of_products
from meshkin.transfer.attributes.transfer import AttributeValues, transfer_attributes


def test_averages_of_rotations() -> None:
    """A quaternion and its negative are one rotation; the mean of two turns about one axis is the turn between."""
    turns = Rotation.from_euler("z", [[20], [60]], degrees=True).as_quat()
    mean = quaternion_products(np.stack((turns[0], -turns[1]))).mean(axis=0)
    between = Rotation.from_quat(quaternions_of_products(mean[None])[0])
    np.testing.assert_allclose(between.as_euler("xyz", degrees=True), (0, 0, 40), atol=1e-4)
    np.testing.assert_array_equal(quaternions_of_products(np.zeros((1, 16))), [[1, 0, 0, 0]])


def test_every_kind_at_once() -> None:
    """Onto another mesh of the same surface: types and shapes stay, and values are those of the place."""
    assert SOURCE.uvs is not None
    height = SOURCE.vertices[:, 2:]
    turns = Rotation.from_euler("x", height).as_quat().astype(np.float32)
    turns[::2] *= -1
    upper = (SOURCE.vertices[SOURCE.faces].mean(axis=1)[:, 2:] > 0).astype(np.int32)
    mesh, other = with_edges(SOURCE), with_edges(TARGET)
    numbers, labels, edges, rotations, uv_map, offsets, detail = transfer_attributes(
        mesh,
        other,
        known_map(SOURCE, TARGET).to_source,
        [
            AttributeValues("POINT", "numbers", height),
            AttributeValues("FACE", "labels", upper),
            AttributeValues("EDGE", "labels", np.ones((len(mesh.edges), 1), bool)),
            AttributeValues("POINT", "rotations", turns),
            AttributeValues("CORNER", "uv_map", SOURCE.uvs),
            AttributeValues(
                "POINT", "offsets", np.tile(np.array([[0, 0, 0.1]], np.float32), (len(SOURCE.vertices), 1))
            ),
            AttributeValues("POINT", "detail", np.zeros(0, np.float32)),
        ],
    )
    assert numbers.dtype == np.float32
    np.testing.assert_allclose(numbers, TARGET.vertices[:, 2:], atol=0.05)
    assert labels.dtype == np.int32
    assert (labels == (TARGET.vertices[TARGET.faces].mean(axis=1)[:, 2:] > 0)).mean() > 0.95
    assert edges.dtype == bool
    assert edges.all()
    angle = Rotation.from_quat(rotations).as_euler("xyz")[:, 0]
    np.testing.assert_allclose(angle, TARGET.vertices[:, 2], atol=0.05)
    assert uv_map.shape == (TARGET.corners.size, 2)
    np.testing.assert_allclose(np.median(offsets, axis=0), (0, 0, 0.1), atol=0.01)
    assert detail.shape == TARGET.vertices.shape
    assert detail.dtype == np.float32
