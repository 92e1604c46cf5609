"""Whole materials read: the value of each channel of an object's materials, slot by slot."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from ...base.errors import InputError, OptionError
from ..arrays import read_integers
from ..mesh import uv_maps
from ..mesh.snapshot import evaluated, slot_materials
from . import lit
from .channels import DEFAULTS, INPUT_BY_NAME, MATERIAL_CHANNELS, SHADER_INPUTS, ChannelValue, ShaderInput, Shading
from .images import check_image
from .node_values import constant, normal_values, read_displacement, read_socket, to_be_baked
from .shaders import Shader, image_nodes, material_output, shaders, shaders_behind, upstream, visible_shaders


def read(obj: bpy.types.Object, channels: Sequence[str] = (), leave_out: Sequence[str] = ()) -> Shading:
    """The values of the channels in each material that some face of the object uses.

    Links are followed through reroutes, groups and muted nodes to image textures (with Mapping and UV Map nodes),
    values, Separate Color, multiplication by a value, simple Math, Invert, Normal Map, Bump and Displacement. Any
    other node, and a mix of several shaders, makes a value that has to be baked. The materials are those that the
    modifiers leave.

    Args:
        obj: the source.
        channels: of :data:`MATERIAL_CHANNELS`; () for all.
        leave_out: names of materials that are not to be carried.

    Raises:
        OptionError: ``channel-unknown``; ``material-unknown`` for a name to leave out that none of the object's
            materials has; ``materials-left-out`` when no material is left.
        InputError: ``no-texture`` when there is no image and no two different values either;
            ``image-missing`` when an image cannot be loaded.
    """
    unknown = [name for name in channels if name not in MATERIAL_CHANNELS]
    if unknown:
        raise OptionError(
            "channel-unknown",
            f"There is no channel “{', '.join(unknown)}”.",
            f"Choose from {', '.join(MATERIAL_CHANNELS)}.",
        )
    chosen = tuple(channels) or MATERIAL_CHANNELS
    slots, face_counts, render_uv_map = _used_slots(obj)
    used = np.flatnonzero(face_counts).tolist()
    left_out = _left_out(obj, slots, used, leave_out)
    face_counts[list(left_out)] = 0
    materials, values_by_slot = {}, {}
    notes: list[str] = []
    known_uvs = uv_maps.names(obj)
    for slot in np.flatnonzero(face_counts).tolist():
        material = materials[slot] = slots[slot] if slots else None
        with lit.plain(material) as shown:
            values_by_slot[slot] = _material_values(shown, chosen, render_uv_map, notes)
        notes += _baking_notes(material, values_by_slot[slot])
        if material and lit.depends_on_lamps(material):
            notes.append(f"“{material.name}” is lit by lamps (Shader to RGB): its colors are those in full light.")
        notes += _missing_uv_notes(material, values_by_slot[slot], known_uvs)
    values = [value for by_channel in values_by_slot.values() for value in by_channel.values()]
    constants = {
        tuple(sorted((name, tuple(value.offset)) for name, value in by_channel.items()))
        for by_channel in values_by_slot.values()
    }
    if all(value.is_constant for value in values) and len(constants) < 2:
        raise _no_texture(obj, materials.values())
    return Shading(materials, values_by_slot, int(face_counts.argmax()), notes, left_out)


def _no_texture(obj: bpy.types.Object, materials: Iterable[bpy.types.Material | None]) -> InputError:
    """The error that an object's materials show nothing; it names the shaders whose images cannot be read."""
    unread = {
        shader.node.bl_label: material.name
        for material in materials
        if material and image_nodes(material)
        for shader in shaders(material)
        if not shader.is_principled
    }
    reason = "".join(f" Images behind the node “{node}” of “{name}” are not read." for node, name in unread.items())
    return InputError(
        "no-texture",
        f"The materials of “{obj.name}” have no image texture, and all their values are equal.{reason}",
        "Connect an image to its material, or choose other channels.",
    )


