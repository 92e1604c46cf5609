"""Textures carried through maps, against the truth: a solid texture of space, evaluated on both surfaces.

    python tests/benchmarks/texture.py [OUTPUT.txt]

Runs in the worker's environment with Anny; the parametric people are those of the demo. With ``MESHKIN_BENCH_BLENDER``
(a Python that has ``bpy``) it also makes MeshKin's own map and, where source and target lie in the same place, bakes
the same with Blender's selected-to-active bake.
"""

# ruff: noqa: E402
from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import igl
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "core"), str(ROOT / "tests"), str(ROOT / "packaging/demo")]

import bodies
import people
from helpers import shapes
from measures import psnr
from meshkin.data.snapshot import Snapshot
from meshkin.data.surface_map import Match, SurfaceMap
from meshkin.geometry.closest_points import nearest_on_triangles
from meshkin.geometry.welding import place_numbers, uv_corners
from meshkin.transfer.texture.bake import bake
from meshkin.transfer.texture.channels import BakedTile, Channel, Picture, SlotTexture, SourceTextures
from meshkin.transfer.texture.margin import dilate
from meshkin.transfer.texture.pixels import quantized
from meshkin.transfer.texture.sampling import bilinear_samples
from meshkin.transfer.texture.settings import BakeSettings
from meshkin.transfer.texture.texel_correspondence import texel_correspondence
from meshkin.transfer.texture.texels import texel_map
from meshkin.transfer.texture.unwrapping import unwrap

Array = NDArray[Any]
SIZE = 2048
VISIBLE = 2 / 255
"""A larger step over a seam is counted."""


def solid(points: Array) -> Array:
    """Three colors of points in space (meters), in [0, 1]: waves 9 cm to 1 m long."""
    waves = 2 * np.pi * np.array([[1.0, 0.4, -2.1], [-1.5, 1.2, 1.0], [0.6, -1.9, 2.3]])
    detail = 2 * np.pi * np.array([[7.0, 2, -4], [-3, 8, 5], [6, -5, 7]])
    points = np.asarray(points, np.float64)
    return (0.5 + 0.36 * np.sin(points @ waves + (0, 1, 2)) + 0.09 * np.sin(points @ detail)).astype(np.float32)


@dataclass
class Case:
    """A pair with its known map and, for each target vertex, the place on the source that it stands for."""

    name: str
    source: Snapshot
    target: Snapshot
    match: Match
    same_place: bool


def as_map(face: Array, weights: Array, faces: Array) -> SurfaceMap:
    vertex = np.take_along_axis(faces[face], weights.argmax(axis=1)[:, None], axis=1)[:, 0]
    return SurfaceMap(
        face.astype(np.int32), weights.astype(np.float32), vertex.astype(np.int32), np.ones(len(face), np.float32)
    )


def known(points: Array, source: Snapshot, target: Snapshot) -> Match:
    """The map that sends each target vertex to the nearest point of the source to ``points``."""
    vertices = source.vertices.astype(np.float64)
    _, face, near = igl.point_mesh_squared_distance(
        np.asarray(points, np.float64), vertices, source.faces.astype(np.int64)
    )
    weights, _ = nearest_on_triangles(near, vertices[source.faces[face]])
    to_source = as_map(face, weights, source.faces)
    back = np.zeros(len(source.vertices), np.int64)
    return Match(
        to_source, as_map(back, np.tile([1.0, 0, 0], (len(back), 1)), target.faces), source.faces, target.faces
    )


def cases() -> list[Case]:
    anny = bodies.Anny()
    body = anny.body(people.SOURCE)
    uvs = np.concatenate([anny.uvs[:, [0, 1, 2]], anny.uvs[:, [0, 2, 3]]])
    source = shapes.snapshot(body.posed, anny.triangles, uvs, name="Woman")
    layout = shapes.snapshot(body.posed, anny.triangles, unwrap(body.posed, anny.triangles), name="layout")
    less, coarse, _, _ = igl.qslim(np.ascontiguousarray(body.posed), np.ascontiguousarray(anny.triangles), 9000)
    copy = shapes.snapshot(less, coarse, unwrap(less, coarse), name="copy")
    found = [
        Case("new layout of the same mesh", source, layout, known(body.posed, source, layout), True),
        Case("remeshed copy (9,000 of 27,420 triangles)", source, copy, known(less, source, copy), True),
    ]
    look = people.TARGETS[0]
    other = anny.body(look)
    quads, corner_uvs, corners, shares = bodies.TOPOLOGIES[look.topology](anny, other)
    vertices = np.einsum("vk,vkd->vd", shares, other.posed[corners])
    triangles = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])
    layout_uvs = np.concatenate([corner_uvs[:, [0, 1, 2]], corner_uvs[:, [0, 2, 3]]])
    target = shapes.snapshot(vertices, triangles, layout_uvs, name=look.name)
    twin = np.einsum("vk,vkd->vd", shares, body.posed[corners])
    found.append(Case("across characters, known map", source, target, known(twin, source, target), False))
    return found


