"""Whole materials made for the target from baked picture files; nothing that is there is changed."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import bmesh
import bpy
import numpy as np
from numpy.typing import NDArray

from ...base.errors import InputError, MeshKinError
from ...base.storage import make_folder, write_file
from .. import compat
from ..blend import absolute_path
from ..mesh.snapshot import check_writable
from ..objects import Handle, discard
from .shaders import of_material, seen
from .shading import INPUTS, Shading, Wire

UV_NAME = "MeshKin"


@dataclass(frozen=True)
class Picture:
    """One baked picture.

    Attributes:
        channel: as in :data:`meshkin.scene.materials.shading.INPUTS`, or "normal", "bump", "displacement", "mask".
        files: for each tile (1001 and on) its file; one file for a picture without tiles.
        name: for the image.
        colorspace: of the values in the files.
        has_alpha: its fourth channel is the material's alpha.
    """

    channel: str
    files: Mapping[int, Path]
    name: str
    colorspace: str
    has_alpha: bool = False


@dataclass
class Written:
    """What was made, and the materials that faces had before."""

    images: list[bpy.types.Image]
    material: bpy.types.Material
    before: NDArray[np.int32]
    layer: str

    def __post_init__(self) -> None:
        self.uids = {one.session_uid for one in (self.material, *self.images)}


def write(
    obj: bpy.types.Object,
    shading: Shading,
    pictures: Sequence[Picture],
    name: str,
    uvs: NDArray[np.floating] | None = None,
    folder: str = "",
) -> Written:
    """Give the object a new material of the pictures and the source's values, in a new slot that all its faces use.

    Args:
        obj: the target.
        shading: the source's materials; values and settings come from the one with the most faces.
        pictures: what was baked.
        name: of the material.
        uvs: (C, 2) of the mesh's own corners, for a mesh without UVs: a new UV map of them is made.
        folder: where to keep the images as files; "" packs them into the .blend.

    Raises:
        InputError: ``mesh-changed``, and as :func:`meshkin.scene.mesh.snapshot.check_writable`.
    """
    check_writable(obj)
    mesh = obj.data
    if uvs is not None and len(uvs) != len(mesh.loops):
        raise InputError("mesh-changed", f"“{obj.name}” has other faces now.", "Run the job again.")
    images: dict[str, bpy.types.Image] = {}
    try:
        for one in pictures:
            images[one.channel] = _load(one, folder)
    except MeshKinError:
        bpy.data.batch_remove(list(images.values()))
        raise
    added = ""
    if uvs is not None:
        layer = mesh.uv_layers.new(name=UV_NAME, do_init=False)
        layer.uv.foreach_set("vector", np.ascontiguousarray(uvs, np.float32).ravel())
        layer.active_render, mesh.uv_layers.active, added = True, layer, layer.name
    uv_map = next(layer.name for layer in mesh.uv_layers if layer.active_render)
    alpha = any(one.has_alpha for one in pictures)
    shown = {channel: image for channel, image in images.items() if channel != "mask"}
    material = _material(name, shading, shown, uv_map, alpha)
    if any(image.source == "TILED" for image in shown.values()) or _within(mesh.uv_layers[uv_map]):
        for node in compat.node_tree(material).nodes:
            if node.bl_idname == "ShaderNodeTexImage":
                node.extension = "EXTEND"  # what lies at the other border does not show at this one
    before = np.empty(len(mesh.polygons), np.int32)
    mesh.polygons.foreach_get("material_index", before)
    mesh.materials.append(material)
    mesh.polygons.foreach_set("material_index", np.full(len(before), len(mesh.materials) - 1, np.int32))
    mesh.update()
    return Written(list(images.values()), material, before, added)


def _within(layer: bpy.types.MeshUVLoopLayer) -> bool:
    """Whether all UVs lie in the unit square."""
    uvs = np.empty(2 * len(layer.uv), np.float32)
    layer.uv.foreach_get("vector", uvs)
    return bool(uvs.min(initial=0) >= 0 and uvs.max(initial=0) <= 1)


def take_back(target: Handle, written: Written) -> None:
    """Remove what :func:`write` made and give the faces their materials back, where that still is as it was."""
    with contextlib.suppress(InputError):  # the object may be gone meanwhile
        mesh = target.get().data
        slot = next(
            (index for index, one in enumerate(mesh.materials) if one and one.session_uid in written.uids), None
        )
        if slot is not None:
            mesh.materials.pop(index=slot)
        if len(mesh.polygons) == len(written.before):
            mesh.polygons.foreach_set("material_index", written.before)
            if mesh.is_editmode:
                for face, index in zip(bmesh.from_edit_mesh(mesh).faces, written.before.tolist(), strict=False):
                    face.material_index = index
        if written.layer and (layer := mesh.uv_layers.get(written.layer)):
            mesh.uv_layers.remove(layer)
        mesh.update()
    discard(written.uids)


def linear_space() -> str:
    """Blender's name for linear light with its own primaries."""
    names = {one.name for one in bpy.types.ColorManagedInputColorspaceSettings.bl_rna.properties["name"].enum_items}
    return next(name for name in ("Linear Rec.709", "Linear", "Non-Color") if name in names)


