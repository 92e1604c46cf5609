"""Pictures of textures carried between real characters: the source, the target before, the target after.

    python tests/benchmarks/texture_pairs.py FOLDER [NAME …]

Runs where ``bpy`` is, with a worker and its models; reads characters from ``MESHKIN_TEST_DATA`` (default: a folder
``shared/data`` beside the checkout). Writes FOLDER/NAME.png for each pair and prints what was said about it.
"""

# ruff: noqa: E402
from __future__ import annotations

import math
import os
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "core"), str(ROOT / "tests/benchmarks")]

import bpy
import numpy as np
from mathutils import Vector

from meshkin import workflow
from meshkin.base.errors import MeshKinError
from meshkin.base.png import write_png
from meshkin.base.progress import finish
from meshkin.data.surface_map import Match
from meshkin.scene import files
from meshkin.scene.mesh import snapshot as snapshots
from meshkin.worker import client
from photo import photo

DATA = Path(os.environ.get("MESHKIN_TEST_DATA", ROOT.parent / "shared" / "data"))
PAIRS = {
    "person-to-person": ("characters/mesh2motion/human-male.glb", "characters/mesh2motion/human-female.glb"),
    "person-to-child": ("characters/mesh2motion/human-female.glb", "child"),
    "person-to-creature": ("characters/mesh2motion/human-male.glb", "characters/mesh2motion/human-zombie.glb"),
    "animal-to-animal": ("characters/mesh2motion/fox-fox.glb", "characters/mesh2motion/fox-dog.glb"),
    "knight-to-barbarian": ("characters/kaykit/Knight.glb", "characters/kaykit/Barbarian.glb"),
    "wolf-to-husky": ("characters/quadrupeds/Wolf-v12.glb", "characters/quadrupeds/Husky-v9.glb"),
    "casual-to-dress": ("characters/quaternius/men_Casual.glb", "characters/quaternius/women_Formal.glb"),
    "hood-to-suit": ("characters/quaternius/women_Medieval.glb", "characters/quaternius/men_Suit.glb"),
    "hiker-to-punk": ("characters/quaternius/men_Adventurer.glb", "characters/quaternius/men_Punk.glb"),
    "dress-to-farmer": ("characters/quaternius/women_Formal.glb", "characters/quaternius/men_Farmer.glb"),
    "crossbow-to-crossbow": ("characters/kaykit/Rogue.glb#1H_Crossbow", "characters/kaykit/Rogue.glb#2H_Crossbow"),
}
"""FILE or FILE#OBJECT in the data folder."""
PIECES = "quaternius"
"""Targets of this folder keep their materials, which tell pieces apart."""
PHOTOS = {
    "photo-to-mesh": "characters/mesh2motion/human-sintel.glb",
    "photo-to-fox": "characters/mesh2motion/fox-fox.glb",
}
"""A made photograph of each, before a background and in other light, onto its bare mesh."""
MASKED = ("photo-to-mesh",)
"""The photographs that come with a mask."""
WIDTH, HEIGHT = 420, 520
VIEWS = int(os.environ.get("MESHKIN_BENCH_VIEWS", "0"))


def load(path: str, folder: Path) -> bpy.types.Object:
    """A mesh of the data folder, or FOLDER/child.obj: any mesh of a child, without UVs."""
    path, _, name = path.partition("#")
    if not name:
        return files.load(str(DATA / path) if path != "child" else str(folder / "child.obj"))
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


