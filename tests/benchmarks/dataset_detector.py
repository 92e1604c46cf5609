"""Whether more pictures of a data set make a better detector: a small one, taught on a CPU.

    BLENDER-PYTHON tests/benchmarks/dataset_detector.py make FOLDER CHARACTER.glb …
    WORKER-PYTHON tests/benchmarks/dataset_detector.py learn FOLDER [--counts 200,2000] [--seed 0]

``make`` puts real characters into a scene in which the sun, the floor, the sky and the places where they stand are
others in each lot of pictures, and takes these by :func:`meshkin.workflow.dataset`; the classes are the characters. The
first lots are kept for judging. ``learn`` reads the COCO files that were written for trainers, and nothing else.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

SIZE = 96
"""Pixels along a picture. Chosen: two cores shall do with minutes."""
TEXTURE = 256
"""Pixels along a character's textures, for quicker renders. Chosen: more than a picture shows."""
LOTS, LOT = 46, 50
"""How often lights and places change, and pictures of each. Chosen."""
JUDGED_LOTS = 6
"""The first lots are judged on: lights and places that were never learned from."""
SEEN, STRIDE = 64, 8
"""Pixels along a picture as the detector sees it, and along a cell of its map."""
WIDTHS = (16, 32, 64, 64, 64)
"""Channels of the detector's layers, of which the first three halve the picture."""
STEPS, BATCH, RATE = 3000, 32, 2e-3
"""Of the training: the same for few and for many pictures."""
MOST = 10
"""Boxes that are told of a picture, at most."""


def make(folder: Path, characters: list[Path]) -> None:
    """All lots of pictures, each a data set of its own in ``folder/NUMBER``."""
    import bpy

    from meshkin import workflow
    from meshkin.base.progress import finish

    bpy.ops.wm.read_factory_settings(use_empty=True)
    objects = [_character(path) for path in characters]
    for image in bpy.data.images:
        if min(image.size) > TEXTURE:
            image.scale(TEXTURE, TEXTURE)
    change = _changing(objects)
    began = time.perf_counter()
    for lot in range(LOTS):
        change(lot)
        chosen = workflow.DatasetOptions(
            count=LOT, resolution=SIZE, samples=4, cameras="dst3", distance=2.2, seed=lot, formats=("coco",)
        )
        finish(workflow.dataset(objects, folder / f"{lot:02d}", workflow.Options(dataset=chosen)))
        print(f"{(lot + 1) * LOT} pictures in {time.perf_counter() - began:.0f} s", flush=True)


def _character(path: Path) -> Any:
    """A character as one mesh of its name, feet on the ground, 1 m high or long."""
    import bpy

    from meshkin.scene import compat

    before = set(bpy.data.objects)
    compat.import_gltf(path)
    new = [obj for obj in bpy.data.objects if obj not in before]
    meshes = [obj for obj in new if obj.type == "MESH" and any(each.type == "ARMATURE" for each in obj.modifiers)]
    bpy.context.view_layer.update()
    graph = bpy.context.evaluated_depsgraph_get()
    collected = []
    for obj in meshes:
        mesh = bpy.data.meshes.new_from_object(obj.evaluated_get(graph), depsgraph=graph)
        mesh.transform(obj.matrix_world)
        collected.append(bpy.data.objects.new(path.stem, mesh))
        bpy.context.scene.collection.objects.link(collected[-1])
    for obj in new:
        bpy.data.objects.remove(obj)
    if collected[1:]:
        with bpy.context.temp_override(active_object=collected[0], selected_editable_objects=collected):
            bpy.ops.object.join()
    mesh = collected[0].data
    places = np.array([vertex.co for vertex in mesh.vertices])
    low, size = places.min(axis=0), np.ptp(places, axis=0)
    places = (places - low - size * (0.5, 0.5, 0)) / size.max()
    mesh.vertices.foreach_set("co", places.astype(np.float32).ravel())
    mesh.update()
    return collected[0]


