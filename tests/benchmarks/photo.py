"""Photos matched to meshes: error and cut against known truth, on characters in other light before a background.

Run it with a bpy environment's Python, ``core`` on the path, the models fetched, and MESHKIN_TEST_DATA naming the
folder that holds ``characters/``.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

import bpy
import numpy as np
from numpy.typing import NDArray

from meshkin import workflow
from meshkin.base.png import write_png
from meshkin.base.progress import finish
from meshkin.data.photo_map import PhotoMap
from meshkin.data.snapshot import Snapshot
from meshkin.data.views import frame
from meshkin.scene import files
from meshkin.scene.mesh import snapshot as snapshots
from meshkin.scene.render import passes, surface_colors

DATA = Path(os.environ.get("MESHKIN_TEST_DATA", Path(__file__).parents[3] / "shared" / "data"))
NAMES = ("mesh2motion/human-sintel", "mesh2motion/fox-fox", "kaykit/Knight", "mesh2motion/kaiju-t-rex")
SIZE, WIDE = 384, (480, 640)


def photo(
    obj: bpy.types.Object, snapshot: Snapshot, azimuth: float, seed: int
) -> tuple[NDArray[np.uint8], NDArray[np.bool_], NDArray[np.float64]]:
    """A picture, where the object is in it, and the point of the surface that each pixel shows."""
    direction = np.array((np.sin(azimuth), -np.cos(azimuth), 0.25))
    views = frame(snapshot.vertices[np.unique(snapshot.faces)], direction[None] / np.linalg.norm(direction), SIZE)
    found = finish(passes.render(snapshot, views, "auto", surface_colors.read(obj, snapshot)))
    assert found.face is not None
    assert found.color is not None
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[: WIDE[0], : WIDE[1]]
    picture = np.stack((140 + 0.15 * rows, 150 + 0.04 * columns, 200 - 0.25 * rows), axis=-1)
    for _ in range(25):
        top, left = random.integers(0, WIDE)
        height, width = random.integers(20, 140, 2)
        picture[top : top + height, left : left + width] *= 0.6
        picture[top : top + height, left : left + width] += 100 * random.random(3)
    picture += 12 * random.normal(size=picture.shape)
    lamp = np.array((0.6, 0.5, 0.62), np.float32)
    shade = 0.35 + 0.65 * np.clip(found.normal[0].astype(np.float32) @ lamp, 0, 1)[..., None] * (1.1, 1, 0.8)
    top, left = random.integers(10, (WIDE[0] - SIZE - 10, WIDE[1] - SIZE - 10))
    inner, seen = (slice(top, top + SIZE), slice(left, left + SIZE)), found.face[0] >= 0
    picture[inner][seen] = (found.color[0] * shade)[seen]
    mask, points = np.zeros(WIDE, bool), np.zeros((*WIDE, 3))
    mask[inner] = seen
    weights = views.barycentric(0, snapshot.vertices[snapshot.faces], found.face[0])
    points[mask] = np.einsum("pk,pkd->pd", weights, snapshot.vertices[snapshot.faces[found.face[0][seen]]])
    return picture.clip(0, 255).astype(np.uint8), mask, points


def main() -> None:
    """Print a table: errors in diagonals of the bounding box."""
    print(f"{os.cpu_count()} cores, no GPU; DINOv2 (vit-s14-imgfocus) + EfficientNet-Lite0; photos of 640 x 480 pixels")
    print("character      view mask    median    mean  within 0.1  cut's IoU  confidence  seconds")
    for name in NAMES:
        bpy.ops.wm.read_factory_settings(use_empty=True)
        obj = files.load(DATA / "characters" / f"{name}.glb")
        snapshot = snapshots.take(obj)
        diagonal = np.linalg.norm(np.ptp(snapshot.vertices, axis=0))
        for number, azimuth in enumerate((0.5, 2.2)):
            with tempfile.TemporaryDirectory() as folder:
                picture, truth, points = photo(obj, snapshot, azimuth, number)
                path, mask = Path(folder) / "photo.png", Path(folder) / "mask.png"
                write_png(path, picture)
                write_png(mask, np.repeat(np.uint8(255) * truth[..., None], 3, axis=-1))
                finish(workflow.features([obj], workflow.Options().changed(features="pictures", style="textured")))
                for given in ("", str(mask)):
                    start = time.perf_counter()
                    report = finish(workflow.match_photo(path, obj, workflow.Options(), given))
                    seconds = time.perf_counter() - start
                    found = PhotoMap.load(Path(report.data["map"]))
                    both, answer = found.mask & truth, np.zeros((*WIDE, 3))
                    answer[found.mask] = found.pull(snapshot.vertices)
                    error = np.linalg.norm(answer - points, axis=-1)[both] / diagonal
                    union = (found.mask & truth).sum() / (found.mask | truth).sum()
                    print(
                        f"{Path(name).name:14} {number:4} {'given' if given else 'found'}  {np.median(error):8.3f}"
                        f"{error.mean():8.3f}{(error < 0.1).mean():12.2f}{union:11.2f}"
                        f"{report.data['confidence']:12.2f}{seconds:9.1f}",
                        flush=True,
                    )
    sys.stdout.flush()
    os._exit(0)  # some Blender modules hang at Python's own exit


if __name__ == "__main__":
    main()
