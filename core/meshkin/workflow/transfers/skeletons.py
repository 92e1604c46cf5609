"""The source's bones, as jobs about joints read them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...scene.rig import armature as armatures
from ...scene.rig import weights as vertex_groups
from ...worker.requests.arrays import save_array
from ...worker.requests.rig import BoneArrays
from ..characters import ObjectSnapshot

BONE_WEIGHTS = "bone-weights.npy"
"""File of the source's weights, (U, C), in the folder."""


def save_bones(of: ObjectSnapshot, skeleton: armatures.Skeleton, folder: Path) -> Path:
    """Write the source's bones, with their columns of its weights, and these weights; returns the bones' file."""
    source, snapshot = of.handle.get(), of.snapshot
    groups: list[str] = []
    weights = np.zeros((len(snapshot.vertices), 0), np.float32)
    if source.vertex_groups:
        groups, weights = vertex_groups.read(source, snapshot, [group.name for group in source.vertex_groups])
    save_array(folder / BONE_WEIGHTS, weights)
    column = {name: index for index, name in enumerate(groups)}
    arrays = BoneArrays(
        skeleton.heads,
        skeleton.tails,
        skeleton.axes,
        skeleton.parents,
        skeleton.mirror,
        np.array([column.get(name, -1) for name in skeleton.names], np.int64),
    )
    return arrays.save(folder / "bones.npz")