def _changing(objects: list[Any]) -> Callable[[int], None]:
    """A function that gives a lot its places, turns, sun, sky and floor."""
    import bpy

    scene = bpy.context.scene
    bpy.ops.mesh.primitive_plane_add(size=60)
    paint, sky = bpy.data.materials.new("Floor"), bpy.data.worlds.new("Sky")
    scene.world = sky
    for owner in (paint, sky):
        if owner.node_tree is None:
            owner.use_nodes = True
    bpy.context.object.data.materials.append(paint)
    of_floor = next(node for node in paint.node_tree.nodes if node.type == "BSDF_PRINCIPLED").inputs["Base Color"]
    of_sky = next(node for node in sky.node_tree.nodes if node.type == "BACKGROUND").inputs["Color"]
    sun = bpy.data.objects.new("Sun", bpy.data.lights.new("Sun", "SUN"))
    scene.collection.objects.link(sun)

    def change(lot: int) -> None:
        random = np.random.default_rng(lot)
        for obj, cell in zip(objects, random.permutation(9)[: len(objects)], strict=True):
            obj.location = (*(np.array(divmod(int(cell), 3)) * 1.1 + random.uniform(-0.3, 0.3, 2)), 0)
            obj.rotation_euler = (0, 0, random.uniform(0, 2 * np.pi))
        sun.rotation_euler = (random.uniform(-1, 1), random.uniform(-1, 1), 0)
        sun.data.energy = random.uniform(0.5, 5)
        of_floor.default_value, of_sky.default_value = ((*random.uniform(0, 0.9, 3), 1) for _ in range(2))
        bpy.context.view_layer.update()

    return change


Boxes = list[tuple[int, tuple[float, float, float, float]]]
"""Class, and left, top, width, height in shares of the picture, of each object in a picture."""


def read(folders: list[Path]) -> tuple[np.ndarray, list[Boxes], list[str]]:
    """Pictures uint8 (N, SEEN, SEEN, 3), their boxes, and the classes' names, out of COCO files."""
    from PIL import Image

    pictures, boxes = [], []
    names: list[str] = []
    for folder in folders:
        data = json.loads((folder / "annotations.json").read_text())
        names = [category["name"] for category in data["categories"]]
        order = {category["id"]: number for number, category in enumerate(data["categories"])}
        own: dict[int, Boxes] = {image["id"]: [] for image in data["images"]}
        for each in data["annotations"]:
            left, top, width, height = (side / SIZE for side in each["bbox"])
            own[each["image_id"]].append((order[each["category_id"]], (left, top, width, height)))
        for image in data["images"]:
            with Image.open(folder / image["file_name"]) as opened:
                pictures.append(np.array(opened.convert("RGB").resize((SEEN, SEEN), Image.Resampling.BOX)))
            boxes.append(own[image["id"]])
    return np.stack(pictures), boxes, names