def picture(obj: bpy.types.Object, path: Path, azimuth: float = 25) -> np.ndarray:
    """The object from the front and ``azimuth`` degrees from the side, (H, W, 3)."""
    scene = bpy.context.scene
    for other in bpy.data.objects:
        other.hide_render = other != obj
    corners = np.array([obj.matrix_world @ Vector(corner) for corner in obj.bound_box])
    low, high = corners.min(axis=0), corners.max(axis=0)
    size = float((high - low).max())
    center = Vector(((low + high) / 2).tolist())
    camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    camera.data.type, camera.data.ortho_scale = "ORTHO", size * 1.08
    camera.data.clip_end = size * 10
    turn = math.radians(azimuth)
    toward = Vector((math.sin(turn), -math.cos(turn), 0.15)).normalized()
    camera.location = center + toward * size * 3
    camera.rotation_euler = (-toward).to_track_quat("-Z", "Y").to_euler()
    scene.collection.objects.link(camera)
    scene.camera = camera
    scene.render.engine = "CYCLES"
    scene.cycles.samples, scene.cycles.device, scene.cycles.use_denoising = 12, "CPU", False
    scene.render.resolution_x, scene.render.resolution_y = WIDTH, HEIGHT
    scene.view_settings.view_transform = "Standard"
    if scene.world is None:
        scene.world = bpy.data.worlds.new("white")
    scene.world.use_nodes = True
    background = next(one for one in scene.world.node_tree.nodes if one.type == "BACKGROUND")
    background.inputs[0].default_value, background.inputs[1].default_value = (1, 1, 1, 1), 0.9
    scene.render.filepath = str(path)
    scene.render.image_settings.file_format = "PNG"
    bpy.ops.render.render(write_still=True)
    bpy.data.objects.remove(camera)
    image = bpy.data.images.load(str(path))
    pixels = np.empty(len(image.pixels), np.float32)
    image.pixels.foreach_get(pixels)
    bpy.data.images.remove(image)
    path.unlink()
    return pixels.reshape(HEIGHT, WIDTH, 4)[..., :3]


def run(name: str, folder: Path) -> None:
    """One pair."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    source, target = (load(path, folder) for path in PAIRS[name])
    if PIECES not in PAIRS[name][1]:
        target.data.materials.clear()
    if "#" in PAIRS[name][1] or PIECES in PAIRS[name][1]:  # their UVs lie on the swatches of a palette, or on a point
        while target.data.uv_layers:
            target.data.uv_layers.remove(target.data.uv_layers[0])
    before = [picture(obj, folder / f"{name}-{index}.png") for index, obj in enumerate((source, target))]
    begin = time.perf_counter()
    matched = finish(workflow.match(source, target, workflow.Options(workflow.FeatureOptions(views=VIEWS))))
    match_time = time.perf_counter() - begin
    found = Match.load(Path(matched.data["map"]))
    begin = time.perf_counter()
    said = []
    for threshold in (0.0, 0.2):
        options = workflow.Options(
            workflow.FeatureOptions(views=VIEWS), texture=workflow.TextureOptions(size=1024, threshold=threshold)
        )
        report = finish(workflow.transfer(source, target, ["texture"], options))
        said.append(report)
        before.append(picture(target, folder / f"{name}-after.png"))
    took = time.perf_counter() - begin
    save(before, folder / f"{name}.png")
    confidence = found.to_source.confidence
    quantiles = ", ".join(f"{value:.2f}" for value in np.quantile(confidence, (0.05, 0.25, 0.5, 0.75)))
    print(f"{name}: matched in {match_time:.0f} s, two textures in {took:.0f} s; confidence {quantiles}", flush=True)
    for line in said[1].lines():
        print(f"    {line}", flush=True)


def save(pictures: list[np.ndarray], path: Path) -> None:
    """Pictures side by side as a file."""
    sheet = np.concatenate(pictures, axis=1)
    image = bpy.data.images.new("sheet", sheet.shape[1], sheet.shape[0])
    image.pixels.foreach_set(np.dstack([sheet, np.ones(sheet.shape[:2], np.float32)]).astype(np.float32).ravel())
    image.filepath_raw, image.file_format = str(path), "PNG"
    image.save()


def run_photo(name: str, folder: Path) -> None:
    """A photograph onto a mesh: the photograph, then the mesh from its side, from the other side, and what is from
    where."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    obj = load(PHOTOS[name], folder)
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
    high = np.zeros((HEIGHT, shot.shape[1], 3), np.float32)
    high[: len(shot)] = shot / np.float32(255)
    sides = [picture(obj, folder / f"{name}-side.png", azimuth) for azimuth in (29, 209)]
    save([high[::-1], *sides], folder / f"{name}.png")
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
