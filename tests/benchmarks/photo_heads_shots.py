"""Meshes rendered for photo_heads.py: those that a head is learned from, and others with photographs of them.

    python tests/benchmarks/photo_heads_shots.py FOLDER

Runs in a bpy environment's Python, with MESHKIN_TEST_DATA naming the folder that holds ``characters/``.
"""

from __future__ import annotations

import os
import sys
import zlib
from pathlib import Path

import bpy
import numpy as np

from meshkin.base.progress import finish
from meshkin.data.snapshot import Snapshot
from meshkin.data.views import Passes, Views, frame, ring_directions
from meshkin.scene import files
from meshkin.scene.mesh import rest, surfaces
from meshkin.scene.render import passes, surface_colors
from meshkin.scene.rig import random_poses
from photo_shots import shots

DATA = Path(os.environ.get("MESHKIN_TEST_DATA", Path(__file__).parents[3] / "shared" / "data"))
LEARNED = ("Alpaca-v1", "Deer-v4", "Stag-v11", "Husky-v9", "Donkey-v5", "human-female")
HELD_OUT = ("Fox-v6", "Cow-v3", "women_Casual", "Horse-v7")
RINGS = ((0.0, 4), (20.0, 5))
"""Cameras around each pose, as for *features learn-head* but fewer."""
PHOTOS = (0, 3, 5, 6)
"""Of the eight photographs, those that are kept."""
SIZE = 448


def main(folder: Path) -> None:
    """Write a folder for each mesh."""
    for name in (*LEARNED, *HELD_OUT):
        bpy.ops.wm.read_factory_settings(use_empty=True)
        obj = files.load(next((DATA / "characters").glob(f"*/{name}.glb")))
        count = 1 if name in LEARNED else 0
        poses = random_poses.take(obj, count, zlib.crc32(name.encode()))
        shape = rest.take_at_rest(obj, surfaces.take_checked(obj)) if count else poses[0]
        home = folder / name
        home.mkdir(parents=True, exist_ok=True)
        shape.save(home / "rest.npz")
        colors = surface_colors.read(obj, poses[0])
        for number, pose in enumerate(poses):
            own = colors if number == 0 or not colors.rendered else None
            seen: Passes = finish(passes.render(pose, views_of(pose), "auto", own))
            pose.save(home / f"pose{number}.npz")
            seen.save(home / f"passes{number}")
        if name in HELD_OUT:
            every = shots(obj, shape, zlib.crc32(name.encode()))
            for number in PHOTOS:
                shot = every[number]
                np.savez(home / f"photo{number}.npz", pixels=shot.pixels, mask=shot.mask, points=shot.points)
        print(name, len(poses), flush=True)
    sys.stdout.flush()
    os._exit(0)  # some Blender modules hang at Python's own exit


def views_of(pose: Snapshot) -> Views:
    """The cameras around a pose."""
    return frame(pose.vertices[np.unique(pose.faces)], ring_directions(RINGS), SIZE)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
