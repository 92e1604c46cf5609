"""How fast the features "auto" of a shape are beside the path before patches of the background were left out, and how
good the maps are that come of either.

    python tests/benchmarks/features_speed.py --data FOLDER [--work FOLDER] [--threads 1]

Runs in the worker's environment, with ``anny`` added. Every shape is described by both paths in turn, step by step:
rays cast, models loaded, both networks with the lifting, and the signatures of the shape alone, which are the same.
Measured is processor time, since a shared machine's clock tells little; with one thread, because threads that wait for
each other count as busy. Then pairs of these shapes whose true map is known are matched. Errors are mean geodesic
distances x 100 / sqrt(area) at 300 vertices of the target, as in ``correspondence.py``.

The path before: every ray of a picture is cast; DINOv2 runs as ``transformers`` has it, in float32, on all patches of
four pictures at a time; EfficientNet-Lite sees four whole pictures at a time and clips into new memory. What is known
of a shape is kept in WORK, so that a run that is broken off goes on where it was.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

import measures
from correspondence_sets import Pair, tosca
from correspondence_sets import people as people_of
from meshkin.base.progress import silent
from meshkin.cache import store
from meshkin.data.features import FeatureOrigin, Features
from meshkin.data.recipe import FeatureChoice, Part, Recipe
from meshkin.data.snapshot import Snapshot
from meshkin.data.views import Views, of_recipe
from meshkin.features import building, pictures, ray_casting, registry, vision_transformer
from meshkin.features.compute import compute
from meshkin.features.extractor import PictureLook, PictureReader
from meshkin.features.extractors.efficientnet.network import STATISTICS, EfficientNet
from meshkin.features.extractors.efficientnet.stages import STRIDES
from meshkin.features.lifting import lift_weighted
from meshkin.features.network_reader import NetworkReader
from meshkin.features.recipe import resolve
from meshkin.features.transformers_network import TransformersNetwork
from meshkin.features.view_data import SeenViews, ViewImages
from meshkin.features.vision_transformer import VisionTransformer
from meshkin.matching.pipeline import match, match_features
from meshkin.matching.surfaces import described_pair
from meshkin.models import devices

Array = NDArray[Any]
ASKED = 300
"""Vertices of each target whose error is measured, evenly picked."""
TOSCA_PAIRS = (
    ("cat0", "cat1"), ("cat1", "cat7"), ("dog0", "dog1"), ("michael1", "michael4"), ("victoria21", "victoria25"),
)  # fmt: skip
PEOPLE_PAIRS = 5
"""The first of the people's pairs."""
STEPS = ("cast", "load", "dinov2", "efficientnet", "geometric")
PATHS = ("before", "today")
MEASURED = ("nearest", "match", "within 5")


class WholePictures(EfficientNet):
    """EfficientNet-Lite as it was: all of a batch's pictures at once, whole."""

    @torch.inference_mode()
    def maps(self, shown: torch.Tensor, seen: torch.Tensor | None = None) -> list[torch.Tensor]:
        """The maps of whole pictures."""
        values = pictures.standardize(shown, STATISTICS)
        shift = round(sum((STRIDES[stage] - 1) / 2 for stage in self._stages) / len(self._stages))
        height, width = values.shape[-2:]
        values = functional.pad(values, (shift, 0, shift, 0), mode="replicate")[..., :height, :width]
        maps = self._network(values.contiguous(memory_format=torch.channels_last))
        return [maps[stage] for stage in self._stages]


def reader_before(part: Part) -> PictureReader:
    """The reader of a part as it was."""
    settings, (model,) = registry.find(part.extractor).settings_of(part), part.models.values()
    folder, look = Path(model.folder), PictureLook(settings.style, settings.background, settings.resolution)
    if part.extractor == "efficientnet":
        convolutions = WholePictures(folder, settings.stages, look.resolution, "cpu")
        for module in convolutions._network.modules():
            if isinstance(module, nn.ReLU6):
                module.inplace = False
        return NetworkReader(convolutions, look, "Reading")
    network = VisionTransformer(folder, settings.layers, look.resolution, "cpu")
    network._network = TransformersNetwork(folder, settings.layers[-1], torch.device("cpu"), torch.float32)
    return NetworkReader(network, look, "Reading")


def all_pixels(views: Views, view: int, vertices: Array, faces: Array) -> Array:
    """Every pixel: what rays were cast through."""
    return np.ones((views.resolution, views.resolution), bool)