def _left_out(
    obj: bpy.types.Object, slots: Sequence[bpy.types.Material | None], used: Sequence[int], leave_out: Sequence[str]
) -> tuple[int, ...]:
    """The used slots whose materials have these names; raises InputError as :func:`read`."""
    names = [material.name if material else "" for material in slots]
    unknown = [name for name in leave_out if name not in names]
    if unknown:
        raise OptionError(
            "material-unknown",
            f"“{obj.name}” has no material “{unknown[0]}”.",
            f"Leave out some of {', '.join(sorted({name for name in names if name})) or 'none'}.",
        )
    left_out = tuple(slot for slot in used if slots and names[slot] in leave_out)
    if left_out and len(left_out) == len(used):
        raise OptionError(
            "materials-left-out", f"All materials of “{obj.name}” are left out.", "Leave at least one material in."
        )
    return left_out


def _used_slots(obj: bpy.types.Object) -> tuple[list[bpy.types.Material | None], NDArray[Any], str]:
    """The material of each slot as the modifiers leave them, how many faces use it, and the UV map for rendering."""
    with evaluated(obj) as (evaluated_object, mesh):
        slots = slot_materials(evaluated_object, mesh)
        indices = read_integers(mesh.polygons, "material_index")
        render_uv_map = next((layer.name for layer in mesh.uv_layers if layer.active_render), "")
    return slots, np.bincount(np.clip(indices, 0, max(len(slots) - 1, 0)), minlength=1), render_uv_map


def _baking_notes(material: bpy.types.Material | None, values: dict[str, ChannelValue]) -> list[str]:
    """Sentences about the channels of a material that have to be baked, and about images that bake as pink."""
    baked = [name for name, value in values.items() if value.needs_baking]
    if not baked:
        return []
    name = material.name if material else ""
    notes = [f"“{name}”: {', '.join(baked)} baked first (their nodes are more complex than one image)."]
    missing = sorted({_image_name(node.image) for node in image_nodes(material) if _is_missing(node)})
    if missing:
        notes.append(f"“{name}” has images that cannot be loaded and are pink, as in Blender: {', '.join(missing)}.")
    return notes


def _missing_uv_notes(
    material: bpy.types.Material | None, values: dict[str, ChannelValue], known: Sequence[str]
) -> list[str]:
    """Sentences about UV maps that a material names and the object does not have."""
    unknown = {value.uv_map for value in values.values() if value.image and value.uv_map and value.uv_map not in known}
    return [
        f"“{material.name if material else ''}” names the UV map “{name}”, which is not there: the one active for "
        "rendering was used."
        for name in sorted(unknown)
    ]


def _is_missing(node: bpy.types.Node) -> bool:
    """Whether the image of an image texture node cannot be shown."""
    try:
        check_image(node.image, node.image_user)
    except InputError as error:
        return error.code != "image-unsaved"
    return False


def _image_name(image: bpy.types.Image | None) -> str:
    return f"“{image.name}”" if image else "one that is not chosen"


def _material_values(
    material: bpy.types.Material | None, chosen: Sequence[str], render_uv_map: str, notes: list[str]
) -> dict[str, ChannelValue]:
    """The values of the chosen channels of one material.

    Args:
        material: None for an empty slot.
        chosen: of :data:`MATERIAL_CHANNELS`.
        render_uv_map: name of the UV map that nodes use if they name none.
        notes: sentences about what is left out are added to it.
    """
    all_shaders = shaders(material)
    visible = visible_shaders(all_shaders)
    output = material_output(material)
    values = {}
    for shader_input in SHADER_INPUTS:
        name = shader_input.name
        if shader_input.group not in chosen:
            continue
        if output and name == "alpha" and len(all_shaders) > len(visible):
            values["alpha"] = _mixed_alpha(output.inputs["Surface"])
        elif name == "base_color" and not all_shaders:
            values["base_color"] = constant(material.diffuse_color[:3] if material else DEFAULTS["base_color"], 3)
        else:
            relevant = [shader for shader in visible if shader.affects(name)] or visible
            value = _mixed_value([_shader_value(shader, shader_input) for shader in relevant], shader_input)
            if value:
                values[name] = value
    if len(visible) > 1 and "emission_strength" in values:
        values |= _mixed_emission(visible)
    if "normal" in chosen:
        values |= _normals(visible, render_uv_map)
    if material and output and "displacement" in chosen and output.inputs["Displacement"].is_linked:
        if displacement := read_displacement(output.inputs["Displacement"]):
            values["displacement"] = displacement
        else:
            notes.append(f"“{material.name}”: its displacement is a vector, not a height, and is not carried.")
    return values


