"""Attributes read from evaluated meshes and written to objects' own."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np
import pytest
from numpy.typing import NDArray

from meshkin.base.errors import InputError
from meshkin.scene import objects
from meshkin.scene.mesh import attributes
from meshkin.scene.mesh import snapshot as snapshots

FORMATS = {
    "FLOAT": ("value", 1),
    "FLOAT2": ("vector", 2),
    "FLOAT_VECTOR": ("vector", 3),
    "FLOAT_COLOR": ("color", 4),
    "BYTE_COLOR": ("color", 4),
}
"""For each data type, the property that holds the value, and how many numbers it has."""
FLOATS = ("FLOAT", "FLOAT2", "FLOAT_VECTOR", "FLOAT_COLOR")


def grid() -> bpy.types.Object:
    bpy.ops.mesh.primitive_grid_add(x_subdivisions=6, y_subdivisions=5)
    return bpy.context.object


def values_of(
    obj: bpy.types.Object, name: str, field: str, width: int, dtype: type[np.generic] = np.float32
) -> NDArray[Any]:
    data = obj.data.attributes[name].data
    values: NDArray[Any] = np.empty(len(data) * width, dtype)
    data.foreach_get(field, values)
    return values.reshape(-1, width)


def fill(obj: bpy.types.Object, name: str, data_type: str, domain: str = "POINT", seed: int = 0) -> NDArray[np.float32]:
    field, width = FORMATS[data_type]
    attribute = obj.data.attributes.new(name, data_type, domain)
    values = np.random.default_rng(seed).random((len(attribute.data), width)).astype(np.float32)
    attribute.data.foreach_set(field, values.ravel())
    return values


@pytest.mark.parametrize(
    ("shape", "data_type", "field"),
    [((), "FLOAT", "value"), ((3,), "FLOAT_VECTOR", "vector"), ((4,), "FLOAT_COLOR", "color")],
)
def test_written_values_are_there(shape: tuple[int, ...], data_type: str, field: str) -> None:
    obj = grid()
    obj.data.attributes.new("meshkin_test", "BOOLEAN", "FACE")
    values = np.random.default_rng(0).normal(size=(len(obj.data.vertices), *shape))
    for repeat in (1, 2):
        attributes.write(obj, "test", values * repeat)
        attribute = obj.data.attributes["meshkin_test"]
        assert (attribute.data_type, attribute.domain) == (data_type, "POINT")
        stored = values_of(obj, "meshkin_test", field, shape[0] if shape else 1)
        np.testing.assert_allclose(stored, (values * repeat).reshape(len(values), -1), rtol=1e-6)
    assert [attribute.name for attribute in obj.data.attributes].count("meshkin_test") == 1


def test_whole_numbers_stay_whole() -> None:
    obj = grid()
    attributes.write(obj, "count", np.arange(len(obj.data.vertices), dtype=np.int64))
    assert obj.data.attributes["meshkin_count"].data_type == "INT"
    np.testing.assert_array_equal(values_of(obj, "meshkin_count", "value", 1, np.int32)[:, 0], np.arange(42))


def test_features_are_written_and_channels_of_an_earlier_run_removed() -> None:
    obj = grid()
    count = len(obj.data.vertices)
    random = np.random.default_rng(0)
    colors, channels = random.random((count, 3)), random.normal(size=(count, 20))
    before = {attribute.name for attribute in obj.data.attributes}
    fill(obj, "mine", "FLOAT")
    attributes.write_features(obj, colors, channels, random.integers(0, 9, count), random.random(count))
    added = {attribute.name for attribute in obj.data.attributes} - before - {"mine"}
    pca = {f"meshkin_pca_{index:02d}" for index in range(16)}
    assert added == {"meshkin_color", "meshkin_views", "meshkin_confidence"} | pca
    stored = values_of(obj, "meshkin_color", "color", 4)
    np.testing.assert_allclose(stored, np.column_stack((colors, np.ones(count))), rtol=1e-6)
    np.testing.assert_allclose(values_of(obj, "meshkin_pca_15", "value", 1)[:, 0], channels[:, 15], rtol=1e-6)
    attributes.write_features(obj, colors, channels[:, :3], random.integers(0, 9, count), random.random(count))
    assert "meshkin_pca_02" in obj.data.attributes
    assert "meshkin_pca_03" not in obj.data.attributes
    added = {attribute.name for attribute in obj.data.attributes} - before - {"mine"}
    assert added == {f"meshkin_{name}" for name in ("color", "views", "confidence", "pca_00", "pca_01", "pca_02")}


def test_features_survive_saving(tmp_path: object) -> None:
    obj = grid()
    values = np.random.default_rng(0).random(len(obj.data.vertices))
    attributes.write(obj, "test", values)
    name = obj.name
    bpy.ops.wm.save_as_mainfile(filepath=f"{tmp_path}/file.blend")
    bpy.ops.wm.open_mainfile(filepath=f"{tmp_path}/file.blend")
    stored = values_of(bpy.data.objects[name], "meshkin_test", "value", 1)
    np.testing.assert_allclose(stored[:, 0], values, rtol=1e-6)


@pytest.mark.parametrize(("data_type", "tolerance"), [*((name, 1e-6) for name in FLOATS), ("BYTE_COLOR", 0.005)])
def test_attributes_travel(data_type: str, tolerance: float) -> None:
    """Read from one object, permuted, written to another: the values arrive, colors within a byte's step."""
    source, target = grid(), grid()
    fill(source, "Größe", data_type)
    values = values_of(source, "Größe", *FORMATS[data_type])
    assert attributes.transferable(source) == ["Größe"]
    (attribute,) = attributes.read(source, snapshots.take(source))
    assert (attribute.name, attribute.type) == ("Größe", data_type)
    np.testing.assert_array_equal(attribute.values, values)
    order = np.random.default_rng(1).permutation(len(values))
    fill(target, "Größe", "FLOAT", "CORNER")
    assert "in place" in attributes.write_transferred(target, attribute, attribute.values[order])
    stored = values_of(target, "Größe", *FORMATS[data_type]).astype(np.float64)
    np.testing.assert_allclose(stored, values[order].astype(np.float64), atol=tolerance)


