"""Nodes too complex to read, baked by Cycles on a copy of the object in a scene of its own."""

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
from ..mesh.snapshot import evaluated, materials_of
from ..objects import discard
from . import shaders, shading

LAYER = "MeshKin bake"


def bake(
    obj: bpy.types.Object, snapshot: Snapshot, uvs: NDArray[np.floating], jobs: Mapping[str, Sequence[int]], size: int
) -> Generator[Progress, None, dict[str, NDArray[np.float32]]]:
    """Bake channels of an object's materials, all slots of a channel at once.

    Every shader is replaced by one that emits what feeds its input, so that they are mixed as the shaders are; normals
    are baked in the layout's tangent space. The user's scene, object and materials are not touched.

    Args:
        obj: the source.
        snapshot: of it.
        uvs: (C, 2), the layout, at each corner of its evaluated mesh.
        jobs: by channel, the material slots that have it baked.
        size: width and height of each picture.

    Returns:
        float32 (size, size, 4), linear, row 0 at the top, for each channel.

    Raises:
        InputError: ``bake-failed``, ``mesh-changed``.
    """
    found: dict[str, NDArray[np.float32]] = {}
    with _copy(obj, snapshot, uvs) as (scene, copy):
        for number, (channel, slots) in enumerate(jobs.items()):
            yield Progress("Baking the source's nodes", number / len(jobs))
            found[channel] = _baked(scene, copy, channel, slots, size)
    return found


@contextlib.contextmanager
def _copy(
    obj: bpy.types.Object, snapshot: Snapshot, uvs: NDArray[np.floating]
) -> Iterator[tuple[bpy.types.Scene, bpy.types.Object]]:
    """A scene with a copy of the object as its modifiers leave it, with the layout as one more UV map."""
    with evaluated(obj) as (result, mesh):
        if len(mesh.loops) != len(uvs) or len(mesh.vertices) != len(snapshot.vertices):
            raise InputError("mesh-changed", f"“{obj.name}” was changed while the job ran.", "Run the job again.")
        data = bpy.data.meshes.new_from_object(
            result, preserve_all_data_layers=True, depsgraph=bpy.context.evaluated_depsgraph_get()
        )
        matrix = result.matrix_world.copy()
        slots = materials_of(result, mesh)
    scene = bpy.data.scenes.new("MeshKin bake")
    copy = bpy.data.objects.new("MeshKin bake", data)
    made = {one.session_uid for one in (scene, copy, data)}
    try:
        rendered = next((layer.name for layer in data.uv_layers if layer.active_render), None)
        layer = data.uv_layers.new(name=LAYER, do_init=False)
        layer.uv.foreach_set("vector", np.ascontiguousarray(uvs, np.float32).ravel())
        data.uv_layers.active = layer  # whose tangents are baked
        if rendered:
            data.uv_layers[rendered].active_render = True
        for index, material in enumerate(slots or [None]):  # clearing them would take the faces' numbers too
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
        discard(made)


def _baked(
    scene: bpy.types.Scene, copy: bpy.types.Object, channel: str, slots: Sequence[int], size: int
) -> NDArray[np.float32]:
    made: list[bpy.types.ID] = []
    before = [one.material for one in copy.material_slots]
    try:
        image = bpy.data.images.new("MeshKin bake", size, size, alpha=True, float_buffer=True)
        made.append(image)
        image.colorspace_settings.name = "Non-Color"
        kind = "EMIT"
        options: dict[str, Any] = {}
        for index, material in enumerate(before):
            own = material.copy() if material and index in slots else bpy.data.materials.new("MeshKin bake")
            made.append(own)
            tree = compat.node_tree(own)
            if index in slots:
                kind, options = _rewire(own, channel, made)
            node = tree.nodes.new("ShaderNodeTexImage")
            node.image = image
            for other in tree.nodes:
                other.select = False
            node.select = True
            tree.nodes.active = node
            copy.material_slots[index].material = own
        layer = scene.view_layers[0]
        layer.objects.active = copy
        copy.select_set(True, view_layer=layer)
        layer.update()
        with bpy.context.temp_override(
            scene=scene,
            view_layer=layer,
            object=copy,
            active_object=copy,
            selected_objects=[copy],
            selected_editable_objects=[copy],
        ):
            bpy.ops.object.bake(
                type=kind, uv_layer=LAYER, margin=2, use_clear=True, use_selected_to_active=False, **options
            )
        pixels = np.empty(size * size * 4, np.float32)
        image.pixels.foreach_get(pixels)
        return np.ascontiguousarray(pixels.reshape(size, size, 4)[::-1])
    except RuntimeError as error:
        named = ", ".join(f"“{before[slot].name}”" for slot in slots if before[slot])
        raise InputError(
            "bake-failed",
            f"{channel.replace('_', ' ').capitalize()} of {named} cannot be baked: {str(error).strip()}",
            "Bake the material into images first, or choose other channels.",
        ) from error
    finally:
        for index, material in enumerate(before):
            copy.material_slots[index].material = material
        bpy.data.batch_remove(made)


