"""The colors of an object's materials without light and shadow, for each pixel that shows one of its triangles.

A material that is one image on a UV map, or one color, is sampled here, in the same way for every renderer. Any other
(mixed, procedural, tiled, with vertex colors) is rendered by Cycles, its shaders replaced by emission of their color.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import bpy
import numpy as np
from numpy.typing import NDArray

from ...data.snapshot import Snapshot
from ...data.views import Views
from ..materials import base_colors
from ..mesh.resting import put_at_rest, unchanged
from ..mesh.snapshot import evaluated
from ..mesh.uv_maps import with_uvs
from ..objects import Handle
from . import cycles
from .emission_materials import COLOR_INPUTS, emits_light, emitting_copy
from .texture_sampling import Pyramid, pyramid_levels, pyramid_of, sample

NO_MATERIAL_COLOR = (0.8, 0.8, 0.8, 1.0)
"""Blender's color, linear RGBA, for a face without a material."""


@dataclass(frozen=True)
class SurfaceColors:
    """An object's colors.

    Attributes:
        images: for each material slot that is sampled, its image.
        uvs: float32 (F, 3, 2), of each triangle for the image of its slot; None if the mesh has none.
        rendered: the slots that Cycles has to render, and the object that each is of.
    """

    images: dict[int, Pyramid]
    uvs: NDArray[np.float32] | None
    rendered: dict[int, Rendered]


@dataclass(frozen=True)
class Rendered:
    """An object that Cycles has to render.

    Attributes:
        handle: of the object.
        at_rest: whether it is rendered as neither armatures nor shape keys move it.
    """

    handle: Handle
    at_rest: bool


def joined(pieces: Sequence[SurfaceColors], shapes: Sequence[Snapshot]) -> SurfaceColors:
    """The colors of several meshes, whose snapshots are joined (:meth:`meshkin.data.snapshot.Snapshot.joined`)."""
    images: dict[int, Pyramid] = {}
    rendered: dict[int, Rendered] = {}
    uvs, first = [], 0
    for piece, shape in zip(pieces, shapes, strict=True):
        images |= {first + slot: image for slot, image in piece.images.items()}
        rendered |= {first + slot: each for slot, each in piece.rendered.items()}
        uvs.append(np.zeros((len(shape.faces), 3, 2), np.float32) if piece.uvs is None else piece.uvs)
        first += max(len(shape.material_names), 1)
    return SurfaceColors(
        images, np.concatenate(uvs) if any(piece.uvs is not None for piece in pieces) else None, rendered
    )


def read(obj: bpy.types.Object, snapshot: Snapshot, at_rest: bool = False) -> SurfaceColors:
    """The colors of an object that ``snapshot`` was taken of, ``at_rest`` or as it is shown.

    If Cycles is disabled, a material too complex to be sampled counts as the first image, or the base color, in it.

    Raises InputError ``image-missing`` when an image cannot be loaded, ``mesh-changed``.
    """
    with evaluated(obj) as (evaluated_object, _):
        slots = [slot.material for slot in evaluated_object.material_slots]
        can_render = cycles.is_available()
        images: dict[int, Pyramid] = {}
        uv_maps: dict[int, str] = {}
        for slot in np.unique(_slots(snapshot, len(slots))).tolist():
            material = slots[slot] if slots else None
            color = _single_color(material)
            if color is None and material and not can_render:
                color = base_colors.base_color(material)
            if color:
                images[slot], uv_maps[slot] = pyramid_of(color.pixels[..., :3]), color.uv_map
    there = Rendered(Handle.of(obj), at_rest)
    rendered = {slot: there for slot in range(max(len(slots), 1)) if slot not in images}
    return SurfaceColors(images, with_uvs(obj, snapshot, uv_maps).uvs, rendered)


