"""Exact copies of real characters, and how far what came over to them is from what it was."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from mathutils import Matrix
from numpy.typing import NDArray

from helpers.empty_file import open_empty_file
from helpers.rigged import armature_of
from meshkin.geometry.mesh import face_areas
from meshkin.scene.arrays import read_floats, read_integers
from meshkin.scene.mesh.vertex_groups import group_weights
from meshkin.scene.rig import binding

WHAT = ["texture", "weights", "attributes", "uvs", "shape_keys", "armature"]
PICTURE = 1024
"""Width and height of the picture of characters that have none, pixels."""
VALUE_TOLERANCE = 1e-4
"""Values, of 0 to 1 or whole numbers, that differ by more are wrong."""
LEAST_AREA = 1e-4
"""Triangles with less than this share of the mean area are not seen."""

Array = NDArray[Any]


@dataclass(frozen=True)
class Copy:
    """A copy: its object; the source's vertex, face and corner for each of its own; how it was turned and scaled."""

    obj: bpy.types.Object
    vertices: Array
    faces: Array
    corners: Array
    turn: Array
    scale: float


def imported(file: Path) -> bpy.types.Object:
    """The largest mesh of a character, at rest, with shape keys, attributes, a UV map and a picture on it."""
    open_empty_file()
    bpy.ops.import_scene.gltf(filepath=str(file))
    skinned = [obj for obj in bpy.data.objects if obj.type == "MESH" and obj.vertex_groups and binding.armature_of(obj)]
    obj = max(skinned, key=lambda each: len(each.data.vertices))
    rig = armature_of(obj)
    rig.animation_data_clear()
    for bone in rig.pose.bones:
        bone.matrix_basis = Matrix()
    bpy.context.view_layer.update()
    random = np.random.default_rng(0)
    add_keys(obj, random)
    mesh = obj.data
    for attribute, kind, domain, count in (
        ("point", "FLOAT", "POINT", len(mesh.vertices)),
        ("face", "INT", "FACE", len(mesh.polygons)),
        ("corner", "FLOAT_COLOR", "CORNER", len(mesh.loops)),
    ):
        values = random.integers(0, 9, count) if kind == "INT" else random.random(4 * count if kind[6:] else count)
        made = mesh.attributes.new(attribute, kind, domain)
        made.data.foreach_set(
            "color" if kind[6:] else "value", values.astype(np.int32 if kind == "INT" else np.float32)
        )
    paint(obj, random)
    return obj


def add_keys(obj: bpy.types.Object, random: np.random.Generator) -> None:
    """Give an object without shape keys three bulges."""
    if obj.data.shape_keys:
        return
    places = read_floats(obj.data.vertices, "co", 3)
    size = np.ptp(places, axis=0).max()
    obj.shape_key_add(name="Basis")
    for number in range(3):
        key = obj.shape_key_add(name=f"bulge {number}", from_mix=False)
        far = ((places - places[random.integers(len(places))]) ** 2).sum(axis=1)
        moved = places + np.exp(-far / (0.1 * size) ** 2)[:, None] * 0.05 * size * np.array([0.3, -1, 0.2])
        key.data.foreach_set("co", moved.astype(np.float32).ravel())
        key.value = 0


def paint(obj: bpy.types.Object, random: np.random.Generator) -> None:
    """Give an object a UV map if it has none, and a picture of waves and noise if no material has an image."""
    mesh = obj.data
    if not mesh.uv_layers or np.ptp(read_floats(mesh.uv_layers.active.uv, "vector", 2), axis=0).max() < 1e-6:
        while mesh.uv_layers:
            mesh.uv_layers.remove(mesh.uv_layers[0])
        bpy.context.view_layer.objects.active = obj
        bpy.ops.object.select_all(action="DESELECT")
        obj.select_set(True)
        bpy.ops.object.mode_set(mode="EDIT")
        bpy.ops.mesh.select_all(action="SELECT")
        bpy.ops.uv.smart_project(island_margin=0.01)
        bpy.ops.object.mode_set(mode="OBJECT")
    if images_of(obj):
        return
    up, across = np.mgrid[0:PICTURE, 0:PICTURE] / PICTURE
    pixels = np.ones((PICTURE, PICTURE, 4), np.float32)
    for channel in range(3):
        waves = np.sin(2 * np.pi * (across * random.integers(3, 40) + up * random.integers(3, 40)))
        pixels[..., channel] = 0.5 + 0.2 * waves + 0.2 * random.random((PICTURE, PICTURE))
    image = bpy.data.images.new("picture", PICTURE, PICTURE)
    image.pixels.foreach_set(pixels.ravel())
    image.pack()
    material = bpy.data.materials.new("painted")
    material.use_nodes = True
    nodes = material.node_tree.nodes
    texture = nodes.new("ShaderNodeTexImage")
    texture.image = image
    shader = next(node for node in nodes if node.type == "BSDF_PRINCIPLED")
    material.node_tree.links.new(shader.inputs["Base Color"], texture.outputs["Color"])
    mesh.materials.clear()
    mesh.materials.append(material)
    mesh.polygons.foreach_set("material_index", np.zeros(len(mesh.polygons), np.int32))


