"""Photographs of characters with known truth: painted, lit and placed before backgrounds by seeded chance.

The paint is a pattern in space (stripes, spots or patches in three random colors) in place of the characters' own
materials, under a colored lamp at a random place: no picture that a matcher makes of a character looks like that.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import bpy
import numpy as np
from numpy.typing import NDArray

from meshkin.base.progress import finish
from meshkin.data.snapshot import Snapshot
from meshkin.data.views import BORDER, Views, frame
from meshkin.scene.render import passes

SIZE, WIDE = 384, (480, 640)
"""Pixels of the frame around the object, and of the photograph (height, width). Chosen."""
DIRECTIONS = 8
"""Directions around the object, evenly spread. As many as a compass names."""
ELEVATIONS = (-5, 25)
"""Degrees above the horizon between which a camera stands. Chosen: as people photograph animals."""


@dataclass(frozen=True)
class Shot:
    """A photograph and what it shows.

    Attributes:
        pixels: uint8 (H, W, 3).
        mask: bool (H, W), where the object is.
        points: float64 (H, W, 3), the point of the surface that each pixel of the object shows, snapshot frame.
        direction: (3,), from the object toward the camera.
    """

    pixels: NDArray[np.uint8]
    mask: NDArray[np.bool_]
    points: NDArray[np.float64]
    direction: NDArray[np.float64]


def shots(
    obj: bpy.types.Object, shape: Snapshot, seed: int, posed: Snapshot | None = None, roll: float = 0
) -> list[Shot]:
    """Photographs of an object from all directions, each in another paint and light.

    Args:
        obj: the object.
        shape: of it, whose points are noted.
        seed: of all chance.
        posed: what is photographed, if not ``shape``: its triangles in another pose.
        roll: the most that a camera is turned about its own axis, degrees.
    """
    shown = shape if posed is None else posed
    random = np.random.default_rng(seed)
    azimuths = np.arange(DIRECTIONS) * 2 * np.pi / DIRECTIONS + random.uniform(-0.3, 0.3, DIRECTIONS)
    elevations = np.radians(random.uniform(*ELEVATIONS, DIRECTIONS))
    flat = np.cos(elevations)
    directions = np.stack((np.sin(azimuths) * flat, -np.cos(azimuths) * flat, np.sin(elevations)), axis=1)
    points = shown.vertices[np.unique(shown.faces)]
    views = frame(points, directions, SIZE)
    if roll:
        views = _rolled(views, points, np.radians(random.uniform(-roll, roll, DIRECTIONS)))
    seen = finish(passes.render(shown, views, "auto"))
    assert seen.face is not None
    return [
        _shot((shape, shown), views, number, seen.face[number], seen.normal[number], random)
        for number in range(DIRECTIONS)
    ]


def _rolled(views: Views, points: NDArray[np.float32], angles: NDArray[np.float64]) -> Views:
    """Cameras turned about their own axes, and framed again."""
    cosine, sine, zero = np.cos(angles), np.sin(angles), np.zeros(len(angles))
    turn = np.array(((cosine, -sine, zero), (sine, cosine, zero), (zero, zero, zero + 1))).transpose(2, 0, 1)
    turned = replace(views, rotation=turn @ views.rotation, zoom=zero + 1, shift=np.zeros((len(angles), 2)))
    places = [turned.project(number, points)[0] / SIZE - 0.5 for number in range(len(angles))]
    low, high = (np.array([part(each, axis=0) for each in places]) for part in (np.min, np.max))
    zoom = (1 - 2 * BORDER) / (high - low).max(axis=1)
    return replace(turned, zoom=zoom, shift=(low + high) / 2 * (1, -1) * zoom[:, None])


def _shot(
    shapes: tuple[Snapshot, Snapshot],
    views: Views,
    number: int,
    face: NDArray[np.int32],
    normal: NDArray[np.float16],
    random: np.random.Generator,
) -> Shot:
    """A photograph of the second shape, the points noted on the first one."""
    (shape, shown), seen = shapes, face >= 0
    weights = views.barycentric(number, shown.vertices[shown.faces], face)
    places = np.einsum("pk,pkd->pd", weights, shape.vertices[shape.faces[face[seen]]].astype(np.float64))
    size = np.ptp(shape.vertices, axis=0).max()
    normals = normal[seen].astype(np.float64)
    lamp = random.normal(size=3) + np.array((0, 0.7, 0.7))
    lamp /= np.linalg.norm(lamp)
    diffuse = np.clip(normals @ lamp, 0, 1)[:, None] * (1 + 0.25 * random.uniform(-1, 1, 3))
    half = lamp + np.array((0, 0, 1))
    shine = random.uniform(0, 0.35) * np.clip(normals @ (half / np.linalg.norm(half)), 0, 1)[:, None] ** 25
    light = random.uniform(0.25, 0.5) + random.uniform(0.5, 0.8) * diffuse
    colors = _paint(places / size, random) * light + shine + 0.015 * random.normal(size=(len(places), 3))
    picture = _background(random)
    top, left = (int(random.integers(5, room - SIZE - 5)) for room in WIDE)
    inner = (slice(top, top + SIZE), slice(left, left + SIZE))
    picture[inner][seen] = 255 * colors
    mask, points = np.zeros(WIDE, bool), np.zeros((*WIDE, 3))
    mask[inner], points[inner][seen] = seen, places
    return Shot(picture.clip(0, 255).astype(np.uint8), mask, points, views.rotation[number, 2])


def _paint(places: NDArray[np.float64], random: np.random.Generator) -> NDArray[np.float64]:
    """Colors (P, 3) in [0, 1] at places (P, 3), in sizes of the object."""
    colors = 0.15 + 0.75 * random.random((3, 3))
    kind = random.integers(3)
    if kind == 0:  # stripes across a bent axis
        axis, bend = random.normal(size=3), random.normal(size=3)
        wave = np.sin(random.uniform(25, 50) * (places @ axis / np.linalg.norm(axis)) + 3 * np.sin(9 * places @ bend))
        share = np.clip(2 * wave + 0.5, 0, 1)
    else:  # spots of one color, or patches of all
        seeds = random.uniform(-1.2, 1.2, (random.integers(400, 1200) if kind == 1 else 150, 3))
        distance, nearest = _nearest(places, seeds)
        if kind == 2:
            return np.asarray(colors[nearest % 3])
        share = (distance < np.quantile(distance, 0.4)).astype(float)
    belly = np.clip(0.5 - 2 * (places[:, 2] - places[:, 2].mean()), 0, 1) * random.random()
    mixed = colors[0] + share[:, None] * (colors[1] - colors[0])
    return np.asarray(mixed + belly[:, None] * (colors[2] - mixed))


def _background(random: np.random.Generator) -> NDArray[np.float64]:
    """Soft clouds of color above a ground, with some boxes, (H, W, 3) in [0, 255]."""
    clouds = _stretched(_stretched(random.uniform(60, 230, (4, 5, 3)), WIDE[0]).transpose(1, 0, 2), WIDE[1])
    clouds = clouds.transpose(1, 0, 2).copy()
    horizon = int(WIDE[0] * random.uniform(0.4, 0.8))
    clouds[horizon:] = 0.3 * clouds[horizon:] + 0.7 * random.uniform(40, 200, 3)
    for _ in range(random.integers(0, 14)):
        top, left = random.integers(0, WIDE)
        height, width = random.integers(20, 140, 2)
        clouds[top : top + height, left : left + width] = random.uniform(20, 235, 3)
    for axis in (0, 1, 0, 1):  # out of focus
        clouds = np.mean([np.roll(clouds, step, axis) for step in range(-2, 3)], axis=0)
    return np.asarray(clouds + 8 * random.normal(size=clouds.shape))


def _stretched(values: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Values (N, M, C) interpolated to ``count`` rows."""
    at = np.linspace(0, len(values) - 1, count)
    low = np.minimum(at.astype(int), len(values) - 2)
    share = (at - low)[:, None, None]
    return np.asarray(values[low] * (1 - share) + values[low + 1] * share)


def _nearest(places: NDArray[np.float64], seeds: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Distance to the nearest of the seeds (K, 3), and which it is, for each place (P, 3)."""
    squares = (seeds**2).sum(axis=1)
    blocks = [squares - 2 * block @ seeds.T for block in np.array_split(places, len(places) // 4096 + 1)]
    nearest = np.concatenate([block.argmin(axis=1) for block in blocks])
    return np.linalg.norm(places - seeds[nearest], axis=1), nearest
