"""Meshes to render pairs of: bodies with random heads, limbs and bumps, each a file body_nn.obj.

    python tests/benchmarks/picture_learning_meshes.py FOLDER [COUNT] [smooth]

Runs in a Python that has NumPy alone. Every body is a sphere that is pushed outward around some random directions;
smooth ones around up to three, less far and more widely: they are ellipsoids, eggs, pears and beans.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

RINGS, SEGMENTS = 48, 96
"""Of each sphere."""


BUMPS, HEIGHTS, SHARPNESS = (2, 7), (0.2, 1.1), (3, 20)
"""Of each body: how many, how high in radii, and how narrow."""
SMOOTH_BUMPS, SMOOTH_HEIGHTS, SMOOTH_SHARPNESS = (0, 4), (0.1, 0.6), (1.5, 5)


def main(folder: Path, count: int, smooth: bool) -> None:
    """Write the meshes."""
    folder.mkdir(parents=True, exist_ok=True)
    height = np.pi * (np.arange(1, RINGS) / RINGS)[:, None]
    turn = 2 * np.pi * (np.arange(SEGMENTS) / SEGMENTS)[None]
    ring = np.stack(
        np.broadcast_arrays(np.sin(height) * np.cos(turn), np.sin(height) * np.sin(turn), np.cos(height)), -1
    )
    sphere = np.concatenate((ring.reshape(-1, 3), [(0, 0, 1), (0, 0, -1)]))
    first, following = np.arange(SEGMENTS), (np.arange(SEGMENTS) + 1) % SEGMENTS
    faces = []
    for row in range(RINGS - 2):
        a, b = row * SEGMENTS, (row + 1) * SEGMENTS
        faces += np.stack((a + first, b + first, b + following, a + following), 1).tolist()
    top, bottom, last = len(sphere) - 2, len(sphere) - 1, (RINGS - 2) * SEGMENTS
    faces += [[top, one, two] for one, two in zip(first.tolist(), following.tolist(), strict=True)]
    faces += [[bottom, last + two, last + one] for one, two in zip(first.tolist(), following.tolist(), strict=True)]
    bumps, heights, sharpness = (
        (SMOOTH_BUMPS, SMOOTH_HEIGHTS, SMOOTH_SHARPNESS) if smooth else (BUMPS, HEIGHTS, SHARPNESS)
    )
    for number in range(count):
        random = np.random.default_rng(number)
        radius = np.ones(len(sphere))
        for _ in range(int(random.integers(*bumps))):
            toward = random.normal(size=3)
            cosine = sphere @ (toward / np.linalg.norm(toward))
            radius += random.uniform(*heights) * np.exp((cosine - 1) * random.uniform(*sharpness))
        points = sphere * radius[:, None] * random.uniform(0.5, 1.3, 3)
        lines = [f"v {x:.5f} {y:.5f} {z:.5f}" for x, y, z in points]
        lines += ["s 1", *("f " + " ".join(str(corner + 1) for corner in face) for face in faces)]
        (folder / f"body_{number:02d}.obj").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 15, "smooth" in sys.argv[3:])
