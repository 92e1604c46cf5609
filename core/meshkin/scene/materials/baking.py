"""Nodes too complex to be read as one image, baked by Cycles on a copy of the object in a temporary scene."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterator, Mapping, Sequence
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from ...base.errors import InputError
from ...base.progress import Progress
from ...data.snapshot import Snapshot
from .. import compat
from ..arrays import write_vectors
from ..mesh.snapshot import evaluated, slot_materials
from ..objects import remove_data_blocks
from . import shaders
from .channels import DEFAULTS, INPUT_BY_NAME
from .emission import emission_node, feed
from .lit import copy_groups, make_plain

BAKE_NAME = "MeshKin bake"
"""Name of the temporary scene, objects, materials and images."""
BAKE_UV_MAP = BAKE_NAME
"""Name of the temporary UV map that is baked into."""
BAKE_MARGIN = 2
"""Pixels that Blender adds around each UV island; chosen."""


def bake(
    obj: bpy.types.Object, snapshot: Snapshot, uvs: NDArray[np.floating], jobs: Mapping[str, Sequence[int]], size: int
) -> Generator[Progress, None, dict[str, NDArray[np.float32]]]:
    """Bake channels of an object's materials, for each channel all slots into one picture.

    Every shader is replaced by one that emits the value of the channel's input, so that the values are mixed as the
    shaders are; normals are baked in the tangent space of the UV layout. The user's scene, object and materials are
    not touched.

    Args:
        obj: the source.
        snapshot: of the source.
        uvs: (C, 2), the UV layout to bake into, at each corner of the evaluated mesh.
        jobs: for each channel, the material slots that have it baked.
        size: width and height of the pictures, pixels.

    Returns:
        for each channel float32 (size, size, 4), linear, row 0 at the top.

    Raises:
        InputError: ``bake-failed``, ``mesh-changed``.
    """
    pictures: dict[str, NDArray[np.float32]] = {}
    with _bake_scene(obj, snapshot, uvs) as (scene, copy):
        for number, (channel, slots) in enumerate(jobs.items()):
            yield Progress("Baking the source's nodes", number / len(jobs))
            pictures[channel] = _bake_channel(scene, copy, channel, slots, size)
    return pictures


@contextlib.contextmanager
def _bake_scene(
    obj: bpy.types.Object, snapshot: Snapshot, uvs: NDArray[np.floating]
) -> Iterator[tuple[bpy.types.Scene, bpy.types.Object]]:
    """A scene with a copy of the object as its modifiers leave it, with the UV layout as one more UV map."""
    with evaluated(obj) as (evaluated_object, mesh):
        if len(mesh.loops) != len(uvs) or len(mesh.vertices) != len(snapshot.vertices):
            raise InputError("mesh-changed", f"“{obj.name}” was changed while the job ran.", "Run the job again.")
        data = bpy.data.meshes.new_from_object(
            evaluated_object, preserve_all_data_layers=True, depsgraph=bpy.context.evaluated_depsgraph_get()
        )
        matrix = evaluated_object.matrix_world.copy()
        slots = slot_materials(evaluated_object, mesh)
    scene = bpy.data.scenes.new(BAKE_NAME)
    copy = bpy.data.objects.new(BAKE_NAME, data)
    temporary = {block.session_uid for block in (scene, copy, data)}
    try:
        _add_uv_layer(data, uvs)
        for index, material in enumerate(slots or [None]):  # clearing them would reset the faces' material indices
            if index < len(data.materials):
                data.materials[index] = material
            else:
                data.materials.append(material)
        copy.matrix_world = matrix
        scene.collection.objects.link(copy)
        scene.render.engine = "CYCLES"
        scene.cycles.samples, scene.cycles.device = 1, "CPU"
        scene.cycles.use_denoising = scene.cycles.use_adaptive_sampling = False
        scene.view_settings.view_transform = "Raw"
        scene.frame_current = bpy.context.scene.frame_current
        yield scene, copy
    finally:
        remove_data_blocks(temporary)


def _add_uv_layer(mesh: bpy.types.Mesh, uvs: NDArray[np.floating]) -> None:
    """Add the UV layout (C, 2) as the active UV map; the one active for rendering stays that."""
    rendered = next((layer.name for layer in mesh.uv_layers if layer.active_render), None)
    layer = mesh.uv_layers.new(name=BAKE_UV_MAP, do_init=False)
    write_vectors(layer.uv, "vector", uvs)
    mesh.uv_layers.active = layer  # normals are baked in the tangent space of the active one
    if rendered:
        mesh.uv_layers[rendered].active_render = True


def _bake_channel(
    scene: bpy.types.Scene, copy: bpy.types.Object, channel: str, slots: Sequence[int], size: int
) -> NDArray[np.float32]:
    """One channel of the given slots baked, float32 (size, size, 4), row 0 at the top; other slots stay black."""
    temporary: list[bpy.types.ID] = []
    before = [slot.material for slot in copy.material_slots]
    try:
        image = bpy.data.images.new(BAKE_NAME, size, size, alpha=True, float_buffer=True)
        temporary.append(image)
        image.colorspace_settings.name = "Non-Color"
        bake_type = "EMIT"
        options: dict[str, Any] = {}
        for index, material in enumerate(before):
            has_channel = index in slots
            own = material.copy() if material and has_channel else bpy.data.materials.new(BAKE_NAME)
            temporary.append(own)
            tree = compat.node_tree(own)
            if has_channel:
                bake_type, options = _rewire(own, channel, temporary)
            _make_bake_target(tree, image)
            copy.material_slots[index].material = own
        _run_bake(scene, copy, bake_type, options)
        pixels = np.empty(size * size * 4, np.float32)
        image.pixels.foreach_get(pixels)
        return np.ascontiguousarray(pixels.reshape(size, size, 4)[::-1])
    except RuntimeError as error:
        names = ", ".join(f"“{before[slot].name}”" for slot in slots if before[slot])
        raise InputError(
            "bake-failed",
            f"{channel.replace('_', ' ').capitalize()} of {names} cannot be baked: {str(error).strip()}",
            "Bake the material into images first, or choose other channels.",
        ) from error
    finally:
        for index, material in enumerate(before):
            copy.material_slots[index].material = material
        bpy.data.batch_remove(temporary)


def _make_bake_target(tree: bpy.types.NodeTree, image: bpy.types.Image) -> None:
    """Give a node tree an Image Texture node that Blender bakes into: the active one."""
    node = tree.nodes.new("ShaderNodeTexImage")
    node.image = image
    for other in tree.nodes:
        other.select = False
    node.select = True
    tree.nodes.active = node


def _run_bake(scene: bpy.types.Scene, copy: bpy.types.Object, bake_type: str, options: dict[str, Any]) -> None:
    """Run Blender's bake operator on the copy; raises RuntimeError."""
    view_layer = scene.view_layers[0]
    view_layer.objects.active = copy
    copy.select_set(True, view_layer=view_layer)
    view_layer.update()
    with bpy.context.temp_override(
        scene=scene,
        view_layer=view_layer,
        object=copy,
        active_object=copy,
        selected_objects=[copy],
        selected_editable_objects=[copy],
    ):
        bpy.ops.object.bake(
            type=bake_type,
            uv_layer=BAKE_UV_MAP,
            margin=BAKE_MARGIN,
            use_clear=True,
            use_selected_to_active=False,
            **options,
        )


