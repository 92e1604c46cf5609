"""Parts on a mesh: an attribute of its faces, and what else they are written as."""

from __future__ import annotations

import colorsys
import re
import uuid
from collections.abc import Sequence
from pathlib import Path

import bpy
import numpy as np
from numpy.typing import NDArray

from ...base.errors import InputError, OptionError
from ...base.names import MAX_NAME_BYTES, cut
from ...base.storage import write_arrays
from ...data.snapshot import Snapshot
from ...parts.options import METHODS, WRITTEN, PartOptions
from .. import compat
from ..arrays import read_integers
from ..objects import remove_material_slot
from ..rig.binding import armatures_of
from . import attributes, payloads
from .snapshot import check_face_count, check_same_vertices, check_writable, evaluated

PART = attributes.ATTRIBUTE_PREFIX + "part"
"""The attribute of the faces that holds the number of their part, from 0."""
PART_CONFIDENCE = PART + "_confidence"
"""The attribute of the faces that holds how sure that is."""
FACE_SET = ".sculpt_face_set"
"""The attribute in which Blender keeps face sets."""
NAMES_PROPERTY = "meshkin_parts"
"""Custom property of an object: the names of its parts, in the order of their numbers."""
SET_PROPERTY = "meshkin_part_set"
"""Custom property of an object: what it has in common with those that have the same parts."""
PIECE_PROPERTY = "meshkin_part_piece"
"""Custom property of an object that was made of a part: the number of the part, the name of the object before it was
separated, and the name that the piece was given."""
_GROUPS_PROPERTY = "meshkin_part_groups"
"""Custom property of an object: the vertex groups that were made for its parts."""
_MADE_NAME = re.compile(r"Part \d+(\.[LR])?")
_APART = " (part)"
"""Ends the name of a part's vertex group where the user has a group of the part's name, as of a bone."""
_MOST_NAMED = 8
"""Parts without faces that a report names. Chosen: a sentence can still be read."""
_MARK = "meshkin_part"
"""Custom property of materials that were made for parts."""
_GOLDEN = 0.618034
"""Turn of the hue from one part to the next: neighbors in the list never look alike."""
_SATURATION, _VALUE = 0.55, 0.8
"""Of the parts' colors. Chosen."""


def check_options(options: PartOptions) -> None:
    """Raise OptionError ``option-invalid`` for a method, or for something to write parts as, that is not known."""
    for choices, chosen in ((METHODS, (options.method,)), (WRITTEN, options.write)):
        known = [choice.value for choice in choices]
        if unknown := [name for name in chosen if name not in known]:
            raise OptionError("option-invalid", f"“{unknown[0]}” is not known.", f"Choose from {', '.join(known)}.")


def names_of(obj: bpy.types.Object, count: int, new: Sequence[str] = ()) -> list[str]:
    """The names of an object's parts: those that it has if they are as many, else new ones.

    Names of the kind "Part 1" or "Part 1.L" give way to the ``new`` ones; "Part 1", "Part 2" ... where none are given.
    """
    names = [str(name) for name in obj.get(NAMES_PROPERTY, ())]
    fresh = list(new) or [f"Part {number + 1}" for number in range(count)]
    if len(names) != count:
        return fresh
    return [made if _MADE_NAME.fullmatch(name) and new else name for name, made in zip(names, fresh, strict=True)]


def set_of(obj: bpy.types.Object) -> str:
    """What an object has in common with those that have the same parts; "" where it has none."""
    return str(obj.get(SET_PROPERTY, ""))


def objects_of_set(obj: bpy.types.Object) -> list[bpy.types.Object]:
    """The object, and those that have the same parts."""
    name = set_of(obj)
    return [other for other in bpy.data.objects if other == obj or (name and set_of(other) == name)]