@pytest.mark.parametrize("domain", ["POINT", "EDGE", "FACE", "CORNER"])
@pytest.mark.parametrize(
    ("data_type", "field", "width", "dtype", "limit"),
    [
        ("FLOAT_COLOR", "color", 4, np.float32, 100),
        ("INT", "value", 1, np.int32, 100),
        ("BOOLEAN", "value", 1, np.bool_, 2),
        ("INT8", "value", 1, np.int32, 100),
    ],
)
def test_every_domain_there_and_back(
    domain: str, data_type: str, field: str, width: int, dtype: type[np.generic], limit: int
) -> None:
    source, target = grid(), grid()
    new = source.data.attributes.new("values", data_type, domain)
    values = np.random.default_rng(0).integers(0, limit, (len(new.data), width))
    new.data.foreach_set(field, values.astype(dtype).ravel())
    (attribute,) = attributes.read(source, snapshots.take(source))
    assert (attribute.type, attribute.domain) == (data_type, domain)
    np.testing.assert_array_equal(attribute.values, values)
    attributes.write_transferred(target, attribute, attribute.values)
    (carried,) = attributes.read(target, snapshots.take(target))
    assert (carried.type, carried.domain) == (data_type, domain)
    np.testing.assert_array_equal(carried.values, values)


def test_values_come_from_behind_the_modifiers() -> None:
    obj = grid()
    values = fill(obj, "f", "FLOAT")
    modifier = obj.modifiers.new("mirror", "MIRROR")
    modifier.use_axis, modifier.use_mirror_merge = (False, False, True), False
    snapshot = snapshots.take(obj)
    (attribute,) = attributes.read(obj, snapshot)
    assert len(attribute.values) == 2 * len(values)
    np.testing.assert_array_equal(attribute.values[snapshot.original], values)
    obj.modifiers.clear()
    with pytest.raises(InputError) as raised:
        attributes.read(obj, snapshot)
    assert raised.value.code == "mesh-changed"