def _load(picture: Picture, folder: str) -> bpy.types.Image:
    """The files as an image, packed, or kept in a folder."""
    files = dict(sorted(picture.files.items()))
    first = next(iter(files.values()))
    suffix = first.suffix
    stem = bpy.path.clean_name(picture.name)
    tiled = len(files) > 1 or next(iter(files)) != 1001
    file_name = f"{stem}.<UDIM>{suffix}" if tiled else f"{stem}{suffix}"
    place = Path(absolute_path(folder)) if folder else first.parent
    if folder:
        make_folder(place)
        file_name = _free(place, file_name, files)
    if folder or tiled:
        for tile, file in files.items():
            _copy(file, place / file_name.replace("<UDIM>", str(tile)))
    here = place / file_name.replace("<UDIM>", str(next(iter(files)))) if folder or tiled else first
    image = bpy.data.images.load(str(here))
    image.name = picture.name
    if tiled:
        image.source = "TILED"
        image.filepath_raw = str(place / file_name)
        image.tiles[0].number = next(iter(files))
        for tile in list(files)[1:]:
            image.tiles.new(tile_number=tile)
        image.reload()
    image.colorspace_settings.name = picture.colorspace
    image.alpha_mode = "STRAIGHT" if picture.channel == "base_color" else "CHANNEL_PACKED"
    if not folder:
        image.pack()
        image.filepath_raw = f"//{file_name}"
    return image


def _copy(file: Path, to: Path) -> None:
    write_file(to, lambda path: shutil.copyfile(file, path))


def _free(folder: Path, name: str, files: Mapping[int, Path]) -> str:
    """A file name of which there is none in the folder yet."""
    stem, dot, rest = name.partition(".")
    number = 0
    while any((folder / name.replace("<UDIM>", str(tile))).exists() for tile in files):
        number += 1
        name = f"{stem}_{number:03d}{dot}{rest}"
    return name


def _material(
    name: str, shading: Shading, images: Mapping[str, bpy.types.Image], uv_map: str, has_alpha: bool
) -> bpy.types.Material:
    source = shading.materials[shading.main]
    material = source.copy() if source else bpy.data.materials.new(name)
    material.name = name
    if material.library_weak_reference is None and material.asset_data:
        material.asset_clear()
    material.animation_data_clear()
    principled = next((one.node for one in seen(of_material(source)) if one.principled), None)
    tree = compat.node_tree(material)
    tree.nodes.clear()
    output, shader, uvs = (
        tree.nodes.new(f"ShaderNode{kind}") for kind in ("OutputMaterial", "BsdfPrincipled", "UVMap")
    )
    uvs.uv_map = uv_map
    output.location, shader.location, uvs.location = (300, 300), (0, 300), (-900, 300)
    tree.links.new(output.inputs["Surface"], shader.outputs["BSDF"])
    wires = shading.wires[shading.main]
    if principled:
        _copy_values(principled, shader)
    for one in INPUTS:
        wire = wires.get(one.name)
        socket = shader.inputs.get(one.socket)
        if socket is not None and wire is not None and wire.constant and one.name not in images:
            value = wire.offset.tolist()
            socket.default_value = (*value, 1)[: len(socket.default_value)] if one.width == 3 else value[0]
    nodes = {}
    for row, (channel, image) in enumerate(images.items()):
        node = nodes[channel] = tree.nodes.new("ShaderNodeTexImage")
        node.image, node.location, node.label = image, (-600, 300 - 300 * row), channel.replace("_", " ").capitalize()
        tree.links.new(node.inputs["Vector"], uvs.outputs["UV"])
    for one in INPUTS:
        if one.name in nodes:
            tree.links.new(shader.inputs[one.socket], nodes[one.name].outputs["Color"])
    if has_alpha:
        tree.links.new(shader.inputs["Alpha"], nodes["base_color"].outputs["Alpha"])
    _relief(tree, shader, output, nodes, wires, uv_map, shading)
    return material


