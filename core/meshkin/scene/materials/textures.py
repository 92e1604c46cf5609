"""A new material for the target, made of baked picture files; existing materials and images are not changed."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import bmesh
import bpy
import numpy as np
from numpy.typing import NDArray

from ...base.errors import InputError, MeshKinError
from ...base.storage import file_name, make_folder
from ...base.udim import FIRST_TILE
from .. import compat
from ..arrays import read_floats, read_integers, write_vectors
from ..blend import absolute_path
from ..mesh.payloads import MAX_UV_MAPS
from ..mesh.snapshot import BAKED_PROPERTY, check_corner_count, check_writable
from ..objects import Handle, remove_data_blocks, remove_material_slot
from . import picture_files
from .channels import SHADER_INPUTS, ChannelValue, Shading, common_bump, common_displacement, common_strength
from .shaders import shaders, visible_shaders

UV_NAME = "MeshKin"
"""Name of the UV map that a mesh without one is given."""


@dataclass(frozen=True)
class BakedPicture:
    """One baked picture.

    Attributes:
        channel: as in :data:`meshkin.scene.materials.channels.SHADER_INPUTS`, or "normal", "bump", "displacement",
            "mask".
        files: the file of each UDIM tile (1001 and on); one file, of 1001, for a picture without tiles.
        name: for the image.
        colorspace: of the values in the files.
        has_alpha: its fourth channel is the material's alpha.
    """

    channel: str
    files: Mapping[int, Path]
    name: str
    colorspace: str
    has_alpha: bool = False


@dataclass(frozen=True)
class BakedMaterial:
    """A material to be made of baked pictures.

    Attributes:
        name: for the material.
        pictures: of its channels.
    """

    name: str
    pictures: Sequence[BakedPicture]


@dataclass
class WrittenMaterials:
    """What :func:`write` added, and what is needed to undo it.

    Attributes:
        images: the new images.
        channels: of the images.
        materials: in the new slots, those too that were made for another mesh of the character.
        slots_before: int32 (P,), the material slot that each face had before.
        had_slots: whether the mesh had stored them, which it need not if all are the first.
        uv_map: name of the UV map that was added, or "".
        uv_maps_before: names of the UV maps that were active and rendered then, where there were any.
        uids: ``session_uid`` of the new data-blocks.
    """

    images: list[bpy.types.Image]
    channels: list[str]
    materials: list[bpy.types.Material]
    slots_before: NDArray[np.int32]
    had_slots: bool
    uv_map: str
    uv_maps_before: tuple[str, str] | None

    def __post_init__(self) -> None:
        self.uids = {block.session_uid for block in (*self.materials, *self.images)}


def write(
    obj: bpy.types.Object,
    shading: Shading,
    baked: Sequence[BakedMaterial],
    layer_of_slot: Sequence[int] = (),
    uvs: NDArray[np.floating] | None = None,
    folder: str = "",
    made: dict[tuple[int, str], bpy.types.Material] | None = None,
) -> WrittenMaterials:  # what is made, of what and where
    """Give the object new materials of the pictures and the source's values, in new slots that its faces use.

    Args:
        obj: the target.
        shading: the source's materials; values and settings come from the one with the most faces.
        baked: the materials.
        layer_of_slot: for each of the object's present slots, which of the materials its faces get; the first where it
            is too short. Materials that no face gets are not made.
        uvs: (C, 2) of the mesh's own corners, for a mesh without UVs of use: a new UV map is made of them.
        folder: where to keep the images as files; "" packs them into the .blend.
        made: the materials that were made for other meshes of the character, by their numbers and the UV map; they are
            used again, and those made now are added.

    Raises:
        InputError: ``mesh-changed``, and as :func:`meshkin.scene.mesh.snapshot.check_writable`.
    """
    check_writable(obj)
    mesh = obj.data
    if uvs is not None:
        check_corner_count(obj, len(uvs))
    slots_before, had_slots = read_integers(mesh.polygons, "material_index"), "material_index" in mesh.attributes
    layers = np.zeros(max(int(slots_before.max(initial=0)) + 1, len(layer_of_slot)), np.int32)
    layers[: len(layer_of_slot)] = layer_of_slot
    used, place = np.unique(layers[slots_before], return_inverse=True)
    made = {} if made is None else made
    before = _uv_maps_in_use(mesh)
    uv_map = before[1] if uvs is None and before else free_uv_name(mesh)
    wanted = [(layer, uv_map) for layer in used.tolist()]
    images = _load_all({key: baked[key[0]] for key in wanted if key not in made}, folder)
    if uvs is not None:
        add_uv_map(mesh, uv_map, uvs)
    first = len(mesh.materials)
    for key in wanted:
        if key not in made:
            made[key] = _made_of(baked[key[0]], images[key], shading, mesh, uv_map)
        mesh.materials.append(made[key])
    mesh.polygons.foreach_set("material_index", (first + place.reshape(-1)).astype(np.int32))
    mesh.update()
    return WrittenMaterials(
        [image for loaded in images.values() for image in loaded.values()],
        [channel for loaded in images.values() for channel in loaded],
        [made[key] for key in wanted],
        slots_before,
        had_slots,
        "" if uvs is None else uv_map,
        before,
    )


def _load_all(
    baked: Mapping[tuple[int, str], BakedMaterial], folder: str
) -> dict[tuple[int, str], dict[str, bpy.types.Image]]:
    """The images of each material by their channels; none stays if one cannot be loaded."""
    images: dict[tuple[int, str], dict[str, bpy.types.Image]] = {key: {} for key in baked}
    try:
        for key, material in baked.items():
            for picture in material.pictures:
                images[key][picture.channel] = _load(picture, folder)
    except MeshKinError:
        bpy.data.batch_remove([image for loaded in images.values() for image in loaded.values()])
        raise
    return images


def _made_of(
    baked: BakedMaterial,
    images: Mapping[str, bpy.types.Image],
    shading: Shading,
    mesh: bpy.types.Mesh,
    uv_map: str,
) -> bpy.types.Material:
    """The new material of loaded images."""
    has_alpha = any(picture.has_alpha for picture in baked.pictures)
    used = {channel: image for channel, image in images.items() if channel != "mask"}
    material = _new_material(baked.name, shading, used, uv_map, has_alpha)
    if any(image.source == "TILED" for image in used.values()) or _in_unit_square(mesh.uv_layers[uv_map]):
        for node in compat.node_tree(material).nodes:
            if node.bl_idname == "ShaderNodeTexImage":
                node.extension = "EXTEND"  # no interpolation with what lies at the opposite border
    return material


def _uv_maps_in_use(mesh: bpy.types.Mesh) -> tuple[str, str] | None:
    """The names of the UV maps that are active and rendered; None without any."""
    if not mesh.uv_layers:
        return None
    return mesh.uv_layers.active.name, next(layer.name for layer in mesh.uv_layers if layer.active_render)


def free_uv_name(mesh: bpy.types.Mesh) -> str:
    """A name that no UV map of the mesh has."""
    names = (UV_NAME, *(f"{UV_NAME}.{number:03d}" for number in range(1, MAX_UV_MAPS + 1)))
    return next(name for name in names if name not in mesh.uv_layers)


def add_uv_map(mesh: bpy.types.Mesh, name: str, uvs: NDArray[np.floating]) -> None:
    """Add a UV map (C, 2), active and rendered."""
    layer = mesh.uv_layers.new(name=name, do_init=False)
    write_vectors(layer.uv, "vector", uvs)
    layer.active_render, mesh.uv_layers.active = True, layer


def _in_unit_square(layer: bpy.types.MeshUVLoopLayer) -> bool:
    """Whether all UVs lie in the unit square."""
    uvs = read_floats(layer.uv, "vector", 2)
    return bool(uvs.min(initial=0) >= 0 and uvs.max(initial=0) <= 1)


def undo_write(target: Handle, written: WrittenMaterials) -> None:
    """Remove what :func:`write` added and give the faces their material slots back, if the object has these materials.

    Whatever was deleted or changed since then is left as it is.
    """
    with contextlib.suppress(InputError):  # the object may be gone meanwhile
        mesh = target.get().data
        uids = [material.session_uid if material else None for material in mesh.materials]
        if slots := [index for index, uid in enumerate(uids) if uid in written.uids]:
            _take_slots_back(mesh, slots, written)
    remove_data_blocks(written.uids)


def _take_slots_back(mesh: bpy.types.Mesh, slots: Sequence[int], written: WrittenMaterials) -> None:
    """Remove these slots and the new UV map; the faces have their former slots again."""
    for slot in reversed(slots):
        remove_material_slot(mesh, slot)
    if len(mesh.polygons) == len(written.slots_before):
        mesh.polygons.foreach_set("material_index", written.slots_before)
        if mesh.is_editmode:
            for face, index in zip(bmesh.from_edit_mesh(mesh).faces, written.slots_before.tolist(), strict=False):
                face.material_index = index
        elif not written.had_slots:
            mesh.attributes.remove(mesh.attributes["material_index"])
    if written.uv_map and (layer := mesh.uv_layers.get(written.uv_map)):
        mesh.uv_layers.remove(layer)
        active, rendered = (mesh.uv_layers.get(name) for name in written.uv_maps_before or ("", ""))
        if active and rendered:
            mesh.uv_layers.active, rendered.active_render = active, True
    mesh.update()


def linear_colorspace() -> str:
    """Name of the color space of linear light with Rec. 709 primaries, which the color configuration decides."""
    spaces = bpy.types.ColorManagedInputColorspaceSettings.bl_rna.properties["name"].enum_items
    names = {space.name for space in spaces}
    return next(name for name in ("Linear Rec.709", "Linear", "Non-Color") if name in names)


# Images -----------------------------------------------------------------------------------------------------------


def _load(picture: BakedPicture, folder: str) -> bpy.types.Image:
    """The files of a picture as an image: packed if ``folder`` is "", else copied into that folder."""
    files = dict(sorted(picture.files.items()))
    first_tile, first_file = next(iter(files.items()))
    tiled = len(files) > 1 or first_tile != FIRST_TILE
    stem, suffix = file_name(picture.name), first_file.suffix
    name = f"{stem}.<UDIM>{suffix}" if tiled else f"{stem}{suffix}"
    place = Path(absolute_path(folder)) if folder else first_file.parent
    if folder:
        make_folder(place)
        name = picture_files.free_name(place, name, files)
    if folder or tiled:
        for tile, file in files.items():
            picture_files.copy_file(file, place / name.replace("<UDIM>", str(tile)))
        first_file = place / name.replace("<UDIM>", str(first_tile))
    image = bpy.data.images.load(str(first_file))
    image.name = picture.name
    if tiled:
        image.source = "TILED"
        image.filepath_raw = str(place / name)
        image.tiles[0].number = first_tile
        for tile in list(files)[1:]:
            image.tiles.new(tile_number=tile)
        image.reload()
    image.colorspace_settings.name = picture.colorspace
    image.alpha_mode = "STRAIGHT" if picture.channel == "base_color" else "CHANNEL_PACKED"
    if not folder:
        image.pack()
        image.filepath_raw = f"//{name}"
    elif folder.startswith("//") and bpy.data.filepath:
        image.filepath_raw = bpy.path.relpath(str(place / name))  # the project can be moved
    return image


# Nodes ------------------------------------------------------------------------------------------------------------


def _new_material(
    name: str, shading: Shading, images: Mapping[str, bpy.types.Image], uv_map: str, has_alpha: bool
) -> bpy.types.Material:
    """A copy of the source's main material with new nodes: a Principled BSDF fed by the images and constants."""
    source = shading.materials[shading.main_slot]
    material = source.copy() if source else bpy.data.materials.new(name)
    material.name, material[BAKED_PROPERTY] = name, True
    if material.library_weak_reference is None and material.asset_data:
        material.asset_clear()
    material.animation_data_clear()
    visible = visible_shaders(shaders(source))
    source_principled = next((shader.node for shader in visible if shader.is_principled), None)
    tree = compat.node_tree(material)
    tree.nodes.clear()
    output, principled, uv_node = (
        tree.nodes.new(f"ShaderNode{kind}") for kind in ("OutputMaterial", "BsdfPrincipled", "UVMap")
    )
    uv_node.uv_map = uv_map
    output.location, principled.location, uv_node.location = (300, 300), (0, 300), (-900, 300)
    tree.links.new(output.inputs["Surface"], principled.outputs["BSDF"])
    if source_principled:
        _copy_settings(source_principled, principled)
    _set_constants(principled, shading.channels[shading.main_slot], images)
    nodes = {}
    for row, (channel, image) in enumerate(images.items()):
        node = nodes[channel] = tree.nodes.new("ShaderNodeTexImage")
        node.image, node.location, node.label = image, (-600, 300 - 300 * row), channel.replace("_", " ").capitalize()
        tree.links.new(node.inputs["Vector"], uv_node.outputs["UV"])
    for shader_input in SHADER_INPUTS:
        if shader_input.name in nodes:
            tree.links.new(principled.inputs[shader_input.socket], nodes[shader_input.name].outputs["Color"])
    if has_alpha:
        tree.links.new(principled.inputs["Alpha"], nodes["base_color"].outputs["Alpha"])
    _link_normals(tree, principled, nodes, uv_map, shading)
    _link_displacement(tree, output, nodes, shading)
    return material