def rename(obj: bpy.types.Object, number: int, name: str) -> list[str]:
    """Rename a part of an object, and of all that have the same parts, with what it was written as.

    Returns the names of the objects whose part has another name now.

    Raises:
        InputError: ``part-unknown`` (there is no such part), ``part-name`` (the name is empty, or another part's),
            ``read-only``.
    """
    names = [str(each) for each in obj.get(NAMES_PROPERTY, ())]
    if not 0 <= number < len(names):
        raise InputError("part-unknown", f"“{obj.name}” has no part {number + 1}.", "Find its parts first.")
    name, old = name.strip(), names[number]
    if not name or name in (names[:number] + names[number + 1 :]):
        said = f"There is another part “{name}”." if name else "A part needs a name."
        raise InputError("part-name", said, "Choose another name.")
    changed = []
    for other in objects_of_set(obj):
        own = [str(each) for each in other.get(NAMES_PROPERTY, ())]
        if other.library or not number < len(own):
            continue
        own[number] = name
        other[NAMES_PROPERTY] = own
        _rename_written(other, old, name)
        if PIECE_PROPERTY in other and other[PIECE_PROPERTY]["part"] == number:
            _rename_piece(other, name)
        changed.append(other.name)
    return changed


def name_piece(obj: bpy.types.Object, number: int, title: str, name: str) -> None:
    """Name an object that was made of a part, and note that.

    Args:
        obj: the object, whose mesh is its own.
        number: of the part.
        title: name of the object before it was separated.
        name: of the part.
    """
    obj.name = obj.data.name = cut(f"{title} {name}")
    obj[PIECE_PROPERTY] = {"part": number, "title": title, "name": obj.name}


def _rename_piece(obj: bpy.types.Object, name: str) -> None:
    """Rename an object that was made of a part; one that the user has called something else keeps that name."""
    noted = obj[PIECE_PROPERTY].to_dict()
    if obj.name == noted["name"] and not obj.data.library:
        name_piece(obj, noted["part"], noted["title"], name)


def _rename_written(obj: bpy.types.Object, old: str, name: str) -> None:
    """Rename a part's material and vertex group."""
    for slot in obj.material_slots:
        if slot.material and slot.material.get(_MARK) == old and not slot.material.library:
            slot.material.name, slot.material[_MARK] = name, name
    groups = [str(each) for each in obj.get(_GROUPS_PROPERTY, ())]
    taken = {group.name for group in obj.vertex_groups} - set(groups)
    for index, each in enumerate(groups):
        if each in (cut(old), _apart(old)) and (group := obj.vertex_groups.get(each)):
            group.name = cut(name) if cut(name) not in taken else _apart(name)
            groups[index] = group.name
    if groups:
        obj[_GROUPS_PROPERTY] = groups


def painted_groups(obj: bpy.types.Object) -> list[bpy.types.VertexGroup]:
    """The vertex groups that tell parts: those written for parts, else those that are no bones', else all."""
    written = {str(name) for name in obj.get(_GROUPS_PROPERTY, ())}
    bones = {bone.name for armature in armatures_of(obj) for bone in armature.data.bones}
    for wanted in (written, {group.name for group in obj.vertex_groups} - bones):
        if groups := [group for group in obj.vertex_groups if group.name in wanted]:
            return groups
    return list(obj.vertex_groups)


def has_parts(obj: bpy.types.Object) -> bool:
    """Whether a mesh object has parts, or face sets."""
    return obj.type == "MESH" and any(label_attribute(obj.data, name) for name in (PART, FACE_SET))