def _shader_value(shader: Shader, shader_input: ShaderInput) -> ChannelValue | None:
    """The value of a channel in one shader; None where the shader has no such input and no default fits."""
    value = shader.input(shader_input.name, shader_input.socket)
    if isinstance(value, bpy.types.NodeSocket):
        return read_socket(value, shader.groups, shader_input.width)
    if value is None:
        value = None if shader.is_principled else DEFAULTS.get(shader_input.name)
    return None if value is None else constant(value, shader_input.width)


def _mixed_value(values: Sequence[ChannelValue | None], shader_input: ShaderInput) -> ChannelValue | None:
    """The value of a channel over several shaders: to be baked, unless all of them have the same constant."""
    name, width = shader_input.name, shader_input.width
    if not values:
        return constant(DEFAULTS[name], width) if name in DEFAULTS else None
    known = [value for value in values if value]
    if len(known) < 2 or all(value.is_constant and (value.offset == known[0].offset).all() for value in known):
        return known[0] if known else None
    return to_be_baked(width)


def _mixed_emission(visible: Sequence[Shader]) -> dict[str, ChannelValue]:
    """Emission of mixed shaders: color times strength is baked as the color, and the strength becomes 1 (or 0)."""
    strengths = [_shader_value(shader, INPUT_BY_NAME["emission_strength"]) for shader in visible]
    emits = any(value and (not value.is_constant or value.offset.any()) for value in strengths)
    return {"emission": to_be_baked(3) if emits else constant(1, 3), "emission_strength": constant(emits, 1)}


def _mixed_alpha(surface: bpy.types.NodeSocket) -> ChannelValue:
    """The alpha of a surface that is mixed with transparency: the factor of the mix, if that is all there is."""
    output, groups = upstream(surface)
    if output.node.type == "MIX_SHADER":
        factor, *sides = output.node.inputs
        by_side = [shaders_behind(side, groups) for side in sides]
        transparent = [bool(side) and all(shader.is_transparent for shader in side) for side in by_side]
        if transparent[0] != transparent[1]:
            opaque = by_side[0 if transparent[1] else 1]
            alphas = [_shader_value(shader, INPUT_BY_NAME["alpha"]) for shader in opaque]
            if all(alpha and alpha.is_constant and (alpha.offset == 1).all() for alpha in alphas):
                value = read_socket(factor, groups, 1)
                if transparent[0] or value.needs_baking:
                    return value
                return replace(value, weights=-value.weights, offset=1 - value.offset)
    return to_be_baked(1)


def _normals(visible: Sequence[Shader], render_uv_map: str) -> dict[str, ChannelValue]:
    """Normal map and bump of the visible shaders; normals to be baked where the shaders do not share them."""
    sockets = [(shader.node.inputs["Normal"], shader.groups) for shader in visible if "Normal" in shader.node.inputs]
    if not any(socket.is_linked for socket, _ in sockets):
        return {}
    if len({upstream(socket, groups) for socket, groups in sockets}) > 1:
        return {"normal": to_be_baked(3)}
    return normal_values(*sockets[0], render_uv_map)
