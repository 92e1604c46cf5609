"""Pictures of textures carried between real characters: the source, then the target, from the front, from the back and
the head close up.

    python tests/benchmarks/texture_pairs.py FOLDER [NAME …]

Runs where ``bpy`` is, with a worker and its models; reads characters from ``MESHKIN_TEST_DATA`` (default: a folder
``shared/data`` beside the checkout). Writes FOLDER/NAME.png for each pair and prints what was said about it. What was
seen is in results/texture_pairs.txt.
"""

# ruff: noqa: E402
from __future__ import annotations

import os
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "core"), str(ROOT / "tests/benchmarks")]

import bpy
import numpy as np

from meshkin import workflow
from meshkin.base.errors import MeshKinError
from meshkin.base.png import write_png
from meshkin.base.progress import finish
from meshkin.scene import files
from meshkin.scene.mesh import snapshot as snapshots
from meshkin.worker import client
from photo import photo
from whole_characters import HEIGHT, Picture, picture, save, set_up_rendering

DATA = Path(os.environ.get("MESHKIN_TEST_DATA", ROOT.parent / "shared" / "data"))
PAIRS = {
    "person-to-person": ("characters/mesh2motion/human-male.glb", "characters/mesh2motion/human-female.glb"),
    "person-to-creature": ("characters/mesh2motion/human-male.glb", "characters/mesh2motion/human-zombie.glb"),
    "animal-to-animal": ("characters/mesh2motion/fox-fox.glb", "characters/mesh2motion/fox-dog.glb"),
    "knight-to-barbarian": ("characters/kaykit/Knight.glb", "characters/kaykit/Barbarian.glb"),
    "person-to-sintel": ("characters/mesh2motion/human-male.glb", "characters/mesh2motion/human-sintel.glb"),
    "knight-to-mage": ("characters/kaykit/Knight.glb", "characters/kaykit/Mage.glb"),
    "horse-to-donkey": ("characters/quadrupeds/Horse-v7.glb", "characters/quadrupeds/Donkey-v5.glb"),
    "wolf-to-husky": ("characters/quadrupeds/Wolf-v12.glb", "characters/quadrupeds/Husky-v9.glb"),
    "casual-to-dress": ("characters/quaternius/men_Casual.glb", "characters/quaternius/women_Formal.glb"),
    "hood-to-suit": ("characters/quaternius/women_Medieval.glb", "characters/quaternius/men_Suit.glb"),
    "hiker-to-punk": ("characters/quaternius/men_Adventurer.glb", "characters/quaternius/men_Punk.glb"),
    "dress-to-farmer": ("characters/quaternius/women_Formal.glb", "characters/quaternius/men_Farmer.glb"),
    "crossbow-to-crossbow": ("characters/kaykit/Rogue.glb#1H_Crossbow", "characters/kaykit/Rogue.glb#2H_Crossbow"),
}
"""FILE or FILE#OBJECT in the data folder."""
PIECES = ("quaternius", "human-female")
"""Targets that keep their materials, which tell pieces apart."""
PHOTOS = {
    "photo-to-mesh": "characters/mesh2motion/human-sintel.glb",
    "photo-to-fox": "characters/mesh2motion/fox-fox.glb",
}
"""A made photograph of each, before a background and in other light, onto its bare mesh."""
MASKED = ("photo-to-mesh",)
"""The photographs that come with a mask."""
VIEWS = int(os.environ.get("MESHKIN_BENCH_VIEWS", "0"))


def load(path: str) -> bpy.types.Object:
    """A mesh of the data folder."""
    path, _, name = path.partition("#")
    if not name:
        return files.load(str(DATA / path))
    before = set(bpy.data.objects)
    bpy.ops.import_scene.gltf(filepath=str(DATA / path))
    found = next(one for one in bpy.data.objects if one not in before and one.name.startswith(name))
    found.data = found.data.copy()
    place = found.matrix_world.copy()
    found.parent = None
    found.matrix_world = place
    for one in [one for one in bpy.data.objects if one not in before and one != found]:
        bpy.data.objects.remove(one)
    return found


def views(obj: bpy.types.Object, folder: Path) -> list[Picture]:
    """An object from the front, from the back and its head close up."""
    path = folder / "view.png"
    return [picture([obj], path, 0), picture([obj], path, 180), picture([obj], path, 15, head=True)]


def run(name: str, folder: Path) -> None:
    """One pair."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    set_up_rendering()
    source, target = (load(path) for path in PAIRS[name])
    if not any(kept in PAIRS[name][1] for kept in PIECES):
        target.data.materials.clear()
    rows = [views(source, folder)]
    begin = time.perf_counter()
    options = workflow.Options(workflow.FeatureOptions(views=VIEWS), texture=workflow.TextureOptions(size=1024))
    report = finish(workflow.transfer(source, target, ["texture"], options))
    took = time.perf_counter() - begin
    save([*rows, views(target, folder)], folder / f"{name}.png")
    print(f"{name}: {took:.0f} s", *report.lines(), sep="\n    ", flush=True)


def run_photo(name: str, folder: Path) -> None:
    """A photograph onto a mesh: the photograph, then the mesh from its side, from the other side, and what is from
    where."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    set_up_rendering()
    obj = load(PHOTOS[name])
    shot, shown, _ = photo(obj, snapshots.take(obj), 0.5, 0)
    path, mask = folder / f"{name}-photo.png", folder / f"{name}-mask.png"
    write_png(path, shot)
    write_png(mask, np.repeat(np.uint8(255) * shown[..., None], 3, axis=-1))
    obj.data.materials.clear()
    while obj.data.uv_layers:  # their parts lie over each other
        obj.data.uv_layers.remove(obj.data.uv_layers[0])
    options = workflow.Options(workflow.FeatureOptions(views=VIEWS), texture=workflow.TextureOptions(size=1024))
    begin = time.perf_counter()
    said = finish(workflow.texture_photo(path, obj, options, str(mask) if name in MASKED else ""))
    took = time.perf_counter() - begin
    sides = [picture([obj], folder / "view.png", azimuth) for azimuth in (29, 209)]
    high = np.zeros((max(HEIGHT, len(shot)), shot.shape[1], 3), np.float32)
    high[: len(shot)] = shot / np.float32(255)
    padded = [np.pad(side, ((len(high) - HEIGHT, 0), (0, 0), (0, 0))) for side in sides]
    save([[high[::-1], *padded]], folder / f"{name}.png")
    print(f"{name}: {took:.0f} s", flush=True)
    for line in said.lines():
        print(f"    {line}", flush=True)


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name in sys.argv[2:] or (*PAIRS, *PHOTOS):
        try:
            (run_photo if name in PHOTOS else run)(name, folder)
        except MeshKinError as error:
            print(f"{name}: {error}", flush=True)
    client.stop()
    os._exit(0)


if __name__ == "__main__":
    main()
