"""An analytic person of capsules with weights that are known everywhere, and clothes around it."""

from __future__ import annotations

from typing import Any

import igl
import numpy as np
from numpy.typing import NDArray

from helpers import shapes
from meshkin.data.snapshot import Snapshot

Array = NDArray[Any]
BLEND = 0.02
"""How softly limbs go over into each other, heights."""
SOFTNESS = 0.012
"""Over which distance one bone's weight gives way to another's, heights."""


class Figure:
    """A person about 1 high, facing -Y, as capsules: name -> (head, tail, radius); left is +X.

    Args:
        legs: distance of the hips from the middle.
        arms: angle between arm and body, degrees.
    """

    def __init__(self, legs: float = 0.06, arms: float = 50) -> None:
        angle = np.radians(arms)
        along = np.array([np.sin(angle), 0, -np.cos(angle)])
        shoulder = np.array([0.11, 0, 0.80])
        self.bones: dict[str, tuple[Array, Array, float]] = {}

        def add(name: str, head: Any, tail: Any, radius: float) -> None:
            self.bones[name] = np.array(head, float), np.array(tail, float), radius

        add("spine", (0, 0, 0.52), (0, 0, 0.66), 0.10)
        add("chest", (0, 0, 0.66), (0, 0, 0.80), 0.10)
        add("head", (0, 0, 0.90), (0, 0, 0.94), 0.065)
        for side, x in ((".L", 1), (".R", -1)):
            flip = np.array([x, 1, 1])
            add(f"thigh{side}", (x * legs, 0, 0.48), (x * (legs + 0.01), 0, 0.27), 0.048)
            add(f"shin{side}", (x * (legs + 0.01), 0, 0.27), (x * (legs + 0.015), 0, 0.045), 0.036)
            elbow, wrist = shoulder + 0.17 * along, shoulder + 0.36 * along
            add(f"upperarm{side}", shoulder * flip, elbow * flip, 0.036)
            add(f"forearm{side}", elbow * flip, wrist * flip, 0.028)

    @property
    def names(self) -> list[str]:
        return list(self.bones)

    def distances(self, points: Array) -> Array:
        """Distance of each point to each bone's capsule, (P, B)."""
        columns = []
        for head, tail, radius in self.bones.values():
            bone = tail - head
            share = np.clip((points - head) @ bone / (bone @ bone), 0, 1)
            columns.append(np.linalg.norm(points - head - share[:, None] * bone, axis=1) - radius)
        return np.stack(columns, axis=1)

    def field(self, points: Array) -> Array:
        """Below zero inside, (P,)."""
        return -BLEND * np.log(np.exp(-self.distances(points) / BLEND).sum(axis=1))

    def normals(self, points: Array) -> Array:
        """Outward unit vectors, (P, 3)."""
        step = 1e-5 * np.eye(3)
        slopes = np.stack([self.field(points + one) - self.field(points - one) for one in step], axis=1)
        return slopes / np.linalg.norm(slopes, axis=1, keepdims=True)

    def weights(self, points: Array, softness: float = SOFTNESS) -> Array:
        """The true weights of points on the surface, (P, B)."""
        distances = self.distances(points)
        shares = np.exp((distances.min(axis=1, keepdims=True) - distances) / softness)
        shares[shares < 1e-3] = 0
        return shares / shares.sum(axis=1, keepdims=True)

    def body(self, cells: int = 70, shift: float = 0.0) -> Snapshot:
        """The body's surface; another number of ``cells`` or ``shift`` gives another topology."""
        step = 1.1 / cells
        x, y, z = (np.arange(low + shift * step, high, step) for low, high in ((-0.62, 0.62), (-0.2, 0.2), (-0.1, 1.1)))
        grid = np.stack(np.meshgrid(x, y, z, indexing="ij"), axis=-1).transpose(2, 1, 0, 3).reshape(-1, 3)
        vertices, faces, _ = igl.marching_cubes(self.field(grid), grid, len(x), len(y), len(z), 0.0)
        corners = vertices[faces]
        facing = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        if np.einsum("fd,fd->", facing, self.normals(corners.mean(axis=1))) < 0:
            faces = faces[:, ::-1]
        return shapes.snapshot(vertices, faces, name="body")

    def clothes(self, gap: float, cells: int = 62, shift: float = 0.37) -> tuple[Snapshot, Array]:
        """A suit ``gap`` away from the skin on a topology of its own, and its true weights (V, B)."""
        skin = self.body(cells, shift)
        places = skin.vertices.astype(np.float64)
        return shapes.snapshot(places + gap * self.normals(places), skin.faces, name="suit"), self.weights(places)