def _rewire(material: bpy.types.Material, channel: str, made: list[bpy.types.ID]) -> tuple[str, dict[str, Any]]:
    """Make a copied material show a channel; the kind of bake and its options."""
    tree = material.node_tree
    _own_groups(tree, made)
    output = tree.get_output_node("ALL")
    if output is None:
        raise RuntimeError("it has no Material Output any more.")
    if channel == "displacement":
        out, _, _ = shaders.origin(output.inputs["Displacement"])
        if out.node.type != "DISPLACEMENT":
            raise RuntimeError("its displacement is not a height any more.")
        _as_height(out)
        _show(tree, output.inputs["Displacement"], output.inputs["Surface"])
    for link in list(output.inputs["Displacement"].links):
        tree.links.remove(link)  # which would be part of the normals
    if channel == "displacement":
        return "EMIT", {}
    _hide_silent(output.inputs["Surface"], channel)
    if channel in ("normal", "bump"):
        return "NORMAL", {"normal_space": "TANGENT"}
    found = shaders.of_material(material)
    slot = next(one for one in shading.INPUTS if one.name == channel)
    for shader in found:
        value, strength = shader.input(channel, slot.socket), None
        if value is None or not shader.has_say(channel):
            value = shading.DEFAULTS.get(channel, 0.0) if shader.has_say(channel) else 0.0
        if channel == "emission" and len(shaders.seen(found)) > 1:
            strength = shader.input("emission_strength", shading.STRENGTH.socket) or 0.0
        for link in list(shader.node.outputs[0].links):
            _show(shader.node.id_data, value, link.to_socket, strength)
    return "EMIT", {}


def _as_height(out: bpy.types.NodeSocket) -> None:
    """Let (Height - Midlevel) * Scale take the place of what a Displacement node gives."""
    node, tree = out.node, out.node.id_data
    above, lifted = tree.nodes.new("ShaderNodeMath"), tree.nodes.new("ShaderNodeMath")
    above.operation, lifted.operation = "SUBTRACT", "MULTIPLY"
    for to, name in ((above.inputs[0], "Height"), (above.inputs[1], "Midlevel"), (lifted.inputs[1], "Scale")):
        _feed(tree, to, node.inputs[name])
    tree.links.new(lifted.inputs[0], above.outputs[0])
    for link in list(out.links):
        tree.links.new(link.to_socket, lifted.outputs[0])


def _own_groups(tree: bpy.types.NodeTree, made: list[bpy.types.ID]) -> None:
    """Give every group node in a tree a tree of its own, which can be changed."""
    for node in tree.nodes:
        if node.type == "GROUP" and node.node_tree:
            node.node_tree = node.node_tree.copy()
            made.append(node.node_tree)
            _own_groups(node.node_tree, made)


def _hide_silent(surface: bpy.types.NodeSocket, channel: str, groups: shaders.Groups = ()) -> None:
    """Let mixes of something with a shader that has no say in a channel show that alone."""
    out, groups, _ = shaders.origin(surface, groups)
    if not out.is_output or out.node.type not in shaders.MIXES:
        return
    sides = [one for one in out.node.inputs if one.type == "SHADER"]
    if out.node.type == "MIX_SHADER":
        found = [shaders.shaders(side, groups) for side in sides]
        silent = [bool(one) and not any(shader.has_say(channel) for shader in one) for one in found]
        if silent[0] != silent[1]:
            factor = out.node.inputs[0]
            for link in list(factor.links):
                out.node.id_data.links.remove(link)
            factor.default_value = 1.0 if silent[0] else 0.0
    for side in sides:
        _hide_silent(side, channel, groups)


def _show(
    tree: bpy.types.NodeTree,
    value: bpy.types.NodeSocket | float,
    to: bpy.types.NodeSocket,
    strength: bpy.types.NodeSocket | float | None = None,
) -> None:
    """Let a value, or what feeds an input, shine from ``to``."""
    emission = tree.nodes.new("ShaderNodeEmission")
    _feed(tree, emission.inputs["Color"], value)
    if strength is not None:
        _feed(tree, emission.inputs["Strength"], strength)
    tree.links.new(to, emission.outputs[0])


def _feed(tree: bpy.types.NodeTree, to: bpy.types.NodeSocket, value: bpy.types.NodeSocket | float) -> None:
    if isinstance(value, bpy.types.NodeSocket):
        if link := next((one for one in value.links if not one.is_muted), None):
            tree.links.new(to, link.from_socket)
            return
        value = value.default_value
    if to.type == "VALUE":
        to.default_value = value
    else:
        to.default_value = (value,) * 3 + (1,) if isinstance(value, (int, float)) else (*value[:3], 1)
