"""Matches slide along limbs: what they say across a limb counts more than what they say along it.

A tail, a leg or an arm looks alike all along, so that a match tells well which line a point lies on and less well where
on it. Neighbors slide together; believed, they would make a limb seem shorter or longer than it is, and a fit would
turn it toward the camera or away.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .clip import PosableShape
from .evidence import Evidence
from .skinning import BoneTree, matrices, skin
from .state import PoseState

LIMB_SHARE = 0.3
"""Share of the surface that a limb has at most, itself and what hangs on it. Measured: legs, arms and tails of
quadrupeds and people have 0.03 to 0.17; trunks, and heads of most animals with their necks, more."""


def limb_bones(shape: PosableShape) -> NDArray[np.bool_]:
    """Which bones (B,) are of limbs."""
    carried = shape.carried
    return (carried > 0) & (carried <= LIMB_SHARE * carried[shape.main_root])


def sliding(evidence: Evidence, shape: PosableShape, state: PoseState, directions: Tensor, farther: float) -> Evidence:
    """Let anchors of limbs count less along the limb, as it is posed.

    Args:
        evidence: with anchors that count alike in all directions.
        shape: whose bones are posed.
        state: their pose.
        directions: (B, 3), where each bone points at rest.
        farther: how many times farther anchors err along a limb than across it.
    """
    tree = BoneTree.of(shape)
    moved = matrices(tree, state.turns, state.shifts, state.root)
    bone = evidence.load[..., 3].argmax(dim=-1)
    pointing = torch.einsum("tbij,bj->tbi", moved[..., :3, :3], directions)
    along = torch.gather(pointing, 1, bone[..., None].expand(-1, -1, 3))
    cameras = evidence.cameras
    seen = skin(moved, evidence.load) @ cameras[:, :3, :3].transpose(1, 2) + cameras[:, None, :3, 3]
    ahead = along @ cameras[:, :3, :3].transpose(1, 2)
    depth = (-seen[..., 2:]).clamp(min=0.05)
    shown = (ahead[..., :2] + ahead[..., 2:] * seen[..., :2] / depth) * ahead.new_tensor((1, -1))
    shown = shown / torch.linalg.vector_norm(shown, dim=-1, keepdim=True).clamp(min=1)
    less = (1 - 1 / farther) * torch.from_numpy(limb_bones(shape))[bone].double()
    sharp = torch.eye(2, dtype=torch.float64) - less[..., None, None] * shown[..., :, None] * shown[..., None, :]
    return replace(evidence, sharp=sharp)