def painted(shape: Snapshot, points: Array, size: int) -> Array:
    """The solid texture in a shape's layout with 8 pixels of margin; ``points`` (V, 3) are what is evaluated."""
    assert shape.uvs is not None
    texels = texel_map(shape.uvs, size)
    picture = np.zeros((size, size, 3), np.float32)
    face, weights = texels.face[texels.covered], texels.barycentric[texels.covered]
    picture[texels.covered] = solid(np.einsum("nk,nkd->nd", weights, points[shape.faces[face]]))
    dilate(picture, texels.covered, 8)
    return picture


def baked(case: Case, pictures: list[Picture], channels: list[Channel], size: int = SIZE) -> BakedTile:
    assert case.source.uvs is not None
    textures = SourceTextures(pictures, [case.source.uvs], channels)
    (result,) = bake(textures, case.source, case.target, case.match, BakeSettings(size, 8))
    return result


@dataclass
class Steps:
    """How far the two sides of each seam differ, at 8 places along each edge.

    Attributes:
        size: (N,), the largest of the channels' differences, in [0, 1].
        face: (N,), a triangle on one side.
        weights: (N, 3), the place in it.
    """

    size: Array
    face: Array
    weights: Array

    def places(self, shape: Snapshot, points: Array) -> Array:
        """Where they are, (N, 3), if the vertices of the shape are at ``points``."""
        return np.asarray(np.einsum("nk,nkd->nd", self.weights, points[shape.faces[self.face]]))


