"""Attributes read from evaluated meshes and written to objects' own."""

from __future__ import annotations

import bpy
import numpy as np
import pytest

from meshkin.base.errors import InputError
from meshkin.scene.mesh import attributes
from meshkin.scene.mesh import snapshot as snapshots

KINDS = {"FLOAT": ("value", 1), "FLOAT2": ("vector", 2), "FLOAT_VECTOR": ("vector", 3), "FLOAT_COLOR": ("color", 4)}


def grid() -> bpy.types.Object:
    bpy.ops.mesh.primitive_grid_add(x_subdivisions=6, y_subdivisions=5)
    return bpy.context.object


def values_of(obj: bpy.types.Object, name: str, field: str, width: int, dtype: type = np.float32) -> np.ndarray:
    data = obj.data.attributes[name].data
    values = np.empty(len(data) * width, dtype)
    data.foreach_get(field, values)
    return values.reshape(-1, width)


def fill(obj: bpy.types.Object, name: str, kind: str, domain: str = "POINT", seed: int = 0) -> np.ndarray:
    field, width = {**KINDS, "BYTE_COLOR": ("color", 4)}[kind]
    attribute = obj.data.attributes.new(name, kind, domain)
    values = np.random.default_rng(seed).random((len(attribute.data), width)).astype(np.float32)
    attribute.data.foreach_set(field, values.ravel())
    return values


@pytest.mark.parametrize(
    ("shape", "kind", "field"),
    [((), "FLOAT", "value"), ((3,), "FLOAT_VECTOR", "vector"), ((4,), "FLOAT_COLOR", "color")],
)
def test_written_values_are_there(shape: tuple[int, ...], kind: str, field: str) -> None:
    obj = grid()
    obj.data.attributes.new("meshkin_test", "BOOLEAN", "FACE")
    values = np.random.default_rng(0).normal(size=(len(obj.data.vertices), *shape))
    for repeat in (1, 2):
        attributes.write(obj, "test", values * repeat)
        attribute = obj.data.attributes["meshkin_test"]
        assert (attribute.data_type, attribute.domain) == (kind, "POINT")
        stored = values_of(obj, "meshkin_test", field, shape[0] if shape else 1)
        np.testing.assert_allclose(stored, (values * repeat).reshape(len(values), -1), rtol=1e-6)
    assert [one.name for one in obj.data.attributes].count("meshkin_test") == 1


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
    before = {one.name for one in obj.data.attributes}
    fill(obj, "mine", "FLOAT")
    attributes.write_features(obj, colors, channels, random.integers(0, 9, count), random.random(count))
    added = {one.name for one in obj.data.attributes} - before - {"mine"}
    pca = {f"meshkin_pca_{index:02d}" for index in range(16)}
    assert added == {"meshkin_color", "meshkin_views", "meshkin_confidence"} | pca
    stored = values_of(obj, "meshkin_color", "color", 4)
    np.testing.assert_allclose(stored, np.column_stack((colors, np.ones(count))), rtol=1e-6)
    np.testing.assert_allclose(values_of(obj, "meshkin_pca_15", "value", 1)[:, 0], channels[:, 15], rtol=1e-6)
    attributes.write_features(obj, colors, channels[:, :3], random.integers(0, 9, count), random.random(count))
    assert "meshkin_pca_02" in obj.data.attributes
    assert "meshkin_pca_03" not in obj.data.attributes
    added = {one.name for one in obj.data.attributes} - before - {"mine"}
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


@pytest.mark.parametrize("kind", [*KINDS, "BYTE_COLOR"])
def test_attributes_travel(kind: str) -> None:
    """Read from one object, permuted, written to another: the values arrive, colors within a byte's step."""
    source, target = grid(), grid()
    values = fill(source, "Größe", kind)
    if kind == "BYTE_COLOR":
        values = values_of(source, "Größe", "color", 4)
    assert attributes.transferable(source) == ["Größe"]
    (found,) = attributes.read(source, snapshots.take(source))
    assert (found.name, found.type) == ("Größe", kind)
    np.testing.assert_allclose(found.values, values, rtol=1e-6)
    order = np.random.default_rng(1).permutation(len(values))
    fill(target, "Größe", "FLOAT", "CORNER")
    assert "in place" in attributes.write_transferred(target, found, found.values[order])
    stored = values_of(target, "Größe", *(("color", 4) if kind == "BYTE_COLOR" else KINDS[kind]))
    np.testing.assert_allclose(stored, values[order], atol=0.005 if kind == "BYTE_COLOR" else 1e-6)