def targets(boxes: list[Boxes], classes: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What the detector is to answer (Zhou et al. 2019, "Objects as Points"): a bump at each object's middle, float32
    (N, C, h, w); the distances to the box's sides there in cells, (N, 4, h, w); and where these count, (N, h, w)."""
    cells = SEEN // STRIDE
    heat = np.zeros((len(boxes), classes, cells, cells), np.float32)
    sides = np.zeros((len(boxes), 4, cells, cells), np.float32)
    counts = np.zeros((len(boxes), cells, cells), bool)
    rows, columns = np.mgrid[:cells, :cells]
    for number, found in enumerate(boxes):
        for kind, box in found:
            left, top, width, height = np.array(box) * cells
            x, y = left + width / 2, top + height / 2
            column, row = min(int(x), cells - 1), min(int(y), cells - 1)
            spread = max(min(width, height) / 6, 0.4)
            bump = np.exp(-((rows - row) ** 2 + (columns - column) ** 2) / (2 * spread**2))
            heat[number, kind] = np.maximum(heat[number, kind], bump)
            middle = np.array((column, row)) + 0.5
            sides[number, :, row, column] = (*(middle - (left, top)), *((left + width, top + height) - middle))
            counts[number, row, column] = True
    return heat, sides, counts


def detector(classes: int) -> Any:
    """A network from pictures (N, 3, SEEN, SEEN) to the classes' bumps and the boxes' sides, (N, C + 4, h, w)."""
    from torch import nn

    layers: list[nn.Module] = []
    before = 3
    for number, width in enumerate(WIDTHS):
        stride = 2 if number < 3 else 1
        layers += [nn.Conv2d(before, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
        before = width
    last = nn.Conv2d(before, classes + 4, 1)
    assert last.bias is not None
    nn.init.constant_(last.bias, -3.0)  # few cells have an object
    return nn.Sequential(*layers, last)


def taught(pictures: np.ndarray, boxes: list[Boxes], classes: int, seed: int) -> Any:
    """A detector that has learned from these pictures."""
    import torch

    torch.manual_seed(seed)
    random = np.random.default_rng(seed)
    network = detector(classes)
    optimizer = torch.optim.AdamW(network.parameters(), RATE, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, STEPS)
    shown = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255 - 0.5
    heat, sides, counts = (torch.from_numpy(each) for each in targets(boxes, classes))
    for _ in range(STEPS):
        rows = torch.from_numpy(random.integers(0, len(shown), BATCH))
        answer = network(shown[rows])
        chance = answer[:, :classes].sigmoid().clamp(1e-4, 1 - 1e-4)
        wanted = heat[rows]
        hit = wanted == 1
        focal = torch.where(
            hit,
            (1 - chance) ** 2 * chance.log(),
            (1 - wanted) ** 4 * chance**2 * (1 - chance).log(),
        )
        of_sides = (answer[:, classes:].exp() - sides[rows].clamp_min(0.05)).abs().sum(dim=1)
        loss = -focal.sum() / hit.sum().clamp_min(1) + 0.5 * of_sides[counts[rows]].mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
        schedule.step()
    return network.eval()


def answers(network: Any, pictures: np.ndarray, classes: int) -> list[dict[str, Any]]:
    """What a detector finds, as COCO's results."""
    import torch
    from torch.nn import functional

    cells = SEEN // STRIDE
    found: list[dict[str, Any]] = []
    with torch.inference_mode():
        answer = network(torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255 - 0.5)
    chance, sides = answer[:, :classes].sigmoid(), answer[:, classes:].exp()
    chance = chance * (functional.max_pool2d(chance, 3, 1, 1) == chance)
    for number, own in enumerate(chance):
        best = own.flatten().topk(MOST)
        for score, place in zip(best.values.tolist(), best.indices.tolist(), strict=True):
            kind, cell = divmod(place, cells * cells)
            row, column = divmod(cell, cells)
            left, top, right, bottom = sides[number, :, row, column].tolist()
            box = np.array((column + 0.5 - left, row + 0.5 - top, left + right, top + bottom)) * SIZE / cells
            found.append({"image_id": number, "category_id": kind + 1, "bbox": box.tolist(), "score": score})
    return found


def precision(boxes: list[Boxes], names: list[str], found: list[dict[str, Any]]) -> tuple[float, float]:
    """COCO's mean average precision, over overlaps from 50 to 95 %, and at 50 %, as pycocotools counts it."""
    import contextlib
    import io

    from pycocotools.coco import COCO  # type: ignore[import-untyped]
    from pycocotools.cocoeval import COCOeval  # type: ignore[import-untyped]

    annotations: list[dict[str, Any]] = [
        {"image_id": number, "category_id": kind + 1, "bbox": [side * SIZE for side in box], "iscrowd": 0}
        for number, own in enumerate(boxes)
        for kind, box in own
    ]
    for number, each in enumerate(annotations, 1):
        each |= {"id": number, "area": each["bbox"][2] * each["bbox"][3]}
    truth = COCO()
    truth.dataset = {
        "info": {},
        "images": [{"id": number, "width": SIZE, "height": SIZE} for number in range(len(boxes))],
        "annotations": annotations,
        "categories": [{"id": number, "name": name} for number, name in enumerate(names, 1)],
    }
    with contextlib.redirect_stdout(io.StringIO()):
        truth.createIndex()
        judged = COCOeval(truth, truth.loadRes(found), "bbox")
        judged.evaluate()
        judged.accumulate()
        judged.summarize()
    return float(judged.stats[0]), float(judged.stats[1])


def learn(folder: Path, counts: list[int], seed: int) -> None:
    """Teach a detector with so many of the pictures, and judge it on the first lots."""
    whole = sorted(path.parent for path in folder.glob("*/annotations.json"))
    judged, judged_boxes, names = read(whole[:JUDGED_LOTS])
    pictures, boxes, _ = read(whole[JUDGED_LOTS:])
    order = np.random.default_rng(0).permutation(len(pictures))  # few pictures are of all lots, too
    print(f"{len(pictures)} pictures to learn from, {len(judged)} to judge on, {len(names)} classes", flush=True)
    for count in counts:
        began = time.process_time()
        chosen = order[:count]
        network = taught(pictures[chosen], [boxes[number] for number in chosen], len(names), seed)
        whole_score, at_half = precision(judged_boxes, names, answers(network, judged, len(names)))
        seconds = time.process_time() - began
        print(f"{len(chosen)} pictures: AP {whole_score:.3f}, AP50 {at_half:.3f}; {seconds:.0f} s", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("verb", choices=("make", "learn"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("characters", nargs="*", type=Path)
    parser.add_argument("--counts", default="200,2000")
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    if chosen.verb == "make":
        make(chosen.folder, chosen.characters)
    else:
        learn(chosen.folder, [int(count) for count in chosen.counts.split(",")], chosen.seed)
