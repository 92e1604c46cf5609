"""Photographs matched by the nearest feature alone: DINOv2 as it is, and through a head learned from other meshes.

    python tests/benchmarks/photo_heads_shots.py FOLDER
    python tests/benchmarks/photo_heads.py FOLDER [--steps N …]

Runs in the worker's environment, in one thread; prints a part of results/photo_directions.txt. Each vertex has the mean
of the features with which the cameras see it, each place of a photograph takes the vertex with the nearest feature.
Errors are median distances from the truth in diagonals of the bounding box, of each photograph.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy.spatial import cKDTree

from meshkin.base.progress import silent
from meshkin.data.recipe import FeatureChoice
from meshkin.data.snapshot import Snapshot
from meshkin.data.views import Passes, frame, ring_directions
from meshkin.features import head_pictures, head_training, photo, recipe
from meshkin.features.aggregation import AggregationHead
from meshkin.features.building import build
from meshkin.features.extractor import PictureReader
from meshkin.features.view_data import ViewImages
from meshkin.geometry.mesh import bounding_diagonal
from photo_heads_shots import HELD_OUT, LEARNED, RINGS, SIZE

ASKED = 1500
"""Places of a photograph that are asked."""

Known = head_training.KnownPicture


def pictures_of(home: Path, reader: PictureReader, photographed: float) -> list[Known]:
    """What the model sees of a mesh, in all poses and views, some of them as if ``photographed``."""
    shape, known, random = Snapshot.load(home / "rest.npz"), list[Known](), np.random.default_rng(0)
    for number in range(len(list(home.glob("pose*.npz")))):
        pose = Snapshot.load(home / f"pose{number}.npz")
        views = frame(pose.vertices[np.unique(pose.faces)], ring_directions(RINGS), SIZE)
        posed = head_pictures.PosedViews(pose, views, Passes.load(home / f"passes{number}"))
        known += head_pictures.known_pictures(shape, posed, reader, random, photographed)
    return known


def photos_of(home: Path, reader: PictureReader) -> list[Known]:
    """What the model sees in photographs of a mesh, framed as matches frame them."""
    diagonal, known = bounding_diagonal(Snapshot.load(home / "rest.npz").vertices), []
    for file in sorted(home.glob("photo*.npz")):
        with np.load(file) as shot:
            pixels, mask, points = shot["pixels"], shot["mask"], shot["points"]
        top, left, side = photo.window(mask)
        room = [
            (max(-start, 0), max(start + side - length, 0))
            for start, length in zip((top, left), mask.shape, strict=True)
        ]
        begin = (top + room[0][0], left + room[1][0])
        cut = np.pad(np.where(mask[..., None], pixels, 0), (*room, (0, 0)))[begin[0] :, begin[1] :][:side, :side]
        shown = np.pad(mask, room)[begin[0] :, begin[1] :][:side, :side]
        large = [
            Image.fromarray(each).resize((SIZE, SIZE), Image.Resampling.BILINEAR)
            for each in (cut, 255 * np.uint8(shown))
        ]
        images = ViewImages(
            np.zeros((1, SIZE, SIZE, 3), np.float16),
            np.where(np.asarray(large[1]) >= photo.OPAQUE, np.float32(1), np.float32(np.inf))[None],
            np.asarray(large[0])[None],
        )
        (grids,) = reader.extract(images, silent)
        rows, columns = np.nonzero(mask)
        chosen = np.linspace(0, len(rows) - 1, ASKED).astype(int)
        places = np.column_stack((columns[chosen] + 0.5 - left, rows[chosen] + 0.5 - top)) / side
        maps = tuple(layer[0].float().cpu().clone() for layer in grids.maps)
        known.append(Known(maps, places.astype(np.float32), (points[mask][chosen] / diagonal).astype(np.float32)))
    return known


def features(picture: Known, head: AggregationHead | None) -> torch.Tensor:
    """Unit features at the places of a picture, (P, C)."""
    whole = (
        head([layer[None] for layer in picture.maps]) if head else torch.cat([each[None] for each in picture.maps], 1)
    )
    return head_training.sample(whole, torch.from_numpy(picture.places))


@torch.inference_mode()
def errors(
    vertices: NDArray[np.float64], views: list[Known], photos: list[Known], head: AggregationHead | None
) -> list[float]:
    """The median error of each photograph; vertices (V, 3) in diagonals."""
    nearest = np.concatenate([cKDTree(vertices).query(view.points)[1] for view in views])
    rows = torch.cat([features(view, head) for view in views])
    sums = torch.zeros(len(vertices), rows.shape[1]).index_add_(0, torch.from_numpy(nearest), rows)
    seen = np.unique(nearest)
    lifted = torch.nn.functional.normalize(sums[seen], dim=1)
    found = [vertices[seen[(features(each, head) @ lifted.T).argmax(1).numpy()]] for each in photos]
    return [
        float(np.median(np.linalg.norm(one - each.points, axis=1))) for one, each in zip(found, photos, strict=True)
    ]


def _row(
    name: str,
    judged: list[tuple[NDArray[np.float64], list[Known], list[Known]]],
    head: AggregationHead | None,
    raw: float,
) -> float:
    """Print how good a way is; returns the mean error. ``raw`` is that of the raw features, 0 if not known."""
    means = [float(np.mean(errors(*each, head))) for each in judged]
    mean = float(np.mean(means))
    share = f"{mean / raw:9.2f}" if raw else ""
    print(f"{name:24}" + "".join(f"{value:14.4f}" for value in means) + f"{mean:10.4f}{share}", flush=True)
    return mean


def main() -> None:
    """Print a table: a row for each way, the mean of each character's photographs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--steps", type=int, nargs="+", default=[1500])
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    (part,) = recipe.resolve(FeatureChoice("dinov2", style="textured")).parts
    reader = build(part, "cpu")
    judged = []
    for name in HELD_OUT:
        home = arguments.folder / name
        vertices = Snapshot.load(home / "rest.npz").vertices.astype(np.float64)
        views = pictures_of(home, reader, 0)
        judged.append((vertices / bounding_diagonal(vertices), views, photos_of(home, reader)))
    print(f"{'':24}" + "".join(f"{name:>14}" for name in HELD_OUT) + f"{'mean':>10}{'of raw':>9}", flush=True)
    raw = _row("raw", judged, None, 0)
    surfaces = [pictures_of(arguments.folder / name, reader, head_pictures.PHOTOGRAPHED) for name in LEARNED]
    for steps in arguments.steps:
        before = time.process_time()
        head, losses = head_training.learn(surfaces, silent, replace(head_training.HeadSettings(), steps=steps))
        _row(f"head, {steps} steps", judged, head, raw)
        told = " ".join(f"{loss:.2f}" for loss in losses)
        print(f"    [{time.process_time() - before:.0f} s of one core, loss {told}]", flush=True)


if __name__ == "__main__":
    main()