def _rewire(material: bpy.types.Material, channel: str, temporary: list[bpy.types.ID]) -> tuple[str, dict[str, Any]]:
    """Make a copied material show a channel; returns Blender's type of bake and its options.

    Node groups that are copied for it are added to ``temporary``. Raises RuntimeError.
    """
    tree = material.node_tree
    copy_groups(tree, temporary)
    make_plain(tree)
    output = tree.get_output_node("ALL")
    if output is None:
        raise RuntimeError("it has no Material Output any more.")
    if channel == "displacement":
        displacement, _ = shaders.upstream(output.inputs["Displacement"])
        if displacement.node.type != "DISPLACEMENT":
            raise RuntimeError("its displacement is not a height any more.")
        _replace_by_height(displacement)
        tree.links.new(output.inputs["Surface"], emission_node(tree, output.inputs["Displacement"]).outputs[0])
    for link in list(output.inputs["Displacement"].links):
        tree.links.remove(link)  # otherwise the displacement would change the baked normals
    if channel == "displacement":
        return "EMIT", {}
    _skip_unaffecting(output.inputs["Surface"], channel)
    if channel in ("normal", "bump"):
        return "NORMAL", {"normal_space": "TANGENT"}
    all_shaders = shaders.shaders(material)
    is_mixed = len(shaders.visible_shaders(all_shaders)) > 1
    for shader in all_shaders:
        value, strength = shader.input(channel, INPUT_BY_NAME[channel].socket), None
        if not shader.affects(channel):
            value = 0.0
        elif value is None:
            value = DEFAULTS.get(channel, 0.0)
        if channel == "emission" and is_mixed:
            strength = shader.input("emission_strength", INPUT_BY_NAME["emission_strength"].socket) or 0.0
        shader_tree = shader.node.id_data
        for link in list(shader.node.outputs[0].links):
            shader_tree.links.new(link.to_socket, emission_node(shader_tree, value, strength).outputs[0])
    return "EMIT", {}


def _replace_by_height(output: bpy.types.NodeSocket) -> None:
    """Link (Height - Midlevel) * Scale to all that the output of a Displacement node is linked to."""
    node, tree = output.node, output.node.id_data
    difference, product = tree.nodes.new("ShaderNodeMath"), tree.nodes.new("ShaderNodeMath")
    difference.operation, product.operation = "SUBTRACT", "MULTIPLY"
    feed(tree, difference.inputs[0], node.inputs["Height"])
    feed(tree, difference.inputs[1], node.inputs["Midlevel"])
    feed(tree, product.inputs[1], node.inputs["Scale"])
    tree.links.new(product.inputs[0], difference.outputs[0])
    for link in list(output.links):
        tree.links.new(link.to_socket, product.outputs[0])


def _skip_unaffecting(surface: bpy.types.NodeSocket, channel: str, groups: shaders.Groups = ()) -> None:
    """Where a shader that affects a channel is mixed with one that does not, let the mix show the first alone."""
    output, groups = shaders.upstream(surface, groups)
    if not output.is_output or output.node.type not in shaders.MIXING_TYPES:
        return
    sides = [socket for socket in output.node.inputs if socket.type == "SHADER"]
    if output.node.type == "MIX_SHADER":
        by_side = [shaders.shaders_behind(side, groups) for side in sides]
        unaffecting = [bool(side) and not any(shader.affects(channel) for shader in side) for side in by_side]
        if unaffecting[0] != unaffecting[1]:
            factor = output.node.inputs[0]
            for link in list(factor.links):
                output.node.id_data.links.remove(link)
            factor.default_value = 1.0 if unaffecting[0] else 0.0
    for side in sides:
        _skip_unaffecting(side, channel, groups)