def read(obj: bpy.types.Object, snapshot: Snapshot) -> tuple[NDArray[np.int32], list[str]]:
    """The part of each face as the modifiers leave them, int32 (P,) from 0, and the parts' names.

    Without parts, face sets stand for them.

    Args:
        obj: a mesh object that :func:`has_parts`.
        snapshot: of the object.

    Raises:
        InputError: ``mesh-changed`` when the mesh has other vertices than the snapshot.
    """
    with evaluated(obj) as (_, mesh):
        check_same_vertices(obj, mesh, snapshot)
        attribute = label_attribute(mesh, PART) or label_attribute(mesh, FACE_SET)
        labels = np.zeros(len(mesh.polygons), np.int32)
        if attribute is not None:
            attribute.data.foreach_get("value", labels)
        is_part = attribute is not None and attribute.name == PART
    if is_part and labels.min(initial=0) >= 0:
        return labels, names_of(obj, max(int(labels.max(initial=0)) + 1, len(obj.get(NAMES_PROPERTY, ()))))
    numbers, ranks = np.unique(labels, return_inverse=True)
    return ranks.astype(np.int32), [f"Face Set {number}" for number in numbers]


def write(
    obj: bpy.types.Object,
    labels: NDArray[np.integer],
    confidence: NDArray[np.floating] | None,
    names: Sequence[str],
    write_as: Sequence[str] = (),
    set_name: str = "",
) -> list[str]:
    """Write parts as attributes, and as what else was asked for; what an earlier run wrote is replaced, but for seams.

    Args:
        obj: a mesh object.
        labels: (N,), the part of each face of its own mesh, from 0.
        confidence: (N,), in [0, 1]; None if it is not known.
        names: of the parts.
        write_as: any of :data:`meshkin.parts.options.WRITTEN`; objects are made by
            :func:`meshkin.scene.mesh.part_objects.separate`.
        set_name: what all objects that have these parts have in common.

    Returns sentences about it.

    Raises:
        InputError: ``mesh-changed``, and as :func:`meshkin.scene.mesh.snapshot.check_writable`.
    """
    check_writable(obj)
    check_face_count(obj, len(labels))
    _write_on_faces(obj, PART, "INT", labels)
    if confidence is not None:
        _write_on_faces(obj, PART_CONFIDENCE, "FLOAT", confidence)
    elif stale := obj.data.attributes.get(PART_CONFIDENCE):
        obj.data.attributes.remove(stale)
    obj[NAMES_PROPERTY] = list(names)
    obj[SET_PROPERTY] = set_name or uuid.uuid4().hex
    obj.pop(PIECE_PROPERTY, None)  # its parts are others now
    present = np.unique(labels)
    sentences = [f"“{obj.name}”: {len(present)} parts, in the attribute “{PART}” of its faces."]
    if missing := [name for number, name in enumerate(names) if number not in present]:
        more = f" and {len(missing) - _MOST_NAMED} more" if len(missing) > _MOST_NAMED else ""
        sentences.append(f"“{obj.name}” has no faces of {', '.join(missing[:_MOST_NAMED])}{more}.")
    if "face_sets" in write_as:
        _write_on_faces(obj, FACE_SET, "INT", labels + 1)  # Blender's begin with 1
    if "materials" in write_as:
        sentences.append(_write_materials(obj, labels, names))
    if "vertex_groups" in write_as:
        sentences += _write_vertex_groups(obj, labels, names)
    if "seams" in write_as:
        sentences.append(_write_seams(obj, labels))
    return sentences


def save(objects: Sequence[bpy.types.Object], path: Path) -> None:
    """Write the parts of objects to a .npz file: for each object ``NAME``, int32 (N,), and ``NAME.confidence``.

    N are the faces of its own mesh. ``names`` are those of the parts. Raises StorageError.
    """
    arrays: dict[str, NDArray[np.generic]] = {"names": np.array(list(objects[0][NAMES_PROPERTY]))}
    for obj in objects:
        for name, end, kind in ((PART, "", np.int32), (PART_CONFIDENCE, ".confidence", np.float32)):
            values = np.zeros(len(obj.data.polygons), kind)
            obj.data.attributes[name].data.foreach_get("value", values)
            arrays[obj.name + end] = values
    write_arrays(path, arrays)


