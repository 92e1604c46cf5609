"""What else lives on a surface, carried over: attributes, materials, UV maps, shape keys, detail, hair."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np
import pytest
from numpy.typing import NDArray

from helpers.skins import OPTIONS, add_material, blob, copy_without_materials
from meshkin import workflow
from meshkin.base.errors import InputError
from meshkin.base.progress import finish


def test_other_payloads() -> None:
    """Attributes of every domain, materials, UV maps, shape keys and detail, onto a copy with its own."""
    source = blob("source")
    for name in ("upper", "lower"):
        add_material(source, name)
    heights = np.array([polygon.center.z for polygon in source.data.polygons])
    source.data.polygons.foreach_set("material_index", (heights > 0).astype(np.int32))
    marks = source.data.attributes.new("marks", "BOOLEAN", "EDGE")
    flags = np.zeros(len(source.data.edges), bool)
    flags[100:140] = True
    marks.data.foreach_set("value", flags)
    groups = source.data.attributes.new("groups", "INT", "FACE")
    groups.data.foreach_set("value", np.where(heights > 0.3, 7, 3).astype(np.int32))
    source.shape_key_add(name="Basis")
    key = source.shape_key_add(name="grin")
    coordinates = np.empty(len(source.data.vertices) * 3, np.float32)
    key.data.foreach_get("co", coordinates)
    places = coordinates.reshape(-1, 3)
    places[:, 2] += np.where(places[:, 0] > 0.5, 0.2, 0)
    key.data.foreach_set("co", places.ravel())
    target = blob("target", stretch=1.05)
    target.data.materials.append(bpy.data.materials.new("own"))
    kinds = ["attributes", "materials", "uvs", "shape_keys", "detail"]
    report = finish(workflow.transfer(source, target, kinds, OPTIONS))
    assert [slot.material.name for slot in target.material_slots] == ["own", "upper", "lower"]
    own = np.array([polygon.center.z for polygon in target.data.polygons])
    assigned = np.array([polygon.material_index for polygon in target.data.polygons])
    assert (assigned == np.where(own > 0, 2, 1)).mean() > 0.7
    found = np.empty(len(target.data.polygons), np.int32)
    target.data.attributes["groups"].data.foreach_get("value", found)
    assert set(found.tolist()) == {3, 7}
    assert (target.data.attributes["marks"].domain, target.data.attributes["groups"].domain) == ("EDGE", "FACE")
    assert [layer.name for layer in target.data.uv_layers] == ["UVMap", "UVMap.001"]
    assert target.data.uv_layers.active.name == "UVMap"
    assert [one.name for one in target.data.shape_keys.key_blocks] == ["Basis", "grin", "Detail of source"]
    moved = np.empty(len(target.data.vertices) * 3, np.float32)
    target.data.shape_keys.key_blocks["grin"].data.foreach_get("co", moved)
    basis = np.empty_like(moved)
    target.data.shape_keys.key_blocks["Basis"].data.foreach_get("co", basis)
    lifted = np.linalg.norm((moved - basis).reshape(-1, 3), axis=1)
    assert 0.1 < lifted.max() < 0.4
    assert np.median(lifted) < 0.05
    assert len(report.lines()) >= 6


def heights(points: NDArray[Any]) -> NDArray[Any]:
    return points @ np.array([0.5, 0.3, 0.8])


def numbers(width: int) -> Callable[[NDArray[Any]], NDArray[Any]]:
    """So many numbers that change evenly over a surface."""
    return lambda points: np.stack([0.5 + 0.4 * np.sin(2 * heights(points) + k) for k in range(width)], axis=1).astype(
        np.float32
    )


def whole_numbers(width: int) -> Callable[[NDArray[Any]], NDArray[Any]]:
    return lambda points: np.stack(
        [np.floor(2 * (heights(points) + 1)), np.floor(points[:, 0] + 1)][:width], axis=1
    ).astype(np.int32)


def sides(points: NDArray[Any]) -> NDArray[Any]:
    return (heights(points) > 0)[:, None]


def turns(points: NDArray[Any]) -> NDArray[Any]:
    height = heights(points)
    quaternions = np.stack([np.cos(height), 0.6 * np.sin(height), 0.8 * np.sin(height), 0 * height], axis=1)
    quaternions[::2] *= -1  # the same turn
    return quaternions.astype(np.float32)


def near(found: NDArray[Any], truth: NDArray[Any]) -> bool:
    return bool(np.quantile(np.abs(found - truth), 0.9) < 0.15)


def mostly_equal(found: NDArray[Any], truth: NDArray[Any]) -> bool:
    return bool((found == truth).all(axis=1).mean() > 0.7)


def turned_alike(found: NDArray[Any], truth: NDArray[Any]) -> bool:
    unit = np.abs(np.linalg.norm(found, axis=1) - 1).max() < 1e-4
    return bool(unit and np.quantile(np.abs((found * truth).sum(axis=1)), 0.1) > 0.97)


@dataclass
class Type:
    """An attribute type: the property of a value, values that change over a surface, and when they have come over."""

    name: str
    values: Callable[[NDArray[Any]], NDArray[Any]]
    agree: Callable[[NDArray[Any], NDArray[Any]], bool]


TYPES = {
    "FLOAT": Type("value", numbers(1), near),
    "FLOAT_VECTOR": Type("vector", numbers(3), near),
    "FLOAT_COLOR": Type("color", numbers(4), near),
    "BYTE_COLOR": Type("color", numbers(4), near),
    "QUATERNION": Type("value", turns, turned_alike),
    "INT": Type("value", whole_numbers(1), mostly_equal),
    "INT8": Type("value", whole_numbers(1), mostly_equal),
    "INT32_2D": Type("value", whole_numbers(2), mostly_equal),
    "BOOLEAN": Type("value", sides, mostly_equal),
    "FLOAT4X4": Type("value", numbers(16), near),
}


def middles(mesh: bpy.types.Mesh, domain: str) -> NDArray[Any]:
    places = np.array([vertex.co for vertex in mesh.vertices])
    if domain == "EDGE":
        return np.array([places[list(edge.vertices)].mean(axis=0) for edge in mesh.edges])
    if domain == "FACE":
        return np.array([polygon.center for polygon in mesh.polygons])
    return places[[loop.vertex_index for loop in mesh.loops]] if domain == "CORNER" else places


@pytest.mark.parametrize(
    "domain", ["POINT", *(pytest.param(name, marks=pytest.mark.slow) for name in ("EDGE", "FACE", "CORNER"))]
)
def test_attributes_of_every_type_onto_another_mesh(domain: str) -> None:
    """Numbers, colors, turns, matrices, labels and texts of a ball, on one of other triangles."""
    bpy.ops.mesh.primitive_uv_sphere_add(segments=32, ring_count=16)
    source = bpy.context.object
    bpy.ops.mesh.primitive_ico_sphere_add(subdivisions=4, radius=1)
    target = bpy.context.object
    places = middles(source.data, domain)
    for kind, data_type in TYPES.items():
        attribute = source.data.attributes.new(kind.lower(), kind, domain)
        attribute.data.foreach_set(data_type.name, np.ascontiguousarray(data_type.values(places)).ravel())
    texts = source.data.attributes.new("text", "STRING", domain)
    for item, place in zip(texts.data, places, strict=True):
        item.value = b"top" if place[2] > 0 else b"low"
    pairs = [
        (int(np.argmin([(vertex.co - other.co).length for vertex in source.data.vertices])), other.index)
        for other in list(target.data.vertices)[::160]
    ]
    options = OPTIONS.changed(pairs=pairs)
    report = finish(workflow.transfer(source, target, ["attributes"], options))
    assert not any(".meshkin" in line for line in report.lines())
    there = middles(target.data, domain)
    for kind, data_type in TYPES.items():
        attribute = target.data.attributes[kind.lower()]
        assert (attribute.data_type, attribute.domain) == (kind, domain)
        truth = data_type.values(there)
        found: NDArray[Any] = np.empty(truth.size, truth.dtype)
        attribute.data.foreach_get(data_type.name, found)
        assert data_type.agree(found.reshape(truth.shape), truth), kind
    found = np.array([item.value for item in target.data.attributes["text"].data])
    assert (found == np.where(there[:, 2] > 0, b"top", b"low")).mean() > 0.9


def test_face_sets_and_slider_ranges_come_over() -> None:
    source, target = blob("source"), blob("target", stretch=1.05)
    sets = source.data.attributes.new(".sculpt_face_set", "INT", "FACE")
    numbers = np.array([1 + (polygon.center.z > 0) for polygon in source.data.polygons], np.int32)
    sets.data.foreach_set("value", numbers)
    source.shape_key_add(name="Basis")
    key = source.shape_key_add(name="turn")
    key.slider_min, key.slider_max = -1, 2
    named = OPTIONS.changed(names=(".sculpt_face_set",))
    finish(workflow.transfer(source, target, ["attributes"], named))
    finish(workflow.transfer(source, target, ["shape_keys"], OPTIONS))
    found = np.empty(len(numbers), np.int32)
    target.data.attributes[".sculpt_face_set"].data.foreach_get("value", found)
    own = np.array([1 + (polygon.center.z > 0) for polygon in target.data.polygons])
    assert (found == own).mean() > 0.8
    turn = target.data.shape_keys.key_blocks["turn"]
    assert (turn.slider_min, turn.slider_max, turn.value) == (-1, 2, 0)


def test_long_names_are_found_again() -> None:
    """Blender cuts some, and refuses others as keys."""
    source, target = blob("source" + "y" * 57), blob("target" + "y" * 57)
    source.data.uv_layers[0].name = "uv " + "é" * 31  # 65 bytes: a layer's name may have more than a key's
    source.data.attributes.new("at " + "é" * 31, "FLOAT", "POINT")
    source.shape_key_add(name="Basis")
    source.shape_key_add(name="key" + "y" * 80, from_mix=False).data[0].co.z += 0.1
    counts = []
    for _ in range(2):
        finish(workflow.transfer(source, target, ["uvs", "attributes", "shape_keys"], OPTIONS))
        mesh = target.data
        counts.append([len(mesh.uv_layers), len(mesh.attributes), len(mesh.shape_keys.key_blocks)])
    assert counts[0] == counts[1]


def test_names_that_are_not_there_and_maps_without_room() -> None:
    source, target = blob("source"), blob("target")
    source.shape_key_add(name="Basis")
    source.shape_key_add(name="grin")
    options = OPTIONS.changed(names=("other",))
    for kind, code in {"attributes": "no-attributes", "uvs": "no-uvs", "shape_keys": "no-shape-keys"}.items():
        with pytest.raises(InputError) as failure:
            finish(workflow.transfer(source, target, [kind], options))
        assert failure.value.code == code
    for _ in range(2):
        finish(workflow.transfer(source, target, ["uvs"], OPTIONS))
        assert [layer.name for layer in target.data.uv_layers] == ["UVMap", "UVMap.001"]
    del target["meshkin_uv_maps"]
    while len(target.data.uv_layers) < 8:
        target.data.uv_layers.new()
    with pytest.raises(InputError) as failure:
        next(workflow.transfer(source, target, ["uvs"], OPTIONS))
    assert failure.value.code == "uv-maps-full"


def test_hair_grows_on_the_target() -> None:
    """Strands stand on a copy elsewhere as on the source, attached by its UV map; the source's hair stays."""
    source = blob("source")
    target = copy_without_materials(source)
    target.location = (5, 0, 0)
    curves = bpy.data.hair_curves.new("fur")
    fur = bpy.data.objects.new("fur", curves)
    bpy.context.scene.collection.objects.link(fur)
    fur.parent = source
    fur.location = (0, 0, 1)
    curves.surface, curves.surface_uv_map = source, "UVMap"
    curves.materials.append(bpy.data.materials.new("fur"))
    curves.add_curves([3] * 20)
    vertices = [source.data.vertices[number] for number in range(40, 440, 20)]
    roots = np.array([vertex.co for vertex in vertices])
    points = roots[:, None] + np.arange(3)[:, None] * 0.1 * np.array([vertex.normal for vertex in vertices])[:, None]
    points -= (0, 0, 1)
    curves.attributes["position"].data.foreach_set("vector", points.astype(np.float32).ravel())
    bpy.context.view_layer.update()
    report = finish(workflow.transfer(source, target, ["hair"], OPTIONS))
    assert any("20 strands" in line for line in report.lines())
    new = bpy.data.objects["fur on twin"]
    assert (new.parent, new.data.surface, new.data.surface_uv_map) == (target, target, "UVMap")
    assert [one.name for one in new.data.materials] == ["fur"]
    bpy.context.view_layer.update()
    found = np.empty(len(new.data.points) * 3, np.float32)
    new.data.attributes["position"].data.foreach_get("vector", found)
    world = found.reshape(-1, 3) + np.array(new.matrix_world.translation)
    off = np.linalg.norm(world - points.reshape(-1, 3) - (5, 0, 1), axis=1)
    assert off.max() < 0.15
    assert np.median(off) < 0.03
    uvs = np.empty(40, np.float32)
    new.data.attributes["surface_uv_coordinate"].data.foreach_get("vector", uvs)
    assert uvs.min() >= 0
    assert len(np.unique(uvs.round(3))) > 15
    assert fur.parent == source
    assert len(curves.points) == 60

    def again() -> list[str]:
        lines = finish(workflow.transfer(source, target, ["hair"], OPTIONS)).lines()
        assert any("in place of the one that came over before" in line for line in lines) != is_combed
        return sorted(obj.name for obj in bpy.data.objects if obj.type == "CURVES")

    is_combed = False
    assert again() == ["fur", "fur on twin"]
    assert len(bpy.data.hair_curves) == 2
    bpy.data.objects["fur on twin"].data.attributes["position"].data[0].vector.z += 1
    is_combed = True
    assert again() == ["fur", "fur on twin", "fur on twin.001"]


