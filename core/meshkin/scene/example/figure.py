"""A character's skeleton and the smooth body around it, as plain arrays.

The body is the smooth union of cones with round ends, one around each bone and a few more, as a signed distance; its
surface is extracted by surface nets (Gibson 1998, "Constrained elastic surface nets").
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...geometry.arrays import Floats

BLEND = 0.035
"""How far limbs blend into each other, as a share of the height. Chosen: no creases, fingers stay apart."""
WEIGHT_FALLOFF = 0.02
"""Distance, as a share of the height, at which a bone has 1/e of the influence of a nearer one. Chosen."""
CELLS = 60
"""Cells of the grid in the height. Chosen: some 3,500 vertices."""


@dataclass(frozen=True)
class Build:
    """The proportions of a character that stands at the origin and faces -Y; lengths in meters.

    Attributes:
        name: of the character.
        leg: from the ground to the hip.
        torso: from the hip to the neck.
        neck: from the shoulders to the head.
        head: radius of the head.
        arm: from the shoulder to the wrist.
        drop: angle of the arms below the horizontal, radians.
        shoulders, hips: half the distance of shoulders and hip joints.
        thick: radius of limbs.
        belly: radius of the torso.
        cells: of the grid in the height.
    """

    name: str
    leg: float
    torso: float
    neck: float
    head: float
    arm: float
    drop: float
    shoulders: float
    hips: float
    thick: float
    belly: float
    cells: int = CELLS


@dataclass(frozen=True)
class Figure:
    """A character as arrays.

    Attributes:
        bones: names, every parent before its children.
        heads, tails: (B, 3) of the bones.
        parents: B numbers, -1 for none.
        radii: (B, 2) of the body at head and tail.
        more: cones without a bone of their own: bone, start, end, radii.
    """

    bones: list[str]
    heads: Floats
    tails: Floats
    parents: list[int]
    radii: Floats
    more: list[tuple[str, Floats, Floats, tuple[float, float]]]

    @property
    def height(self) -> float:
        """From the ground to the top, meters."""
        return float(max((self.heads[:, 2] + self.radii[:, 0]).max(), (self.tails[:, 2] + self.radii[:, 1]).max()))


def figure(build: Build) -> Figure:
    """The skeleton of a build, in its rest pose."""
    hip, neck = build.leg, build.leg + build.torso
    head = neck + build.neck
    thick, belly = build.thick, build.belly
    spine = [
        ("hips", "", (0, 0, hip), (0, 0, hip + 0.3 * build.torso), (0.95 * belly, 0.9 * belly)),
        ("spine", "hips", (0, 0, hip + 0.3 * build.torso), (0, 0, hip + 0.65 * build.torso), (0.85 * belly, belly)),
        ("chest", "spine", (0, 0, hip + 0.65 * build.torso), (0, 0, neck), (belly, 0.6 * belly)),
        ("neck", "chest", (0, 0, neck), (0, 0, head), (0.8 * thick, 0.8 * thick)),
        ("head", "neck", (0, 0, head), (0, 0, head + 1.3 * build.head), (0.9 * build.head, build.head)),
    ]
    reach = np.array([np.cos(build.drop), 0, -np.sin(build.drop)]) * build.arm
    shoulder, joint = np.array([build.shoulders, 0, neck - thick]), np.array([build.hips, 0, hip])
    ankle = np.array([build.hips * 1.05, 0.02, 1.2 * thick])
    knee = _moved(0.5 * (joint + ankle), 0, -0.01, 0)
    limbs = [
        ("upper_arm", "chest", shoulder, shoulder + 0.5 * reach, (1.1 * thick, 0.9 * thick)),
        ("forearm", "upper_arm", shoulder + 0.5 * reach, shoulder + reach, (0.9 * thick, 0.7 * thick)),
        ("hand", "forearm", shoulder + reach, shoulder + 1.28 * reach, (0.75 * thick, 0.6 * thick)),
        ("thigh", "hips", joint, knee, (1.5 * thick, 1.2 * thick)),
        ("shin", "thigh", knee, ankle, (1.2 * thick, 0.95 * thick)),
        ("foot", "shin", ankle, _moved(ankle, 0, -2.6 * thick, -0.25 * thick), (1.05 * thick, 0.95 * thick)),
    ]
    parts = spine + [
        (
            f"{name}.{side}",
            parent if parent in ("chest", "hips") else f"{parent}.{side}",
            a * (s, 1, 1),
            b * (s, 1, 1),
            r,
        )
        for side, s in (("L", 1), ("R", -1))
        for name, parent, a, b, r in limbs
    ]
    bones = [part[0] for part in parts]
    heads, tails = np.array([part[2] for part in parts], float), np.array([part[3] for part in parts], float)
    return Figure(
        bones,
        heads,
        tails,
        [bones.index(part[1]) if part[1] else -1 for part in parts],
        np.array([part[4] for part in parts], float),
        _extras(build, heads[bones.index("hand.L")], reach, head),
    )


def _moved(point: Floats, x: float, y: float, z: float) -> Floats:
    return point + np.array([x, y, z])


def _extras(
    build: Build, wrist: Floats, reach: Floats, head: float
) -> list[tuple[str, Floats, Floats, tuple[float, float]]]:
    """Thumbs, ears, nose and a tuft of hair."""
    size, thick = build.head, build.thick
    more: list[tuple[str, Floats, Floats, tuple[float, float]]] = []
    for side, s in (("L", 1), ("R", -1)):
        start = wrist + 0.06 * reach
        end = _moved(start + 0.12 * reach, 0, -1.1 * thick, 0)
        more.append((f"hand.{side}", start * (s, 1, 1), end * (s, 1, 1), (0.42 * thick, 0.36 * thick)))
        ear = np.array([0.98 * size * s, 0, head + 0.95 * size])
        more.append(("head", ear, _moved(ear, 0.12 * size * s, 0, 0.1 * size), (0.22 * size, 0.2 * size)))
    nose = np.array([0, -size, head + 0.95 * size])
    more.append(("head", nose, _moved(nose, 0, -0.08 * size, 0), (0.13 * size, 0.12 * size)))
    tuft = np.array([0, 0.1 * size, head + 2.2 * size])
    more.append(("head", tuft, _moved(tuft, 0, -0.35 * size, 0.35 * size), (0.35 * size, 0.12 * size)))
    return more


def bone_distances(body: Figure, points: Floats) -> Floats:
    """Signed distance (P, B) of points (P, 3) to the round cones of each bone."""
    distances = np.stack(
        [_cone(points, *ends, *radii) for *ends, radii in zip(body.heads, body.tails, body.radii, strict=True)], axis=1
    )
    for bone, start, end, radii in body.more:
        column = body.bones.index(bone)
        distances[:, column] = np.minimum(distances[:, column], _cone(points, start, end, *radii))
    return distances


def _cone(points: Floats, start: Floats, end: Floats, first: float, last: float) -> Floats:
    """Signed distance of points to a cone with round ends (that of a capsule whose radius changes along it)."""
    axis = end - start
    along = np.clip((points - start) @ axis / (axis @ axis), 0, 1)
    squares = sum((points[:, k] - start[k] - along * axis[k]) ** 2 for k in range(3))
    distance: Floats = np.sqrt(squares) - (first + along * (last - first))
    return distance


def surface(body: Figure, cells: int) -> tuple[Floats, NDArray[np.int32]]:
    """The body's surface: vertices (V, 3) and quads (F, 4), their normals outward."""
    spacing, margin = body.height / cells, 3 * body.height / cells
    ends = np.concatenate([body.heads, body.tails, *([start, end] for _, start, end, _ in body.more)])
    widest = float(body.radii.max())
    low, high = ends.min(axis=0) - widest - margin, ends.max(axis=0) + widest + margin
    axes = [np.arange(low[axis], high[axis], spacing) for axis in range(3)]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    values = _blended(bone_distances(body, grid.reshape(-1, 3)), BLEND * body.height).reshape(grid.shape[:3])
    vertices, quads = surface_net(values)
    return low + vertices * spacing, quads