def seam_steps(shape: Snapshot, picture: Array) -> Steps:
    """Steps over a shape's seams, sampled as a renderer does."""
    assert shape.uvs is not None
    place = place_numbers(shape.vertices)
    corner = uv_corners(place, shape.faces, shape.uvs)
    start, end = np.arange(3), (np.arange(3) + 1) % 3
    ends = place[shape.faces]
    keys = np.stack([ends[:, start].ravel(), ends[:, end].ravel()], axis=1)
    uv = np.stack([corner[:, start].ravel(), corner[:, end].ravel()], axis=1)
    places_uv = np.stack([shape.uvs[:, start].reshape(-1, 2), shape.uvs[:, end].reshape(-1, 2)], axis=1)
    count = int(place.max()) + 1
    forward, backward = keys[:, 0] * count + keys[:, 1], keys[:, 1] * count + keys[:, 0]
    order = np.argsort(forward)
    at = np.minimum(np.searchsorted(forward, backward, sorter=order), len(order) - 1)
    twin = order[at]
    cut = np.flatnonzero(
        (forward[twin] == backward) & (keys[:, 0] < keys[:, 1]) & (uv != uv[twin][:, ::-1]).any(axis=1)
    )
    along = (np.arange(8) + 0.5)[:, None, None] / 8
    sides = []
    for edge in (places_uv[cut], places_uv[twin[cut]][:, ::-1]):
        spots = (edge[:, 0] * (1 - along) + edge[:, 1] * along).reshape(-1, 2)
        sides.append(bilinear_samples(picture, spots))
    corners = np.eye(3)
    weights = corners[cut % 3] * (1 - along) + corners[(cut + 1) % 3] * along
    return Steps(np.abs(sides[0] - sides[1]).max(axis=1), np.tile(cut // 3, 8), weights.reshape(-1, 3))


def texel_length(shape: Snapshot, points: Array, face: Array) -> Array:
    """How long a texel is at triangles, (N,), if the vertices of the shape are at ``points``."""
    assert shape.uvs is not None
    edges = points[shape.faces[face]]
    uvs = shape.uvs[face].astype(np.float64)
    lengths = np.linalg.norm(edges - np.roll(edges, 1, axis=1), axis=2).max(axis=1)
    return np.asarray(lengths / (np.linalg.norm(uvs - np.roll(uvs, 1, axis=1), axis=2).max(axis=1) * SIZE))


def source_steps(case: Case, steps: Steps, own: Steps, points: Array) -> Array:
    """The largest step that the source itself has at places of the target's seams, 0 where it has no seam, (N,).

    Looked for within two texels (of the source or the target, whichever are longer there): what a sample mixes.
    """
    there = own.places(case.source, case.source.vertices.astype(float))
    here = steps.places(case.target, points)
    seams = cKDTree(there)
    _, nearest = seams.query(here)
    reach = np.maximum(
        texel_length(case.target, points, steps.face),
        texel_length(case.source, case.source.vertices.astype(float), own.face)[nearest],
    )
    near = seams.query_ball_point(here, 2 * reach)
    return np.array([own.size[rows].max(initial=0) for rows in near])


def coverage(case: Case, size: int) -> float:
    """Share of random points of the target's islands whose texel is covered."""
    uvs = case.target.uvs
    assert uvs is not None
    texels = texel_map(uvs, size)
    generator = np.random.default_rng(0)
    face = generator.integers(0, len(uvs), 2_000_000)
    weights = generator.dirichlet((0.5, 0.5, 0.5), len(face))
    edges = uvs[:, 1:] - uvs[:, :1]
    flat = np.abs(edges[:, 0, 0] * edges[:, 1, 1] - edges[:, 0, 1] * edges[:, 1, 0]) * size * size < 1e-6
    face, weights = face[~flat[face]], weights[~flat[face]]
    spots = np.einsum("nk,nkd->nd", weights, uvs[face]) % 1
    column = np.minimum(np.floor(spots[:, 0] * size), size - 1).astype(int)
    row = np.minimum(np.floor((1 - spots[:, 1]) * size), size - 1).astype(int)
    return float(texels.covered[row, column].mean())


def bleeding(case: Case) -> int:
    """Texels that show a color other than that of the island they come from, each island having one of its own."""
    from meshkin.geometry.adjacency import opposite_triangles, triangle_components
    from meshkin.transfer.carrier import PointCarrier

    source, target = case.source, case.target
    assert source.uvs is not None
    assert target.uvs is not None
    island = triangle_components(
        opposite_triangles(uv_corners(place_numbers(source.vertices), source.faces, source.uvs))
    )
    colors = np.random.default_rng(0).integers(0, 256, (island.max() + 1, 3), dtype=np.uint8)
    texels = texel_map(source.uvs, SIZE)
    picture = np.zeros((SIZE, SIZE, 3), np.uint8)
    picture[texels.covered] = colors[island[texels.face[texels.covered]]]
    size = 512
    result = baked(case, [Picture(picture)], [Channel({0: SlotTexture((0,))}, 3)], size).pictures[0]
    carrier = PointCarrier(source, target, case.match.to_source)
    correspondence = texel_correspondence(texel_map(target.uvs, size), carrier)
    flat = result.reshape(-1, 3)[correspondence.texel].astype(int)
    truth = colors[island[correspondence.source_face]]
    wrong = np.abs(flat - truth).max(axis=1) > 2
    # Islands that lie over one another have no color of their own.
    shown = np.unique(island[texels.face[texels.covered]], return_counts=True)
    lonely = np.isin(island[correspondence.source_face], shown[0][shown[1] > 50])
    return int((wrong & lonely).sum())


def measure(case: Case, say: Any) -> None:
    truth_points = case.match.to_source.pull(case.source.vertices, case.source.faces)
    picture = quantized(painted(case.source, case.source.vertices.astype(float), SIZE), 8)
    result = baked(case, [Picture(picture)], [Channel({0: SlotTexture((0,))}, 3)]).pictures[0] / np.float32(255)
    assert case.target.uvs is not None
    texels = texel_map(case.target.uvs, SIZE)
    truth = painted(case.target, truth_points, SIZE)
    quality = psnr(result, truth, texels.covered)
    steps, own = seam_steps(case.target, result), seam_steps(case.source, picture / np.float32(255))
    ideal = seam_steps(case.target, truth)
    say(f"{case.name}: PSNR {quality:.1f} dB over {texels.covered.mean():.0%} covered texels")
    say(f"    islands covered {coverage(case, SIZE):.4%}; texels that bleed {bleeding(case)}")
    for label, found in (("result", steps), ("truth laid out likewise", ideal), ("source", own)):
        values = found.size
        line = (
            f"    steps over seams, {label}: 99.9 % below {np.quantile(values, 0.999) * 255:.2f}/255, "
            f"largest {values.max() * 255:.2f}/255, {(values > VISIBLE).sum()} of {len(values)} spots above 2/255"
        )
        if found is not own and (values > VISIBLE).any():
            there = source_steps(case, found, own, truth_points)
            line += (
                f", {((values > VISIBLE) & (there <= VISIBLE)).sum()} of them where the source has none above 2/255, "
                f"{((values > VISIBLE) & (there == 0)).sum()} where it has no seam"
            )
        say(line)


def speed(case: Case, say: Any, size: int) -> None:
    """One color, one value and one normal picture in one go; the best of three."""
    picture = painted(case.source, case.source.vertices.astype(float), SIZE)
    color = quantized(np.concatenate([picture, np.ones((SIZE, SIZE, 1), np.float32)], axis=2), 8)
    pictures = [Picture(color), Picture(color[..., :1].copy()), Picture(color[..., :3].copy())]
    channels = [
        Channel({0: SlotTexture((0,))}, 4),
        Channel({0: SlotTexture((1,))}, 1),
        Channel({0: SlotTexture((2,))}, 3, normal=True),
    ]
    times = []
    for _ in range(3 if size <= SIZE else 1):
        before, used = time.perf_counter(), time.process_time()
        baked(case, pictures, channels, size)
        times.append((time.perf_counter() - before, time.process_time() - used))
    wall, cpu = min(times)
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    say(
        f"{size} x {size}, color + roughness + normal from 2048 x 2048 images: {wall:.1f} s "
        f"({cpu:.1f} s of one core's time; load average {os.getloadavg()[0]:.1f}), at most {most:.1f} GB"
    )


def in_blender(python: str, script: str, *arguments: str) -> str:
    """What a script prints that runs where ``bpy`` is."""
    done = subprocess.run(
        [python, "-c", script, *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "core")},
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    if not lines:
        raise RuntimeError(done.stderr[-2000:])
    return lines[-1][7:]


BAKE = """
import sys, time, os, bpy, numpy as np
data = np.load(sys.argv[1]); size = int(sys.argv[2])
bpy.ops.wm.read_factory_settings(use_empty=True)
def add(name):
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(data[name + "_vertices"].tolist(), [], data[name + "_faces"].tolist())
    mesh.uv_layers.new().uv.foreach_set("vector", data[name + "_uvs"].astype(np.float32).ravel())
    obj = bpy.data.objects.new(name, mesh); bpy.context.scene.collection.objects.link(obj)
    material = bpy.data.materials.new(name); material.use_nodes = True; mesh.materials.append(material)
    return obj, material.node_tree
source, tree = add("source"); target, target_tree = add("target")
h, w = data["picture"].shape[:2]
image = bpy.data.images.new("picture", w, h); image.colorspace_settings.name = "Non-Color"
image.pixels.foreach_set(np.dstack([data["picture"][::-1], np.ones((h, w), np.float32)]).astype(np.float32).ravel())
texture, emission = tree.nodes.new("ShaderNodeTexImage"), tree.nodes.new("ShaderNodeEmission")
texture.image = image
tree.links.new(emission.inputs[0], texture.outputs[0])
tree.links.new(tree.get_output_node("ALL").inputs[0], emission.outputs[0])
result = bpy.data.images.new("result", size, size); result.colorspace_settings.name = "Non-Color"
node = target_tree.nodes.new("ShaderNodeTexImage"); node.image = result; target_tree.nodes.active = node
scene = bpy.context.scene; scene.render.engine = "CYCLES"; scene.cycles.samples = 1; scene.cycles.device = "CPU"
scene.view_settings.view_transform = "Standard"
for obj in (source, target): obj.select_set(True)
bpy.context.view_layer.objects.active = target
begin = time.perf_counter()
bpy.ops.object.bake(type="EMIT", use_selected_to_active=True, cage_extrusion=0.01, max_ray_distance=0.05, margin=8)
took = time.perf_counter() - begin
pixels = np.empty(size * size * 4, np.float32); result.pixels.foreach_get(pixels)
np.save(sys.argv[1] + ".baked.npy", pixels.reshape(size, size, 4)[::-1, :, :3])
print("RESULT", took, flush=True); os._exit(0)
"""


def beside_blender(case: Case, python: str, say: Any) -> None:
    """The same with Blender's own selected-to-active bake, one image, 1 sample."""
    picture = quantized(painted(case.source, case.source.vertices.astype(float), SIZE), 8)
    before = time.perf_counter()
    ours = baked(case, [Picture(picture)], [Channel({0: SlotTexture((0,))}, 3)]).pictures[0] / np.float32(255)
    wall = time.perf_counter() - before
    assert case.target.uvs is not None
    texels = texel_map(case.target.uvs, SIZE)
    truth = painted(case.target, case.match.to_source.pull(case.source.vertices, case.source.faces), SIZE)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "case.npz"
        arrays = {
            f"{name}_{part}": getattr(shape, part)
            for name, shape in (("source", case.source), ("target", case.target))
            for part in ("vertices", "faces", "uvs")
        }
        np.savez(path, picture=picture / np.float32(255), **arrays)
        took = float(in_blender(python, BAKE, str(path), str(SIZE)))
        theirs = np.load(f"{path}.baked.npy")
    inner = texels.covered & (texels.barycentric.min(axis=2) > 0)
    for label, image, seconds in (("MeshKin", ours, wall), ("Blender's selected-to-active", theirs, took)):
        steps = seam_steps(case.target, image).size
        say(
            f"    {label}: {seconds:.1f} s, PSNR {psnr(image, truth, inner):.1f} dB where the center is covered, "
            f"{psnr(image, truth, texels.covered):.1f} dB over all touched, seams 99.9 % below "
            f"{np.quantile(steps, 0.999) * 255:.2f}/255"
        )


MATCH = """
import sys, os, json, bpy
from pathlib import Path
from meshkin import workflow
from meshkin.base.progress import finish
from meshkin.scene import files
objects = [files.load(path) for path in sys.argv[1:3]]
report = finish(workflow.match(*objects, workflow.Options()))
print("RESULT", json.dumps({"map": report.data["map"], "recipe": report.data["recipe"]["name"]}), flush=True)
from meshkin.worker import client
client.stop(); os._exit(0)
"""


def own_map(case: Case, python: str) -> tuple[Case, str]:
    """The case with the map that MeshKin itself finds."""
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for shape in (case.source, case.target):
            path = Path(folder) / f"{shape.name}.ply"
            igl.writePLY(str(path), shape.vertices.astype(np.float64), shape.faces.astype(np.int64))
            paths.append(str(path))
        answer = json.loads(in_blender(python, MATCH, *paths))
    found = Match.load(Path(answer["map"]))
    assert np.array_equal(found.source_faces, case.source.faces)
    own = replace(case, name="across characters, MeshKin's own map", match=found)
    return own, str(answer["recipe"])


def main() -> None:
    lines = [f"Machine: {os.cpu_count()} cores, no GPU; load average {os.getloadavg()[0]:.1f} when started.", ""]
    print(lines[0])

    def say(line: str) -> None:
        print(line, flush=True)
        lines.append(line)

    found = cases()
    for case in found:
        measure(case, say)
    python = os.environ.get("MESHKIN_BENCH_BLENDER")
    if python:
        for case in found[:2]:
            say(f"{case.name}, one image, beside Blender:")
            beside_blender(case, python, say)
        own, recipe = own_map(found[2], python)
        truth = painted(own.target, found[2].match.to_source.pull(own.source.vertices, own.source.faces), SIZE)
        picture = quantized(painted(own.source, own.source.vertices.astype(float), SIZE), 8)
        result = baked(own, [Picture(picture)], [Channel({0: SlotTexture((0,))}, 3)]).pictures[0] / np.float32(255)
        assert own.target.uvs is not None
        covered = texel_map(own.target.uvs, SIZE).covered
        say(f"{own.name} ({recipe}): PSNR {psnr(result, truth, covered):.1f} dB")
    speed(found[2], say, SIZE)
    if len(sys.argv) > 2:
        speed(found[2], say, int(sys.argv[2]))
    if len(sys.argv) > 1:
        Path(sys.argv[1]).write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