@pytest.mark.parametrize(
    ("kind", "code"),
    [("materials", "no-materials"), ("uvs", "no-uvs"), ("shape_keys", "no-shape-keys"), ("hair", "no-hair")],
)
def test_payloads_that_are_not_there(kind: str, code: str) -> None:
    source, target = blob("source", uvs=False), blob("target")
    with pytest.raises(InputError) as failure:
        finish(workflow.transfer(source, target, [kind], OPTIONS))
    assert failure.value.code == code


def places(key: bpy.types.ShapeKey) -> NDArray[Any]:
    found = np.empty(len(key.data) * 3, np.float32)
    key.data.foreach_get("co", found)
    return found.reshape(-1, 3)


def test_muted_masked_and_relative_shape_keys() -> None:
    """What a key moves by itself: against the key it is relative to, as far as its vertex group lets it."""
    source = blob("source")
    source.shape_key_add(name="Basis")
    rest = places(source.data.shape_keys.reference_key)
    upper = rest[:, 2] > 0
    for name, lift in (("one", 0.3), ("two", 0.5), ("masked", 0.3)):
        key = source.shape_key_add(name=name, from_mix=False)
        key.data.foreach_set("co", (rest + np.array((0, 0, lift))).astype(np.float32).ravel())
    keys = source.data.shape_keys.key_blocks
    keys["two"].relative_key, keys["two"].mute = keys["one"], True
    source.vertex_groups.new(name="other")
    source.vertex_groups.new(name="upper").add(np.flatnonzero(upper).tolist(), 0.5, "REPLACE")
    keys["masked"].vertex_group = "upper"
    target = blob("target", stretch=1.05)
    finish(workflow.transfer(source, target, ["shape_keys"], OPTIONS))
    made = target.data.shape_keys.key_blocks
    own = places(made[0])
    lifts = {name: np.linalg.norm(places(made[name]) - own, axis=1) for name in ("one", "two", "masked")}
    assert np.median(lifts["one"]) == pytest.approx(0.3, abs=0.03)
    assert np.median(lifts["two"]) == pytest.approx(0.2, abs=0.03)
    assert np.median(lifts["masked"][own[:, 2] > 0.3]) == pytest.approx(0.15, abs=0.03)
    assert np.median(lifts["masked"][own[:, 2] < -0.3]) < 0.01
    assert [made[name].mute for name in ("one", "two", "masked")] == [False, True, False]