def describe(shape: Snapshot, recipe: Recipe, path: str) -> tuple[Features, dict[str, float]]:
    """Features of a shape by one path, and the processor time of each step."""
    seconds: dict[str, float] = {}
    building._built.cache_clear()
    vision_transformer.load.cache_clear()
    views, placement = of_recipe(shape, recipe), recipe.views
    assert placement is not None

    @contextlib.contextmanager
    def timed(step: str) -> Iterator[None]:
        started = time.process_time()
        yield
        seconds[step] = seconds.get(step, 0) + time.process_time() - started

    before = path == "before"
    pixels = mock.patch.object(ray_casting, "_possible_pixels", all_pixels) if before else contextlib.nullcontext()
    with timed("cast"), pixels:
        passes = ray_casting.cast_passes(shape, views)
    columns, lifted, channels = [], [], []
    for part in recipe.parts:
        if part.models:
            with timed("load"):
                reader = reader_before(part) if before else building.build(part, "cpu")
            with timed(part.extractor):
                grids = reader.extract(ViewImages(passes.normal, passes.depth, None, views), silent)
                around = shape, placement, views, passes.depth
                lifted.append(lift_weighted(SeenViews(*around, grids, reader.channels, reader.map_weights), silent))
            columns.append(lifted[-1].features * np.float32(part.weight))
            channels.append(reader.channels)
        else:
            with timed(part.extractor):
                plain = compute(shape, replace(recipe, parts=(part,)), None)
            columns.append(plain.features.astype(np.float32))
            channels += plain.origin.channels
    confidence = np.mean([one.confidence for one in lifted], axis=0).astype(np.float32)
    origin = FeatureOrigin(shape.name, shape.key, recipe, tuple(channels))
    return Features(np.concatenate(columns, axis=1).astype(np.float16), lifted[-1].seen, confidence, origin), seconds


def described(shapes: dict[str, Snapshot], recipe: Recipe, work: Path) -> dict[str, dict[str, dict[str, float]]]:
    """The processor time of each step by path and shape; features are written to ``work``."""
    times: dict[str, dict[str, dict[str, float]]] = {path: {} for path in PATHS}
    for name, shape in shapes.items():
        for path in PATHS:
            kept = work / f"{name}.{path}.json"
            if not kept.exists():
                features, seconds = describe(shape, recipe, path)
                store.write(kept.with_suffix(".safetensors"), features)
                kept.write_text(json.dumps(seconds))
                print(name, path, seconds, file=sys.stderr, flush=True)
            times[path][name] = json.loads(kept.read_text())
    return times


def errors(pair: Pair, shapes: dict[str, Snapshot], work: Path) -> dict[str, dict[str, float]]:
    """By path the errors of the nearest neighbor and of the match, and the share of the match within 5."""
    kept = work / f"{pair.source} {pair.target}.json"
    if kept.exists():
        found: dict[str, dict[str, float]] = json.loads(kept.read_text())
        return found
    assert pair.truth is not None
    source, target = shapes[pair.source], shapes[pair.target]
    known = np.flatnonzero(pair.truth >= 0)
    asked = known[np.linspace(0, len(known) - 1, ASKED).astype(int)]
    distances = measures.geodesics(source.vertices, source.faces, pair.truth[asked])
    found = {}
    for path in PATHS:
        both = (store.read(work / f"{name}.{path}.safetensors") for name in (pair.source, pair.target))
        one, two, intrinsic = described_pair(source, target, *both)
        answers = match_features(one, two).to_source, match(one, two, intrinsic=intrinsic).to_source
        nearest, matched = (distances[np.arange(ASKED), answer.vertex[asked]] for answer in answers)
        found[path] = {
            "nearest": float(nearest.mean()), "match": float(matched.mean()), "within 5": float((matched <= 5).mean())
        }  # fmt: skip
    kept.write_text(json.dumps(found))
    print(pair.source, pair.target, found, file=sys.stderr, flush=True)
    return found


def main() -> None:
    """Measure and print the tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, default=Path("build/features_speed"))
    parser.add_argument("--threads", type=int, default=1)
    wanted = parser.parse_args()
    wanted.work.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(wanted.threads)
    (bodies, body_pairs), (people, people_pairs) = (make(wanted.data) for make in (tosca, people_of))
    pairs = [pair for pair in body_pairs if (pair.source, pair.target) in TOSCA_PAIRS] + people_pairs[:PEOPLE_PAIRS]
    names = list(dict.fromkeys(name for pair in pairs for name in (pair.source, pair.target)))
    shapes = {name: shape for name in names if isinstance(shape := {**bodies, **people}[name], Snapshot)}
    times = described(shapes, resolve(FeatureChoice("auto")), wanted.work)
    matrices = devices.matrix_precision(torch.device("cpu"))
    print(f"Processor seconds for one shape, median of {len(shapes)}; {platform.machine()}, torch {torch.__version__},")
    print(f"{wanted.threads} thread(s), matrices of {matrices}; load average {os.getloadavg()[0]:.0f}\n")
    print(f"{'':12}" + "".join(f"{step:>14}" for step in (*STEPS, "all")))
    middle = {}
    for path in PATHS:
        rows = [[*(one[step] for step in STEPS), sum(one.values())] for one in times[path].values()]
        middle[path] = np.median(rows, axis=0)
        print(f"{path:12}" + "".join(f"{value:14.2f}" for value in middle[path]))
    print(f"{'ratio':12}" + "".join(f"{value:14.1f}" for value in middle["before"] / middle["today"]), end="\n\n")
    print(f"{'error':36}" + "".join(f"{path + ' ' + what:>18}" for what in MEASURED for path in PATHS))
    found = [errors(pair, shapes, wanted.work) for pair in pairs]
    for pair, one in zip(pairs, found, strict=True):
        line = "".join(f"{one[path][what]:18.2f}" for what in MEASURED for path in PATHS)
        print(f"{pair.source + ' > ' + pair.target:36}{line}")
    means = "".join(f"{statistics.mean(one[path][what] for one in found):18.3f}" for what in MEASURED for path in PATHS)
    print(f"{'mean':36}{means}")


if __name__ == "__main__":
    main()