def _copy_values(source: bpy.types.Node, shader: bpy.types.Node) -> None:
    """Plain values and settings of a Principled BSDF, where the other has the same."""
    for name in ("distribution", "subsurface_method"):
        setattr(shader, name, getattr(source, name))
    for socket in source.inputs:
        twin = shader.inputs.get(socket.name)
        if twin is not None and twin.type == socket.type and hasattr(twin, "default_value") and not socket.is_linked:
            twin.default_value = socket.default_value


def _relief(
    tree: bpy.types.NodeTree,
    shader: bpy.types.Node,
    output: bpy.types.Node,
    nodes: Mapping[str, bpy.types.Node],
    wires: Mapping[str, Wire],
    uv_map: str,
    shading: Shading,
) -> None:
    """Normal map, bump and displacement."""
    if "normal" in nodes:
        normal = tree.nodes.new("ShaderNodeNormalMap")
        normal.location, normal.uv_map = (-300, -300), uv_map
        normal.inputs["Strength"].default_value = common(shading, "normal")
        tree.links.new(normal.inputs["Color"], nodes["normal"].outputs["Color"])
        tree.links.new(shader.inputs["Normal"], normal.outputs["Normal"])
    if "bump" in nodes:
        bump = tree.nodes.new("ShaderNodeBump")
        strength, distance = bump_of(shading)
        bump.location, bump.invert = (-150, -300), strength < 0
        bump.inputs["Strength"].default_value = abs(strength)
        bump.inputs["Distance"].default_value = distance
        tree.links.new(bump.inputs["Height"], nodes["bump"].outputs["Color"])
        if "normal" in nodes:
            tree.links.new(bump.inputs["Normal"], normal.outputs["Normal"])
        tree.links.new(shader.inputs["Normal"], bump.outputs["Normal"])
    if "displacement" in nodes or "displacement" in wires:
        lift = tree.nodes.new("ShaderNodeDisplacement")
        lift.location = (0, -300)
        lift.inputs["Scale"].default_value, lift.inputs["Midlevel"].default_value = lift_of(shading)
        if "displacement" in nodes:
            tree.links.new(lift.inputs["Height"], nodes["displacement"].outputs["Color"])
        else:
            lift.inputs["Height"].default_value = wires["displacement"].offset[0]
        tree.links.new(output.inputs["Displacement"], lift.outputs["Displacement"])


def common(shading: Shading, channel: str) -> float:
    """The strength of a channel where all slots that have it agree; 1 where they do not (it is baked in then)."""
    strengths = {one[channel].strength for one in shading.wires.values() if channel in one}
    return strengths.pop() if len(strengths) == 1 else 1.0


def bump_of(shading: Shading) -> tuple[float, float]:
    """Strength and distance of a bump: of the slot where it is the highest."""
    found = [one["bump"] for one in shading.wires.values() if "bump" in one]
    highest = max(found, key=lambda wire: abs(wire.strength * wire.distance))
    return highest.strength, highest.distance


def lift_of(shading: Shading) -> tuple[float, float]:
    """Scale and midlevel of a displacement: the slots' own where they agree, else what all of them fit into."""
    found = [one["displacement"] for one in shading.wires.values() if "displacement" in one]
    if len({(wire.strength, wire.midlevel) for wire in found}) == 1:
        return found[0].strength, found[0].midlevel
    return 2 * max(abs(wire.strength) for wire in found), 0.5


def fitted(wire: Wire, channel: str, shading: Shading) -> Wire:
    """A slot's heights in the scale that :func:`_relief` gives to all slots."""
    if channel == "bump":
        strength, distance = bump_of(shading)
        return _scaled(wire, wire.strength * wire.distance, strength * distance, 0, 0)
    if channel == "displacement":
        scale, middle = lift_of(shading)
        return _scaled(wire, wire.strength, scale, wire.midlevel, middle)
    return wire


def _scaled(wire: Wire, own: float, common: float, own_middle: float, middle: float) -> Wire:
    """Heights about one middle in one scale, as heights about another in another."""
    share = own / common if common else 1.0
    return replace(wire, weights=wire.weights * share, offset=middle + (wire.offset - own_middle) * share)