def test_hair_on_a_target_that_a_script_has_moved() -> None:
    """Moved and scaled without an update of the scene, and moved on while the job runs."""
    source, target = blob("source"), blob("target")
    target.location, target.scale = (3, 0, 0), (2, 2, 2)
    curves = bpy.data.hair_curves.new("fur")
    fur = bpy.data.objects.new("fur", curves)
    bpy.context.scene.collection.objects.link(fur)
    curves.surface = source
    curves.add_curves([1] * 20)
    points = np.array([vertex.co for vertex in list(source.data.vertices)[40:440:20]], np.float32)
    curves.attributes["position"].data.foreach_set("vector", points.ravel())
    job = workflow.transfer(source, target, ["hair"], OPTIONS)
    while next(job).stage != "Reading hair":
        pass
    target.location = (0, 5, 0)
    finish(job)
    bpy.context.view_layer.update()
    new = bpy.data.objects["fur on target"]
    found = np.empty_like(points)
    new.data.attributes["position"].data.foreach_get("vector", found.ravel())
    assert new.matrix_world == target.matrix_world
    assert np.median(np.linalg.norm(found - points, axis=1)) < 0.05


def hair_under_way() -> tuple[bpy.types.Object, workflow.Steps]:
    """Hair called “fur”, and its transfer from “source” to its copy “twin”, which has read it."""
    source = blob("source")
    target = copy_without_materials(source)
    curves = bpy.data.hair_curves.new("fur")
    fur = bpy.data.objects.new("fur", curves)
    bpy.context.scene.collection.objects.link(fur)
    curves.surface = source
    curves.add_curves([2] * 4)
    points = np.repeat(np.array([vertex.co for vertex in list(source.data.vertices)[40:440:100]]), 2, axis=0)
    curves.attributes["position"].data.foreach_set("vector", points.astype(np.float32).ravel())
    steps = workflow.transfer(source, target, ["hair"], OPTIONS)
    while next(steps).stage != "Reading hair":
        pass
    next(steps)
    return fur, steps


def test_hair_that_is_deleted_meanwhile() -> None:
    fur, steps = hair_under_way()
    bpy.data.objects.remove(fur)
    with pytest.raises(InputError) as failure:
        finish(steps)
    assert failure.value.code == "object-gone"


def test_hair_that_is_renamed_meanwhile() -> None:
    fur, steps = hair_under_way()
    fur.name = "mane"
    finish(steps)
    assert "mane on twin" in bpy.data.objects