def images_of(obj: bpy.types.Object) -> dict[int, bpy.types.Image]:
    """The image of the base color of each material slot that has one."""
    found = {}
    for number, slot in enumerate(obj.material_slots):
        nodes = slot.material.node_tree.nodes if slot.material and slot.material.node_tree else ()
        for shader in (node for node in nodes if node.type == "BSDF_PRINCIPLED"):
            links = shader.inputs["Base Color"].links
            if links and links[0].from_node.type == "TEX_IMAGE" and links[0].from_node.image:
                found[number] = links[0].from_node.image
    return found


def copied(source: bpy.types.Object, shuffled: bool) -> Copy:
    """A copy with the source's UV map alone."""
    mesh = source.data
    random = np.random.default_rng(1)
    places = read_floats(mesh.vertices, "co", 3) @ np.array(source.matrix_world.to_3x3()).T
    size = np.ptp(places, axis=0).max()
    order, faces = np.arange(len(places)), np.arange(len(mesh.polygons))
    turn, scale = np.eye(3), 1.0
    if shuffled:
        order, faces = random.permutation(order), random.permutation(faces)
        turn, scale = np.array(Matrix.Rotation(0.7, 3, "Z") @ Matrix.Rotation(0.3, 3, "X")), 1.7
    new_number = np.argsort(order)
    polygons = [[int(new_number[vertex]) for vertex in mesh.polygons[face].vertices] for face in faces]
    corners = np.array([corner for face in faces for corner in mesh.polygons[face].loop_indices])
    new = bpy.data.meshes.new("copy")
    new.from_pydata((scale * places[order] @ turn.T).tolist(), [], polygons)
    layer = new.uv_layers.new(name=render_uvs(mesh).name)
    layer.uv.foreach_set("vector", read_floats(render_uvs(mesh).uv, "vector", 2)[corners].ravel())
    obj = bpy.data.objects.new("copy", new)
    bpy.context.scene.collection.objects.link(obj)
    obj.location = (3 * size, 0, 0)
    bpy.context.view_layer.update()
    return Copy(obj, order, faces, corners, turn, scale)


def render_uvs(mesh: bpy.types.Mesh) -> Any:
    """The UV map that counts."""
    return next(layer for layer in mesh.uv_layers if layer.active_render)


# Measures ---------------------------------------------------------------------------------------------------------


def weights_error(source: bpy.types.Object, copy: Copy) -> float:
    """Mean L1 distance of the vertices' weights; the source's are normalized, as those that come over are."""
    truth = group_weights(source.data, len(source.vertex_groups))[copy.vertices]
    truth = truth / np.maximum(truth.sum(axis=1, keepdims=True), 1e-9)
    found = group_weights(copy.obj.data, len(copy.obj.vertex_groups))
    total = np.zeros(len(truth))
    for group in source.vertex_groups:
        own = copy.obj.vertex_groups.get(group.name)
        total += np.abs(truth[:, group.index] - (found[:, own.index] if own else 0))
    return float(total.mean())


def keys_error(source: bpy.types.Object, copy: Copy) -> float:
    """The largest error of a key at a vertex, in percent of the key's largest move."""
    worst = 0.0
    linear = copy.scale * copy.turn @ np.array(source.matrix_world.to_3x3())
    new = copy.obj.data.shape_keys.key_blocks
    for key in source.data.shape_keys.key_blocks[1:]:
        moved = read_floats(key.data, "co", 3) - read_floats(key.relative_key.data, "co", 3)
        truth = (moved @ linear.T)[copy.vertices]
        found = read_floats(new[key.name].data, "co", 3) - read_floats(new[0].data, "co", 3)
        worst = max(worst, float(np.abs(found - truth).max() / max(np.linalg.norm(truth, axis=1).max(), 1e-9)))
    return 100 * worst


