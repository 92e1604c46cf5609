"""UV maps through known maps."""

from __future__ import annotations

import numpy as np

from helpers.attributes import SOURCE, TARGET, mapped_mesh
from meshkin.transfer.attributes.uv_maps import transfer_uv_map

OTHER = mapped_mesh(SOURCE, TARGET)


def test_a_uv_map_keeps_its_islands_whole() -> None:
    """The source's map has one seam; on the target no face is drawn across it."""
    assert SOURCE.uvs is not None
    uvs = transfer_uv_map(OTHER, SOURCE.uvs.astype(np.float64))[TARGET.corners]
    truth = TARGET.uvs
    assert truth is not None
    middle = np.abs(truth[..., 1].mean(axis=1) - 0.5) < 0.4  # away from the poles
    spread = np.ptp(uvs[middle], axis=1).max(axis=1)
    assert spread.max() < 0.1
    difference = np.abs(uvs[middle] - truth[middle])
    difference[..., 0] = np.minimum(difference[..., 0], np.abs(1 - difference[..., 0]))
    assert np.quantile(difference, 0.99) < 0.02


def test_several_islands() -> None:
    """Islands per octant: every face of the target lies in one of them, and in the right one."""
    middle = SOURCE.vertices[SOURCE.faces].mean(axis=1)
    octant = ((middle > 0) @ np.array([1, 2, 4])).astype(int)
    islands = SOURCE.vertices[SOURCE.faces][:, :, :2] * 0.04 + 0.06 + octant[:, None, None] * np.array([0.12, 0])
    uvs = transfer_uv_map(OTHER, islands)[TARGET.corners]
    own = np.clip(np.floor(uvs.mean(axis=1)[:, 0] / 0.12), 0, 7).astype(int)
    truth = ((TARGET.vertices[TARGET.faces].mean(axis=1) > 0) @ np.array([1, 2, 4])).astype(int)
    assert (own == truth).mean() > 0.93
    assert np.ptp(uvs, axis=1).max() < 0.03
