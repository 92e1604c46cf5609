"""Parts of sets of objects: carried from what is on one of them, renamed on all, written as objects."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from numpy.typing import NDArray

from helpers.main_job import refused
from meshkin import workflow
from meshkin.base.errors import InputError
from meshkin.base.progress import finish
from meshkin.scene import characters
from meshkin.scene.mesh import part_labels, part_objects
from meshkin.scene.mesh.part_labels import NAMES_PROPERTY, PART, SET_PROPERTY
from meshkin.workflow import FeatureOptions, Options, PartOptions


def grid(name: str, cells: int = 8, at: float = 0.0) -> bpy.types.Object:
    """A bumpy patch without symmetry in the scene."""
    steps = np.linspace(0, 1, cells + 1)
    points = [
        (2 * x, y, 0.3 * np.exp(-20 * ((x - 0.3) ** 2 + (y - 0.7) ** 2)) + 0.2 * x * y) for x in steps for y in steps
    ]
    faces = [
        (row * (cells + 1) + column, (row + 1) * (cells + 1) + column,
         (row + 1) * (cells + 1) + column + 1, row * (cells + 1) + column + 1)
        for row in range(cells) for column in range(cells)
    ]  # fmt: skip
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(points, [], faces)
    obj = bpy.data.objects.new(name, mesh)
    obj.location.x = at
    bpy.context.scene.collection.objects.link(obj)
    return obj


def quarters(obj: bpy.types.Object) -> NDArray[np.int32]:
    """The quarter of the patch in which each face lies."""
    middles = np.array([face.center for face in obj.data.polygons])
    return (2 * (middles[:, 0] > 1) + (middles[:, 1] > 0.5)).astype(np.int32)


def values(obj: bpy.types.Object) -> NDArray[np.int32]:
    return np.array([item.value for item in obj.data.attributes[PART].data])


def carried(method: str, *write: str, attribute: str = "") -> Options:
    return Options(
        features=FeatureOptions(extractor="geometric"),
        parts=PartOptions(method=method, write=write, attribute=attribute),
    )


def paint(obj: bpy.types.Object, method: str) -> list[str]:
    """Paint the quarters of an object as what a method reads; returns their names."""
    labels = quarters(obj)
    if method == "materials":
        for number in range(4):
            obj.data.materials.append(bpy.data.materials.new(f"Paint {number}"))
        obj.data.polygons.foreach_set("material_index", labels)
        return [f"Paint {number}" for number in range(4)]
    if method == "vertex_groups":
        for number in range(4):
            group = obj.vertex_groups.new(name=f"Group {number}")
            held = [vertex for face in obj.data.polygons if labels[face.index] == number for vertex in face.vertices]
            inside = [vertex for vertex in set(held) if held.count(vertex) > 1]  # two quarters share their border
            group.add(inside, 1.0, "REPLACE")
        return [f"Group {number}" for number in range(4)]
    name = {"face_sets": ".sculpt_face_set", "attribute": "zone", "parts": PART}[method]
    obj.data.attributes.new(name, "INT", "FACE").data.foreach_set("value", labels + (method == "face_sets"))
    if method == "parts":
        obj[NAMES_PROPERTY] = ["A", "B", "C", "D"]
        return ["A", "B", "C", "D"]
    return (
        [f"Face Set {number + 1}" for number in range(4)] if method == "face_sets" else [f"zone {n}" for n in range(4)]
    )


@pytest.mark.parametrize("method", ["face_sets", "materials", "vertex_groups", "attribute", "parts"])
def test_what_is_painted_on_one_comes_to_all(method: str) -> None:
    source, copies = grid("Source"), [grid("Copy", at=5), grid("Other", at=10)]
    names = paint(source, method)
    finish(workflow.parts([source, *copies], carried(method, "face_sets", attribute="zone")))
    for obj in (source, *copies):
        assert list(obj[NAMES_PROPERTY]) == names
        assert obj[SET_PROPERTY] == source[SET_PROPERTY]
        assert (values(obj) == quarters(obj)).mean() > 0.95


def test_a_part_is_renamed_on_all_objects_of_its_set() -> None:
    source, copy, stranger = grid("Source"), grid("Copy", at=5), grid("Stranger", at=10)
    paint(source, "face_sets")
    paint(stranger, "face_sets")
    finish(workflow.parts([source, copy], carried("face_sets", "materials", "vertex_groups")))
    finish(workflow.parts([stranger], carried("face_sets")))
    assert sorted(part_labels.rename(copy, 1, "Corner")) == ["Copy", "Source"]
    for obj in (source, copy):
        assert obj[NAMES_PROPERTY][1] == "Corner"
        assert "Corner" in obj.vertex_groups
        assert "Face Set 2" not in obj.vertex_groups
        assert "Corner" in obj.data.materials
    assert "Corner" not in stranger[NAMES_PROPERTY]
    for number, name, code in ((1, "Face Set 3", "part-name"), (1, " ", "part-name"), (9, "X", "part-unknown")):
        with pytest.raises(InputError) as caught:
            part_labels.rename(copy, number, name)
        assert caught.value.code == code


def test_objects_made_of_parts_are_renamed_with_them() -> None:
    source, copy = grid("Source"), grid("Copy", at=5)
    paint(source, "face_sets")
    finish(workflow.parts([source, copy], carried("face_sets", "objects")))
    kept = bpy.data.objects["Copy Face Set 3"]
    kept.name = "Mine"
    changed = part_labels.rename(bpy.data.objects["Copy Face Set 4"], 1, "Corner")
    assert {"Source Corner", "Copy Corner", "Mine"} < set(changed)
    for title in ("Source", "Copy"):
        piece = bpy.data.objects[f"{title} Corner"]
        assert piece.data.name == piece.name
        assert (quarters(piece) == 1).all()
        assert f"{title} Face Set 2" not in bpy.data.objects
    part_labels.rename(kept, 1, "Edge")
    part_labels.rename(kept, 2, "Middle")
    assert {"Source Edge", "Copy Edge", "Source Middle"} <= {obj.name for obj in bpy.data.objects}
    assert (kept.name, list(kept[NAMES_PROPERTY])[2]) == ("Mine", "Middle")
    piece = bpy.data.objects["Source Middle"]
    paint(piece, "face_sets")
    finish(workflow.parts([piece], carried("face_sets")))
    part_labels.rename(piece, 0, "Whole")
    assert piece.name == "Source Middle"


def test_parts_become_objects_that_keep_everything() -> None:
    obj = grid("Patch")
    labels = quarters(obj)
    mesh = obj.data
    layer = mesh.uv_layers.new(name="Map")
    places = np.array([mesh.vertices[loop.vertex_index].co for loop in mesh.loops])
    layer.uv.foreach_set("vector", places[:, :2].astype(np.float32).ravel())
    group = obj.vertex_groups.new(name="bone")
    for vertex in mesh.vertices:
        group.add([vertex.index], vertex.co.x / 2, "REPLACE")
    obj.shape_key_add(name="Basis")
    key = obj.shape_key_add(name="Up")
    for point, vertex in zip(key.data, mesh.vertices, strict=True):
        point.co = vertex.co.copy()
        point.co.z += 1 + vertex.co.x
    key.value = 0.25
    normals = np.column_stack((places[:, 0] / 4, places[:, 1] / 4, np.ones(len(places))))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    mesh.normals_split_custom_set(normals.tolist())
    before = np.array([item.vector for item in mesh.corner_normals])
    obj.modifiers.new("Solid", "SOLIDIFY")
    made = part_objects.separate(obj, labels, ["a", "b", "c.L", "c.R"])
    assert [piece.name for piece in made] == ["Patch a", "Patch b", "Patch c.L", "Patch c.R"]
    assert made[0] == obj
    corner = {}
    for place, normal in zip(places, before, strict=True):
        corner[tuple(np.round(place, 4))] = normal
    assert sum(len(piece.data.polygons) for piece in made) == len(labels)
    for number, piece in enumerate(made):
        own = piece.data
        assert len(own.polygons) == (labels == number).sum()
        assert (quarters(piece) == number).all()
        assert [modifier.type for modifier in piece.modifiers] == ["SOLIDIFY"]
        assert piece.users_collection == obj.users_collection
        at = np.array([own.vertices[loop.vertex_index].co for loop in own.loops])
        np.testing.assert_allclose([item.vector for item in own.uv_layers["Map"].uv], at[:, :2], atol=1e-6)
        for vertex in own.vertices:
            assert vertex.groups[0].weight == pytest.approx(vertex.co.x / 2, abs=1e-6)
        up = own.shape_keys.key_blocks["Up"]
        assert up.value == 0.25
        for point, vertex in zip(up.data, own.vertices, strict=True):
            assert point.co.z == pytest.approx(vertex.co.z + 1 + vertex.co.x, abs=1e-5)
        found = np.array([item.vector for item in own.corner_normals])
        wanted = np.array([corner[tuple(np.round(place, 4))] for place in at])
        assert np.abs(found - wanted).max() < 2e-3


def test_objects_are_written_by_the_job() -> None:
    source = grid("Source")
    paint(source, "face_sets")
    sharing = bpy.data.objects.new("Sharing", source.data)
    bpy.context.scene.collection.objects.link(sharing)
    report = finish(workflow.parts([source], carried("face_sets", "objects")))
    assert len(sharing.data.polygons) == 64
    assert report.data["objects"]["Source"] == [f"Source Face Set {number}" for number in (1, 2, 3, 4)]
    assert all(name in bpy.data.objects for name in report.data["objects"]["Source"])


def test_bad_input_is_refused_and_empty_parts_are_told() -> None:
    bare, tiny, source = grid("Bare"), grid("Tiny", 1, 5), grid("Source", at=10)
    for method, code in (
        ("parts", "no-parts"), ("face_sets", "no-face-sets"), ("materials", "no-materials"),
        ("vertex_groups", "no-vertex-groups"), ("attribute", "no-attributes"),
    ):  # fmt: skip
        refused(workflow.parts([bare], carried(method)), InputError, code)
    many = Options(features=FeatureOptions(extractor="geometric"), parts=PartOptions(count=50))
    refused(workflow.parts([tiny], many), InputError, "too-many-parts")
    few = Options(features=FeatureOptions(extractor="geometric"), parts=PartOptions(count=65))
    report = finish(workflow.parts([bare], few))  # of 64 quadrilaterals
    assert 20 < len(bare[NAMES_PROPERTY]) < 65
    assert any("65 parts were asked for" in line for line in report.details)
    finish(workflow.parts([tiny], Options(features=FeatureOptions(extractor="geometric"), parts=PartOptions(count=0))))
    assert values(tiny).tolist() == [0]
    paint(source, "parts")
    source[NAMES_PROPERTY] = ["A", "B", "C", "D", "Empty"]
    report = finish(workflow.parts([source, source], carried("parts", "vertex_groups")))
    assert list(source[NAMES_PROPERTY]) == ["A", "B", "C", "D", "Empty"]
    assert report.data["parts"] == {"Source": {"A": 16, "B": 16, "C": 16, "D": 16, "Empty": 0}}
    assert any("Empty" in line for line in report.details)


def test_meshes_of_one_character_are_one_surface_and_levels_of_detail_are_not() -> None:
    rig = bpy.data.objects.new("Rig", bpy.data.armatures.new("Rig"))
    bpy.context.scene.collection.objects.link(rig)
    body, hat, coarse, other = grid("Body"), grid("Hat"), grid("Body LOD1", 4), grid("Other", at=20)
    hat.scale = (0.2, 0.2, 0.2)
    hat.location.z = 0.5
    for obj in (body, hat, coarse):
        obj.parent = rig
        obj.modifiers.new("Armature", "ARMATURE").object = rig
    bpy.context.view_layer.update()
    groups = characters.of_selected([body, other, hat, coarse])
    assert [[obj.name for obj in group] for group in groups] == [["Body", "Hat"], ["Other"], ["Body LOD1"]]
