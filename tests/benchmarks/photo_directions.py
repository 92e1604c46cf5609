"""Photos from eight directions: from which side the matcher takes them to be, and how far off its points are.

Run it with a bpy environment's Python, ``core`` on the path, the models fetched, and MESHKIN_TEST_DATA naming the
folder that holds ``characters/``. Without arguments six characters are matched; ``--all`` matches eighteen; names of
characters match those. ``--head FOLDER`` reads DINOv2 through a head of ``meshkin features learn-head``. ``--posed``
photographs the characters in a random pose (all bones turned, deviation 18 degrees; the mesh stays as it is),
``--roll`` turns the camera about its own axis.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import zlib
from pathlib import Path

import bpy
import numpy as np

from meshkin import workflow
from meshkin.base.png import write_png
from meshkin.base.progress import finish
from meshkin.data.photo_map import PhotoMap
from meshkin.data.snapshot import Snapshot
from meshkin.scene import files
from meshkin.scene.mesh import snapshot as snapshots
from meshkin.scene.rig import random_poses
from photo_shots import DIRECTIONS, Shot, shots

DATA = Path(os.environ.get("MESHKIN_TEST_DATA", Path(__file__).parents[3] / "shared" / "data"))
FEW = ("Fox-v6", "Horse-v7", "Cow-v3", "human-male", "women_Casual", "Knight")
ALL = (
    "Alpaca-v1", "Bull-v2", "Cow-v3", "Deer-v4", "Donkey-v5", "Fox-v6", "Horse-v7", "Horse_White-v8", "Husky-v9",
    "ShibaInu-v10", "Stag-v11", "Wolf-v12",
    "human-male", "human-female", "human-sintel", "Knight", "women_Casual", "men_Suit",
)  # fmt: skip
RIGHT = 45
"""Degrees about the vertical axis within which a direction is right: the directions are so far apart."""
OFF_PLANE = 0.02
"""Diagonals from the mirror plane within which a point has no side. Chosen."""


def judge(found: PhotoMap, shot: Shot, shape: Snapshot) -> tuple[float, float, float, float]:
    """Degrees that the direction is off, share of the pixels on the right side, median error in diagonals.

    And the median error of the vertices nearest to the answers.
    """
    direction = -found.view_direction
    azimuth, truth = (np.arctan2(each[0], -each[1]) for each in (direction, shot.direction))
    off = np.degrees(abs((azimuth - truth + np.pi) % (2 * np.pi) - np.pi))
    vertices = shape.vertices.astype(np.float64)
    both = shot.mask & found.mask
    answers = np.zeros((*found.mask.shape, 3))
    answers[found.mask] = found.pull(vertices)
    points, answers = shot.points[both], answers[both]
    diagonal = np.linalg.norm(np.ptp(vertices, axis=0))
    middle = (vertices[:, 0].min() + vertices[:, 0].max()) / 2
    sides = points[:, 0] - middle
    has_side = np.abs(sides) > OFF_PLANE * diagonal
    is_right = np.sign(answers[:, 0] - middle) == np.sign(sides)
    error = np.linalg.norm(answers - points, axis=1) / diagonal
    corner = found.barycentric[both].argmax(axis=1)[:, None]
    nearest = np.take_along_axis(found.faces[found.face[both]], corner, axis=1)[:, 0]
    of_vertex = np.linalg.norm(vertices[nearest] - points, axis=1) / diagonal
    return float(off), float(is_right[has_side].mean()), float(np.median(error)), float(np.median(of_vertex))


def main() -> None:
    """Print a table: a row for each character, the mean below."""
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="*")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--head", default="")
    parser.add_argument("--posed", action="store_true")
    parser.add_argument("--roll", type=float, default=0, help="degrees, at most")
    arguments = parser.parse_args()
    options = workflow.Options().changed(**({"settings": {"head": arguments.head}} if arguments.head else {}))
    print(f"{DIRECTIONS} photos of each character, with their masks; direction right within {RIGHT} degrees")
    print("character        direction   side  mirrored  median error  worst  its vertex")
    rows = []
    for name in arguments.names or (ALL if arguments.all else FEW):
        bpy.ops.wm.read_factory_settings(use_empty=True)
        obj = files.load(next((DATA / "characters").glob(f"*/{name}.glb")))
        shape, seed = snapshots.take(obj), zlib.crc32(name.encode())
        posed = random_poses.take(obj, 1, seed)[-1] if arguments.posed else None
        results = []
        for shot in shots(obj, shape, seed, posed, arguments.roll):
            with tempfile.TemporaryDirectory() as folder:
                photo, mask = Path(folder) / "photo.png", Path(folder) / "mask.png"
                write_png(photo, shot.pixels)
                write_png(mask, np.repeat(np.uint8(255) * shot.mask[..., None], 3, axis=-1))
                report = finish(workflow.match_photo(photo, obj, options, str(mask)))
                found = PhotoMap.load(Path(report.data["map"]))
            results.append((*judge(found, shot, shape), found.poses[0, 3], found.poses[0, 4] - found.poses[1, 4]))
        values = np.array(results)
        shares = [each.mean() for each in (values[:, 0] < RIGHT, values[:, 1] > 0.5, values[:, 4] > 0)]
        rows.append([*shares, np.median(values[:, 2]), values[:, 2].max(), np.median(values[:, 3])])
        print(f"{name:16}" + "".join(f"{value:10.3f}" for value in rows[-1]), flush=True)
        for number, (off, side, error, _, _, margin) in enumerate(results):
            if off >= RIGHT or side <= 0.5:
                told = f"{off:.0f} degrees off, {side:.2f} on the right side, {error:.3f}, ahead by {margin:.3f}"
                print(f"    photo {number}: {told}")
    print(f"{'mean':16}" + "".join(f"{value:10.3f}" for value in np.mean(rows, axis=0)))
    sys.stdout.flush()
    os._exit(0)  # some Blender modules hang at Python's own exit


if __name__ == "__main__":
    main()