@pytest.mark.parametrize("domain", ["POINT", "EDGE", "FACE", "CORNER"])
@pytest.mark.parametrize("kind", ["FLOAT_COLOR", "INT", "BOOLEAN", "INT8"])
def test_every_domain_there_and_back(domain: str, kind: str) -> None:
    obj, other = grid(), grid()
    attribute = obj.data.attributes.new("values", kind, domain)
    size, width = len(attribute.data), 4 if kind == "FLOAT_COLOR" else 1
    values = np.random.default_rng(0).integers(0, 2 if kind == "BOOLEAN" else 100, (size, width))
    dtype = {"BOOLEAN": np.bool_, "FLOAT_COLOR": np.float32}.get(kind, np.int32)
    attribute.data.foreach_set("color" if width == 4 else "value", values.astype(dtype).ravel())
    (found,) = attributes.read(obj, snapshots.take(obj))
    assert (found.type, found.domain) == (kind, domain)
    np.testing.assert_array_equal(found.values, values)
    attributes.write_transferred(other, found, found.values)
    (back,) = attributes.read(other, snapshots.take(other))
    assert (back.type, back.domain) == (kind, domain)
    np.testing.assert_array_equal(back.values, values)


def test_values_come_from_behind_the_modifiers() -> None:
    obj = grid()
    values = fill(obj, "f", "FLOAT")
    modifier = obj.modifiers.new("mirror", "MIRROR")
    modifier.use_axis, modifier.use_mirror_merge = (False, False, True), False
    snapshot = snapshots.take(obj)
    (found,) = attributes.read(obj, snapshot)
    assert len(found.values) == 2 * len(values)
    np.testing.assert_array_equal(found.values[snapshot.original], values)
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
    assert [one.name for one in attributes.read(obj, snapshots.take(obj), ["b"])] == ["b"]
    assert attributes.transferable(bpy.data.objects.new("empty", None)) == []


def test_names_that_are_taken() -> None:
    obj = grid()
    obj.vertex_groups.new(name="group")
    count = len(obj.data.vertices)
    before = [one.name for one in obj.data.attributes]
    for name in ("position", "UVMap", "group"):
        one = attributes.Attribute(name, "FLOAT", np.zeros((count, 1), np.float32))
        with pytest.raises(InputError) as raised:
            attributes.write_transferred(obj, one, one.values)
        assert raised.value.code == "attribute-taken"
    long = attributes.Attribute("é" * 40, "FLOAT", np.zeros((count, 1), np.float32))
    with pytest.raises(InputError) as raised:
        attributes.write_transferred(obj, long, long.values)
    assert raised.value.code == "attribute-name"
    with pytest.raises(InputError) as raised:
        attributes.write(obj, "test", np.zeros(count + 1))
    assert raised.value.code == "mesh-changed"
    assert [one.name for one in obj.data.attributes] == before


def test_longest_name() -> None:
    obj = grid()
    name = "é" * 31 + "x"
    one = attributes.Attribute(name, "FLOAT", np.ones((len(obj.data.vertices), 1), np.float32))
    attributes.write_transferred(obj, one, one.values)
    assert (values_of(obj, name, "value", 1) == 1).all()


def test_edit_mode_is_refused_before_anything_is_written() -> None:
    obj = grid()
    bpy.ops.object.mode_set(mode="EDIT")
    with pytest.raises(InputError) as raised:
        attributes.write(obj, "test", np.zeros(42))
    assert raised.value.code == "edit-mode"
    bpy.ops.object.mode_set(mode="OBJECT")
    assert "meshkin_test" not in obj.data.attributes
