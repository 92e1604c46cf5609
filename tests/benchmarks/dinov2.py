"""How fast the DINOv2 extractor is beside a plain batch loop over the same network.

24 views of 448 px through a ViT-S/14 with random weights (speed does not depend on them). The extractor starts from
passes as they were rendered; the loop from pictures already made, standardized and in memory. They take turns batch by
batch, so that what else the machine does hits all alike, and the medians of the rounds count.

    python tests/benchmarks/dinov2.py
"""

from __future__ import annotations

import os
import platform
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from transformers import Dinov2Config, Dinov2Model
from transformers.utils import logging

from meshkin.base.progress import silent
from meshkin.features import pictures
from meshkin.features.extractor import PictureLook
from meshkin.features.network_reader import NetworkReader
from meshkin.features.view_data import ViewImages
from meshkin.features.vision_transformer import VisionTransformer

VIEWS, RESOLUTION, ROUNDS = 24, 448, 3
TARGET = 0.70


def passes() -> ViewImages:
    """A sphere from every side, with waves on it."""
    row, column = (np.mgrid[:RESOLUTION, :RESOLUTION] + 0.5) / RESOLUTION * 2.2 - 1.1
    inside = row**2 + column**2 < 1
    normals = np.zeros((VIEWS, RESOLUTION, RESOLUTION, 3), np.float32)
    for view in range(VIEWS):
        up = np.sin(12 * row + view) * 0.3 - row
        front = np.sqrt(np.clip(1 - row**2 - column**2, 0.01, None))
        normals[view] = np.stack((column, up, front), axis=-1) * inside[..., None]
    normals /= np.maximum(np.linalg.norm(normals, axis=-1, keepdims=True), 1e-6)
    depth = np.where(inside, 3.0, np.inf).astype(np.float32)
    return ViewImages(normals.astype(np.float16), np.broadcast_to(depth, (VIEWS, RESOLUTION, RESOLUTION)).copy())


def race(contenders: dict[str, Iterator[int]]) -> dict[str, float]:
    """Seconds that each contender takes for all views; whoever has done the fewest does its next batch.

    A contender yields how many views it has done in each step.
    """
    done, spent = dict.fromkeys(contenders, 0), dict.fromkeys(contenders, 0.0)
    while min(done.values()) < VIEWS:
        name = min(done, key=lambda one: done[one])
        started = time.perf_counter()
        done[name] += next(contenders[name])
        spent[name] += time.perf_counter() - started
    return spent


def main() -> None:
    """Measure and print the table."""
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    images = passes()
    look = PictureLook("normal", 1.0, RESOLUTION)
    with tempfile.TemporaryDirectory() as name:
        network = Dinov2Model(Dinov2Config(hidden_size=384, num_attention_heads=6, image_size=518)).eval()
        network.save_pretrained(name)
        last = NetworkReader(VisionTransformer(Path(name), [12], RESOLUTION, "cpu"), look, "Reading")
        ninth = NetworkReader(VisionTransformer(Path(name), [9], RESOLUTION, "cpu"), look, "Reading")
    made = pictures.standardize(pictures.make(images, slice(0, VIEWS), look))

    def loop(size: int) -> Iterator[int]:
        for start in range(0, VIEWS, size):
            with torch.inference_mode():
                network(made[start : start + size])
            yield size

    def extract(extractor: NetworkReader) -> Iterator[int]:
        return (len(grids.views) for grids in extractor.extract(images, silent))

    def contenders() -> dict[str, Iterator[int]]:
        return {
            "plain loop, batches of 2": loop(2),
            "extractor, last hidden state": extract(last),
            "plain loop, batches of 8": loop(8),
            "extractor, hidden state 9": extract(ninth),
        }

    for one in contenders().values():
        next(one)
    rounds = [race(contenders()) for _ in range(ROUNDS)]
    medians = {name: statistics.median(spent[name] for spent in rounds) for name in rounds[0]}
    best = min(value for name, value in medians.items() if name.startswith("plain"))
    print(f"{VIEWS} views of {RESOLUTION} px, ViT-S/14, float32, median of {ROUNDS} rounds")
    print(f"{os.cpu_count()} cores ({platform.machine()}), no GPU, {torch.get_num_threads()} threads, ", end="")
    print(f"torch {torch.__version__}; load average {os.getloadavg()[0]:.1f}\n")
    print(f"{'':32}{'seconds':>9}{'a view':>9}{'speed beside the faster loop':>31}")
    for name, value in medians.items():
        print(f"{name:32}{value:9.2f}{value / VIEWS:9.3f}{best / value:31.2f}")
    ratio = best / medians["extractor, last hidden state"]
    print(f"\nSame depth as the loop: {ratio:.0%}; target {TARGET:.0%}: {'met' if ratio >= TARGET else 'MISSED'}")


if __name__ == "__main__":
    main()