def joints_error(source: bpy.types.Object, copy: Copy) -> float:
    """The largest distance of a bone's end from where it has to be, in percent of the copy's height."""
    rig, new = armature_of(source), armature_of(copy.obj)
    origin, place = (np.array(obj.matrix_world.translation) for obj in (source, copy.obj))
    worst = 0.0
    for bone in rig.data.bones:
        for end in ("head_local", "tail_local"):
            truth = copy.scale * copy.turn @ (np.array(rig.matrix_world @ getattr(bone, end)) - origin) + place
            found = np.array(new.matrix_world @ getattr(new.data.bones[bone.name], end))
            worst = max(worst, float(np.linalg.norm(found - truth)))
    height = np.ptp(read_floats(copy.obj.data.vertices, "co", 3) @ copy.turn, axis=0)[2]
    return 100 * worst / float(height)


def wrong_values(source: bpy.types.Object, copy: Copy) -> float:
    """The share of values of attributes and UV maps that are not what they were, in percent."""
    old, new = (obj.data.attributes for obj in (source, copy.obj))
    pairs = [
        (read_floats(each["point"].data, "value", 1)[rows] for each, rows in ((old, copy.vertices), (new, ...))),
        (read_floats(each["corner"].data, "color", 4)[rows] for each, rows in ((old, copy.corners), (new, ...))),
        (read_integers(each["face"].data, "value")[rows] for each, rows in ((old, copy.faces), (new, ...))),
    ]
    carried = copy.obj["meshkin_uv_maps"].to_dict()
    for layer in source.data.uv_layers:
        own = copy.obj.data.uv_layers[carried[layer.name]]
        pairs.append(read_floats(uvs, "vector", 2)[rows] for uvs, rows in ((layer.uv, copy.corners), (own.uv, ...)))
    wrong = [np.abs(truth - found).reshape(len(truth), -1).max(axis=1) > VALUE_TOLERANCE for truth, found in pairs]
    return float(100 * np.concatenate(wrong).mean())


def texture_psnr(source: bpy.types.Object, copy: Copy, images: dict[int, bpy.types.Image]) -> float:
    """Peak signal-to-noise ratio, decibels, of the base color at a random point of each triangle that can be seen."""
    mesh = source.data
    mesh.calc_loop_triangles()
    corners = read_integers(mesh.loop_triangles, "loops", 3)
    slots = read_integers(mesh.polygons, "material_index")[read_integers(mesh.loop_triangles, "polygon_index")]
    new_slots = np.empty(len(mesh.polygons), np.int64)
    new_slots[copy.faces] = read_integers(copy.obj.data.polygons, "material_index")
    new_slots = new_slots[read_integers(mesh.loop_triangles, "polygon_index")]
    shares = np.random.default_rng(2).dirichlet([1, 1, 1], len(corners))
    layout = read_floats(render_uvs(mesh).uv, "vector", 2)
    new_layout = np.empty_like(layout)
    new_layout[copy.corners] = read_floats(render_uvs(copy.obj.data).uv, "vector", 2)  # a palette's is made anew
    points, new_points = (np.einsum("tk,tkd->td", shares, each[corners]) for each in (layout, new_layout))
    squares = []
    areas = face_areas(read_floats(mesh.vertices, "co", 3), read_integers(mesh.loop_triangles, "vertices", 3))
    is_seen = areas > LEAST_AREA * areas.mean()
    for slot, new_slot in {*zip(slots.tolist(), new_slots.tolist(), strict=True)}:
        where = (slots == slot) & (new_slots == new_slot) & is_seen
        if slot in images:
            found = sampled(images_of(copy.obj)[new_slot], new_points[where])
            squares.append((found - sampled(images[slot], points[where])) ** 2)
    return float(-10 * np.log10(max(np.concatenate(squares).mean(), 1e-12)))


def sampled(image: bpy.types.Image, uvs: Array) -> Array:
    """The colors (P, 3) of an image's texels at UVs (P, 2)."""
    pixels = np.empty(len(image.pixels), np.float32)
    image.pixels.foreach_get(pixels)
    width, height = image.size
    columns, rows = (
        np.clip((uvs[:, axis] % 1 * size).astype(int), 0, size - 1) for axis, size in ((0, width), (1, height))
    )
    return pixels.reshape(height, width, -1)[rows, columns, :3]