def _copy_settings(source: bpy.types.Node, principled: bpy.types.Node) -> None:
    """Copy the settings and unlinked input values of a Principled BSDF that the other has too."""
    for name in ("distribution", "subsurface_method"):
        setattr(principled, name, getattr(source, name))
    for socket in source.inputs:
        same = principled.inputs.get(socket.name)
        if same is not None and same.type == socket.type and hasattr(same, "default_value") and not socket.is_linked:
            same.default_value = socket.default_value


def _set_constants(
    principled: bpy.types.Node, values: Mapping[str, ChannelValue], images: Mapping[str, bpy.types.Image]
) -> None:
    """Set the inputs whose channel is a constant and has no image."""
    for shader_input in SHADER_INPUTS:
        value = values.get(shader_input.name)
        socket = principled.inputs.get(shader_input.socket)
        if socket is None or value is None or not value.is_constant or shader_input.name in images:
            continue
        numbers = value.offset.tolist()
        if shader_input.width == 3:
            socket.default_value = (*numbers, 1)[: len(socket.default_value)]  # colors have four numbers, vectors three
        else:
            socket.default_value = numbers[0]


def _link_normals(
    tree: bpy.types.NodeTree,
    principled: bpy.types.Node,
    nodes: Mapping[str, bpy.types.Node],
    uv_map: str,
    shading: Shading,
) -> None:
    """Link the pictures of a normal map and of a bump, if there are any, to the shader's normal."""
    if "normal" in nodes:
        normal = tree.nodes.new("ShaderNodeNormalMap")
        normal.location, normal.uv_map = (-300, -300), uv_map
        normal.inputs["Strength"].default_value = common_strength(shading, "normal")
        tree.links.new(normal.inputs["Color"], nodes["normal"].outputs["Color"])
        tree.links.new(principled.inputs["Normal"], normal.outputs["Normal"])
    if "bump" in nodes:
        bump = tree.nodes.new("ShaderNodeBump")
        strength, distance = common_bump(shading)
        bump.location, bump.invert = (-150, -300), strength < 0
        bump.inputs["Strength"].default_value = abs(strength)
        bump.inputs["Distance"].default_value = distance
        tree.links.new(bump.inputs["Height"], nodes["bump"].outputs["Color"])
        if "normal" in nodes:
            tree.links.new(bump.inputs["Normal"], normal.outputs["Normal"])
        tree.links.new(principled.inputs["Normal"], bump.outputs["Normal"])


def _link_displacement(
    tree: bpy.types.NodeTree, output: bpy.types.Node, nodes: Mapping[str, bpy.types.Node], shading: Shading
) -> None:
    """Link the picture or the constant of the displacement, if there is one, to the material's output."""
    value = shading.channels[shading.main_slot].get("displacement")
    if "displacement" not in nodes and value is None:
        return
    displacement = tree.nodes.new("ShaderNodeDisplacement")
    displacement.location = (0, -300)
    scale, midlevel = common_displacement(shading)
    displacement.inputs["Scale"].default_value, displacement.inputs["Midlevel"].default_value = scale, midlevel
    if "displacement" in nodes:
        tree.links.new(displacement.inputs["Height"], nodes["displacement"].outputs["Color"])
    elif value is not None:
        displacement.inputs["Height"].default_value = value.offset[0]
    tree.links.new(output.inputs["Displacement"], displacement.outputs["Displacement"])