def _blended(distances: Floats, blend: float) -> Floats:
    """The smooth minimum of distances (P, B) (exponential, Quilez 2013)."""
    nearest = distances.min(axis=1)
    total: Floats = nearest - blend / 8 * np.log(np.exp(-(distances - nearest[:, None]) * 8 / blend).sum(axis=1))
    return total


def surface_net(values: Floats) -> tuple[Floats, NDArray[np.int32]]:
    """The surface where values on a grid (X, Y, Z) change their sign: vertices in cells, and quads outward."""
    inside = values < 0
    count = np.zeros(np.array(values.shape) - 1, np.int32)
    total = np.zeros((*count.shape, 3))
    corners = list(itertools.product((0, 1), repeat=3))
    for one, other in itertools.combinations(corners, 2):
        if sum(abs(a - b) for a, b in zip(one, other, strict=True)) != 1:
            continue  # no edge of the cell
        first, second = _at(values, one), _at(values, other)
        crossed = (first < 0) != (second < 0)
        share = np.where(crossed, first / np.where(crossed, first - second, 1), 0)
        place = np.array(one) + share[..., None] * (np.array(other) - np.array(one))
        total += np.where(crossed[..., None], place, 0)
        count += crossed
    used = count > 0
    number = np.full(count.shape, -1, np.int32)
    number[used] = np.arange(int(used.sum()), dtype=np.int32)
    vertices = np.argwhere(used) + total[used] / count[used][:, None]
    quads = []
    for axis in range(3):
        right, up = (axis + 1) % 3, (axis + 2) % 3
        step = np.eye(3, dtype=int)[axis]
        begin = np.argwhere(inside[:-1, :-1, :-1] != _at(inside, step))
        begin = begin[(begin[:, right] > 0) & (begin[:, up] > 0)]
        ring = []
        for back_right, back_up in ((0, 0), (1, 0), (1, 1), (0, 1)):
            cell = begin.copy()
            cell[:, right] -= back_right
            cell[:, up] -= back_up
            ring.append(number[tuple(cell.T)])
        faces = np.stack(ring, axis=1)
        outward = inside[tuple(begin.T)]
        quads.append(np.where(outward[:, None], faces[:, ::-1], faces))
    return vertices, np.concatenate(quads)[:, ::-1]


def _at(values: Any, corner: Sequence[int]) -> Any:
    """The values at one corner of every cell."""
    return values[tuple(slice(offset, size - 1 + offset) for offset, size in zip(corner, values.shape, strict=True))]


def weights(body: Figure, points: Floats) -> Floats:
    """How much each bone moves points (P, 3): (P, B), sums 1; by their distances to the bones' own parts."""
    distances = bone_distances(body, points)
    nearest = distances.min(axis=1, keepdims=True)
    share = np.exp(-(distances - nearest) / (WEIGHT_FALLOFF * body.height))
    share[share < np.sort(share, axis=1)[:, -4:-3]] = 0
    result: Floats = share / share.sum(axis=1, keepdims=True)
    return result
