"""Nodes too complex to read, baked by Cycles on a copy of the object in a scene of its own."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterator, Sequence
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..progress import Progress
from ..snapshot import Snapshot
from . import compat, shading
from .snapshot import evaluated

LAYER = "MeshKin bake"
Job = tuple[int, str]
"""Material slot and channel."""


def bake(
    obj: bpy.types.Object, snapshot: Snapshot, uvs: NDArray[np.floating], jobs: Sequence[Job], size: int
) -> Generator[Progress, None, dict[Job, NDArray[np.float32]]]:
    """Bake channels of an object's materials, each on the whole layout.

    What feeds an input of a Principled BSDF is baked as light that it emits; a surface that is no Principled BSDF gives
    its colour, roughness and emission passes; normals are baked in the layout's tangent space. The user's scene, object
    and materials are not touched.

    Args:
        obj: the source.
        snapshot: of it.
        uvs: (C, 2), the layout, at each corner of its evaluated mesh.
        jobs: what to bake.
        size: width and height of each picture.

    Returns:
        float32 (size, size, 4), linear, row 0 at the top, for each job.

    Raises:
        InputError: ``bake-failed``, ``mesh-changed``.
    """
    found: dict[Job, NDArray[np.float32]] = {}
    with _copy(obj, snapshot, uvs) as (scene, copy):
        for number, job in enumerate(jobs):
            yield Progress("Baking the source's nodes", number / len(jobs))
            found[job] = _baked(scene, copy, job, size)
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
        slots = [slot.material for slot in obj.material_slots]
    scene = bpy.data.scenes.new("MeshKin bake")
    copy = bpy.data.objects.new("MeshKin bake", data)
    try:
        rendered = next((layer.name for layer in data.uv_layers if layer.active_render), None)
        layer = data.uv_layers.new(name=LAYER, do_init=False)
        layer.uv.foreach_set("vector", np.ascontiguousarray(uvs, np.float32).ravel())
        if rendered:
            data.uv_layers[rendered].active_render = True
        data.materials.clear()
        for material in slots or [None]:
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
        bpy.data.batch_remove([copy, data, scene])


def _baked(scene: bpy.types.Scene, copy: bpy.types.Object, job: Job, size: int) -> NDArray[np.float32]:
    slot, channel = job
    made: list[bpy.types.ID] = []
    before = [one.material for one in copy.material_slots]
    try:
        image = bpy.data.images.new("MeshKin bake", size, size, alpha=True, float_buffer=True)
        made.append(image)
        image.colorspace_settings.name = "Non-Color"
        kind = "EMIT"
        options: dict[str, Any] = {}
        for index, material in enumerate(before):
            own = material.copy() if material and index == slot else bpy.data.materials.new("MeshKin bake")
            made.append(own)
            tree = compat.node_tree(own)
            if index == slot:
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
        raise InputError(
            "bake-failed",
            f"The nodes of “{before[slot].name if before[slot] else ''}” cannot be baked: {str(error).strip()}",
            "Bake the material into images first, or choose other channels.",
        ) from error
    finally:
        for index, material in enumerate(before):
            copy.material_slots[index].material = material
        bpy.data.batch_remove(made)


def _rewire(material: bpy.types.Material, channel: str, made: list[bpy.types.ID]) -> tuple[str, dict[str, Any]]:
    """Make a copied material show a channel; the kind of bake and its options."""
    if channel in ("normal", "bump"):
        return "NORMAL", {"normal_space": "TANGENT"}
    tree = material.node_tree
    if channel == "displacement":
        output = tree.get_output_node("ALL")
        out, groups, _ = shading.origin(output.inputs["Displacement"])
        if groups or out.node.type != "DISPLACEMENT":
            raise RuntimeError("its displacement is a vector, not a height.")
        _show(tree, out.node.inputs["Height"], output.inputs["Surface"])
        return "EMIT", {}
    shader, groups = shading.surface(material)
    if shader is None:
        kind = {"base_color": "DIFFUSE", "roughness": "ROUGHNESS", "emission": "EMIT"}[channel]
        return kind, {"pass_filter": {"COLOR"}} if kind == "DIFFUSE" else {}
    name = shader.name
    for group in groups:
        node = tree.nodes[group.name]
        node.node_tree = node.node_tree.copy()
        made.append(node.node_tree)
        tree = node.node_tree
    shader = tree.nodes[name]
    socket = next(one.socket for one in shading.INPUTS if one.name == channel)
    for link in list(shader.outputs[0].links):
        _show(tree, shader.inputs[socket], link.to_socket)
    return "EMIT", {}


def _show(tree: bpy.types.NodeTree, socket: bpy.types.NodeSocket, to: bpy.types.NodeSocket) -> None:
    """Let what feeds ``socket`` shine from ``to``."""
    emission = tree.nodes.new("ShaderNodeEmission")
    if socket.is_linked:
        tree.links.new(emission.inputs["Color"], socket.links[0].from_socket)
    else:
        value = socket.default_value
        emission.inputs["Color"].default_value = (value,) * 3 + (1,) if isinstance(value, float) else value
    tree.links.new(to, emission.outputs[0])