def test_only_the_users_attributes_are_offered() -> None:
    obj = grid()
    with pytest.raises(InputError) as raised:
        attributes.read(obj, snapshots.take(obj))
    assert raised.value.code == "no-attributes"
    obj.data.uv_layers.new(name="second map")
    obj.data.attributes.new("crease_vert", "FLOAT", "POINT")
    obj.data.normals_split_custom_set([(0, 0, 1)] * len(obj.data.loops))
    attributes.write(obj, "test", np.zeros(len(obj.data.vertices)))
    assert attributes.transferable(obj) == []
    for name in ("b", "a"):
        fill(obj, name, "FLOAT_VECTOR", seed=len(name))
    assert sorted(attributes.transferable(obj)) == ["a", "b"]
    assert attributes.transferable(obj, ["b", "c"]) == ["b"]
    assert [attribute.name for attribute in attributes.read(obj, snapshots.take(obj), ["b"])] == ["b"]
    assert attributes.transferable(bpy.data.objects.new("empty", None)) == []


def test_names_that_are_taken() -> None:
    obj = grid()
    obj.vertex_groups.new(name="group")
    count = len(obj.data.vertices)
    before = [attribute.name for attribute in obj.data.attributes]
    for name in ("position", "UVMap", "group"):
        attribute = attributes.Attribute(name, "FLOAT", np.zeros((count, 1), np.float32))
        with pytest.raises(InputError) as raised:
            attributes.write_transferred(obj, attribute, attribute.values)
        assert raised.value.code == "attribute-taken"
    with pytest.raises(InputError) as raised:
        attributes.write(obj, "test", np.zeros(count + 1))
    assert raised.value.code == "mesh-changed"
    assert [attribute.name for attribute in obj.data.attributes] == before


def test_longest_name() -> None:
    obj = grid()
    name = "é" * 31 + "x"
    attribute = attributes.Attribute(name, "FLOAT", np.ones((len(obj.data.vertices), 1), np.float32))
    attributes.write_transferred(obj, attribute, attribute.values)
    assert (values_of(obj, name, "value", 1) == 1).all()


def test_edit_mode_is_refused_before_anything_is_written() -> None:
    obj = grid()
    bpy.ops.object.mode_set(mode="EDIT")
    with pytest.raises(InputError) as raised:
        attributes.write(obj, "test", np.zeros(42))
    assert raised.value.code == "edit-mode"
    bpy.ops.object.mode_set(mode="OBJECT")
    assert "meshkin_test" not in obj.data.attributes


def test_vertices_of_an_imported_mesh_are_selected() -> None:
    """Importers leave one value for all edges, which Blender 5.0 takes for one for each."""
    mesh = bpy.data.meshes.new("imported")
    mesh.vertices.add(4)
    mesh.vertices.foreach_set("co", [0, 0, 0, 1, 0, 0, 1, 1, 0, 0, 1, 0])
    mesh.loops.add(4)
    mesh.loops.foreach_set("vertex_index", [0, 1, 2, 3])
    mesh.polygons.add(1)
    mesh.polygons.foreach_set("loop_start", [0])
    mesh.update(calc_edges=True)
    mesh.vertices[3].hide = True
    objects.select_vertices(mesh, np.array([True, True, False, False]))
    assert [vertex.select for vertex in mesh.vertices] == [True, True, False, False]
    assert sorted(edge.select for edge in mesh.edges) == [False, False, False, True]
    assert not mesh.polygons[0].select
    assert mesh.vertices[3].hide
