"""The skeleton of the analytic person."""

from __future__ import annotations

import numpy as np

from helpers.figures import Figure
from meshkin.base.sides import mirror_indices
from meshkin.transfer.rig.rest_skeleton import RestSkeleton


def rest_skeleton(figure: Figure) -> RestSkeleton:
    """The figure's bones in rest pose, their columns in the order of its weights."""
    names = figure.names
    parents = {"chest": "spine", "head": "chest"}
    for side in (".L", ".R"):
        parents |= {f"thigh{side}": "spine", f"shin{side}": f"thigh{side}"}
        parents |= {f"upperarm{side}": "chest", f"forearm{side}": f"upperarm{side}"}
    heads, tails = (np.array([bone[end] for bone in figure.bones.values()]) for end in (0, 1))
    along = (tails - heads) / np.linalg.norm(tails - heads, axis=1, keepdims=True)
    axes = np.cross(along, np.cross((0.0, -1.0, 0.0), along))
    return RestSkeleton(
        heads,
        tails,
        axes / np.linalg.norm(axes, axis=1, keepdims=True),
        np.array([names.index(parents[name]) if name in parents else -1 for name in names]),
        np.array(mirror_indices(names)),
        np.arange(len(names)),
    )