def color_of(number: int) -> tuple[float, float, float, float]:
    """The color of a part, scene linear."""
    return (*colorsys.hsv_to_rgb(number * _GOLDEN % 1, _SATURATION, _VALUE), 1.0)


def label_attribute(mesh: bpy.types.Mesh, name: str) -> bpy.types.Attribute | None:
    """The whole numbers that a mesh has on its faces under a name."""
    attribute = mesh.attributes.get(name)
    return attribute if attribute and (attribute.domain, attribute.data_type) == ("FACE", "INT") else None


def _write_on_faces(obj: bpy.types.Object, name: str, kind: str, values: NDArray[np.generic]) -> None:
    attributes.write_transferred(obj, attributes.Attribute(name, kind, values, "FACE"), values[:, None])


def _write_materials(obj: bpy.types.Object, labels: NDArray[np.integer], names: Sequence[str]) -> str:
    for index in reversed(range(len(obj.data.materials))):
        material = obj.data.materials[index]
        if material and _MARK in material:
            remove_material_slot(obj.data, index)
    return payloads.write_materials(obj, [_material(number, name) for number, name in enumerate(names)], labels)


def _material(number: int, name: str) -> bpy.types.Material:
    """The material of a part; objects whose parts have one name share it."""
    for material in bpy.data.materials:
        if material.get(_MARK) == name and not material.library:
            return material
    material = bpy.data.materials.new(name)
    material[_MARK] = name
    material.diffuse_color = color_of(number)
    shader = next(node for node in compat.node_tree(material).nodes if node.type == "BSDF_PRINCIPLED")
    shader.inputs["Base Color"].default_value = color_of(number)
    return material


def _write_vertex_groups(obj: bpy.types.Object, labels: NDArray[np.integer], names: Sequence[str]) -> list[str]:
    """Write a vertex group for each part; the user's own groups, such as those of bones, are never changed."""
    before = {str(name) for name in obj.get(_GROUPS_PROPERTY, ())}
    taken = {group.name for group in obj.vertex_groups} - before
    groups = [cut(name) if cut(name) not in taken else _apart(name) for name in names]
    for name in before - set(groups):
        if (group := obj.vertex_groups.get(name)) and not group.lock_weight:
            obj.vertex_groups.remove(group)
    corners = read_integers(obj.data.loops, "vertex_index")
    part = np.repeat(labels, read_integers(obj.data.polygons, "loop_total"))
    locked = []
    everything = list(range(len(obj.data.vertices)))
    for number, name in enumerate(groups):
        group = obj.vertex_groups.get(name) or obj.vertex_groups.new(name=name)
        if group.lock_weight:
            locked.append(name)
            continue
        group.remove(everything)
        group.add(np.unique(corners[part == number]).tolist(), 1.0, "REPLACE")
    obj[_GROUPS_PROPERTY] = groups
    sentences = [f"Vertex groups: {', '.join(groups)}."]
    return sentences + ([f"Locked, left as they were: {', '.join(locked)}."] if locked else [])


def _apart(name: str) -> str:
    """The name of a part's vertex group where the user has a group of the part's name."""
    return cut(name, MAX_NAME_BYTES - len(_APART)) + _APART


def _write_seams(obj: bpy.types.Object, labels: NDArray[np.integer]) -> str:
    mesh = obj.data
    edge = read_integers(mesh.loops, "edge_index")
    part = np.repeat(labels, read_integers(mesh.polygons, "loop_total"))
    low, high = np.full(len(mesh.edges), len(labels)), np.full(len(mesh.edges), -1)
    np.minimum.at(low, edge, part)
    np.maximum.at(high, edge, part)
    seams = np.zeros(len(mesh.edges), bool)
    mesh.edges.foreach_get("use_seam", seams)
    border = high > low
    mesh.edges.foreach_set("use_seam", seams | border)
    mesh.update()
    return f"UV seams: {int(border.sum())} edges between parts."