def view_colors(
    colors: SurfaceColors, snapshot: Snapshot, views: Views, view: int, face: NDArray[np.int32]
) -> NDArray[np.uint8]:
    """The colors that one camera sees, uint8 (H, W, 3), sRGB; 0 on the background.

    Args:
        colors: from :func:`read`.
        snapshot: of the object.
        views: the cameras.
        view: number of the camera.
        face: int32 (H, W), the triangle in each pixel, -1 for none.

    Raises InputError ``object-gone``, and as :func:`meshkin.scene.render.cycles.pictures`.
    """
    visible = face >= 0
    triangles = face[visible]
    slots = _slots(snapshot, 1 + max((*colors.images, *colors.rendered)))[triangles]
    weights = views.barycentric(view, snapshot.vertices[snapshot.faces], face)
    values = np.empty((len(triangles), 3), np.float32)
    for slot, pyramid in colors.images.items():
        in_slot = slots == slot
        if pyramid[0].shape[:2] == (1, 1) or colors.uvs is None:
            values[in_slot] = pyramid[0].mean(axis=(0, 1))
        else:
            levels = pyramid_levels(colors.uvs, pyramid[0].shape, snapshot, views, view, triangles[in_slot])
            uvs = np.einsum("pk,pkc->pc", weights[in_slot], colors.uvs[triangles[in_slot]])
            values[in_slot] = sample(pyramid, uvs, levels)
    for rendered in dict.fromkeys(colors.rendered.values()):
        is_rendered = np.isin(slots, [slot for slot, each in colors.rendered.items() if each == rendered])
        if is_rendered.any():
            values[is_rendered] = _rendered_colors(rendered, snapshot, views, view)[visible][is_rendered]
    picture = np.zeros((*face.shape, 3), np.float32)
    picture[visible] = values
    return (np.clip(picture, 0, 1) * 255).round().astype(np.uint8)


def _rendered_colors(rendered: Rendered, snapshot: Snapshot, views: Views, view: int) -> NDArray[np.float32]:
    """The colors that one camera sees of an object, rendered by Cycles, (H, W, 3), sRGB values in [0, 1]."""
    change = put_at_rest if rendered.at_rest else unchanged
    with evaluated(rendered.handle.get(), change=change) as (evaluated_object, _):
        mesh = bpy.data.meshes.new_from_object(evaluated_object)
        matrix = evaluated_object.matrix_world.copy()
    temporary: list[bpy.types.ID] = [mesh]
    try:
        for index, material in enumerate(mesh.materials):
            mesh.materials[index] = emitting_copy(material, temporary) if material else None
        light = cycles.colors(mesh, matrix, snapshot.location, views, view)
    finally:
        bpy.data.batch_remove(temporary)
    straight = light[..., :3] / np.maximum(light[..., 3:], 1e-6)
    return base_colors.as_srgb(straight.astype(np.float32))


def _slots(snapshot: Snapshot, count: int) -> NDArray[np.int64]:
    """The material slot of each triangle; a number beyond the last slot counts as the last, as in Blender."""
    return np.clip(snapshot.materials, 0, max(count - 1, 0)).astype(np.int64)


def _single_color(material: bpy.types.Material | None) -> base_colors.BaseColor | None:
    """The one image or constant color of a material, or None if the material is more complex."""
    if material is None or material.node_tree is None or not len(material.node_tree.nodes):
        color = material.diffuse_color if material else NO_MATERIAL_COLOR
        return base_colors.constant_color(material.name if material else "", color)
    output = material.node_tree.get_output_node("CYCLES")
    if output is None or not output.inputs["Surface"].is_linked:
        return None
    shader = output.inputs["Surface"].links[0].from_node
    if shader.type not in ("BSDF_PRINCIPLED", "BSDF_DIFFUSE") or emits_light(shader):
        return None
    socket = next(shader.inputs[name] for name in COLOR_INPUTS if name in shader.inputs)
    if not socket.is_linked:
        return base_colors.constant_color(material.name, socket.default_value)
    link = socket.links[0]
    if link.is_muted or link.from_socket.name != "Color" or not _is_plain_image(link.from_node):
        return None
    return base_colors.image_color(link.from_node)


def _is_plain_image(node: bpy.types.Node) -> bool:
    """Whether a node is an Image Texture, repeated, without UDIM tiles, and on a UV map without any mapping."""
    if node.mute or node.type != "TEX_IMAGE" or not node.image:
        return False
    if (node.projection, node.extension) != ("FLAT", "REPEAT") or node.image.source not in ("FILE", "GENERATED"):
        return False
    vector = node.inputs["Vector"]
    return not vector.is_linked or vector.links[0].from_node.type == "UVMAP"
