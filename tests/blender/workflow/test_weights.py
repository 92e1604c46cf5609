"""Vertex groups read, written and posed."""

from __future__ import annotations

import bpy
import numpy as np
import pytest

from helpers.rigged import new_armature
from meshkin.base.errors import InputError
from meshkin.scene.mesh import attributes
from meshkin.scene.mesh import snapshot as snapshots
from meshkin.scene.rig import binding, weights

BONES = ["Hüfte", "spine", "arm.L", "arm.R", "hand.L", "hand.R"]


def sphere() -> bpy.types.Object:
    bpy.ops.mesh.primitive_uv_sphere_add(segments=16, ring_count=8)
    return bpy.context.object


def rig() -> bpy.types.Object:
    return new_armature("rig", {name: ((index, 0, 0), (index, 1, 0), None) for index, name in enumerate(BONES)})


def random_weights(rows: int, columns: int, limit: int = 4, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    values = np.zeros((rows, columns), np.float32)
    chosen = np.argsort(random.random((rows, columns)), axis=1)[:, :limit]
    np.put_along_axis(values, chosen, random.dirichlet(np.ones(chosen.shape[1]), rows).astype(np.float32), axis=1)
    return values


def test_round_trip_is_exact() -> None:
    obj = sphere()
    values = random_weights(len(obj.data.vertices), len(BONES))
    weights.write(obj, BONES, values)
    names, found = weights.read(obj, snapshots.take(obj))
    assert names == BONES
    np.testing.assert_array_equal(found, values)
    assert sum(len(vertex.groups) for vertex in obj.data.vertices) == np.count_nonzero(values)


def test_writing_again_replaces() -> None:
    obj = sphere()
    count = len(obj.data.vertices)
    weights.write(obj, BONES, random_weights(count, len(BONES), seed=1))
    second = random_weights(count, 3, seed=2)
    said = weights.sentences([weights.write(obj, BONES[:3], second)])
    _, found = weights.read(obj, snapshots.take(obj))
    np.testing.assert_array_equal(found[:, :3], second)
    assert [group.name for group in obj.vertex_groups] == BONES
    assert any("Replaced" in line and "spine" in line and "hand.L" not in line for line in said)


def test_locked_and_other_groups_stay() -> None:
    obj = sphere()
    count = len(obj.data.vertices)
    for name, weight in (("spine", 0.25), ("cloth", 0.75)):
        obj.vertex_groups.new(name=name).add(range(count), weight, "REPLACE")
    obj.vertex_groups["spine"].lock_weight = True
    values = random_weights(count, len(BONES))
    values[:, 5] = 0
    said = "\n".join(weights.sentences([weights.write(obj, BONES, values, limit=5)]))  # the locked one counts
    names, found = weights.read(obj, snapshots.take(obj))
    column = dict(zip(names, found.T, strict=True))
    assert (column["spine"] == 0.25).all()
    assert (column["cloth"] == 0.75).all()
    total = np.delete(values, 1, axis=1).sum(axis=1)
    scale = np.divide(0.75, total, out=np.zeros_like(total), where=total > 0)  # a quarter is locked
    np.testing.assert_allclose(column["arm.L"], values[:, 2] * scale, atol=1e-6)
    assert (column["hand.R"] == 0).all()
    assert "Locked, left as they were: spine." in said
    assert "Other groups, left as they were: cloth." in said
    assert "Without any weight: hand.R." in said


def test_limit_keeps_the_largest_and_the_sum() -> None:
    obj = sphere()
    values = np.random.default_rng(0).random((len(obj.data.vertices), 6)) / 6
    weights.write(obj, BONES, values, limit=2)
    _, found = weights.read(obj, snapshots.take(obj))
    assert (np.count_nonzero(found, axis=1) == 2).all()
    np.testing.assert_allclose(found.sum(axis=1), values.sum(axis=1), rtol=1e-5)
    np.testing.assert_array_equal(found > 0, values >= np.sort(values, axis=1)[:, -2:-1])


def test_only_deforming_bones_count_under_an_armature() -> None:
    obj, armature = sphere(), rig()
    armature.data.bones["hand.L"].use_deform = False
    values = random_weights(len(obj.data.vertices), len(BONES))
    weights.write(obj, [*BONES[:5], "pin group"], values)
    binding.bind(obj, armature)
    names, found = weights.read(obj, snapshots.take(obj))
    assert names == BONES[:4]
    np.testing.assert_array_equal(found, values[:, :4])


def test_weights_behind_modifiers() -> None:
    obj = sphere()
    values = random_weights(len(obj.data.vertices), 3, limit=3)
    weights.write(obj, BONES[:3], values)
    obj.modifiers.new("triangulate", "TRIANGULATE")
    modifier = obj.modifiers.new("array", "ARRAY")
    modifier.count = 3
    snapshot = snapshots.take(obj)
    _, found = weights.read(obj, snapshot)
    assert len(found) == 3 * len(values)
    np.testing.assert_array_equal(found[snapshot.original], values)


def test_transferred_weights_can_be_posed() -> None:
    obj, armature = sphere(), rig()
    obj.location, obj.rotation_euler = (3, 4, 5), (0.1, 0.2, 0.3)
    armature.location = (0, 0, 2)
    obj.modifiers.new("subdivision", "SUBSURF")
    bpy.context.view_layer.update()
    before = obj.matrix_world.copy()
    rest = snapshots.take(obj)
    weights.write(obj, ["spine"], np.ones((len(obj.data.vertices), 1)))
    binding.bind(obj, armature)
    binding.bind(obj, armature)
    bpy.context.view_layer.update()
    np.testing.assert_allclose(obj.matrix_world, before, atol=1e-5)
    assert [modifier.type for modifier in obj.modifiers] == ["ARMATURE", "SUBSURF"]
    assert binding.armature_of(obj) == armature
    np.testing.assert_allclose(snapshots.take(obj).vertices, rest.vertices, atol=1e-5)
    armature.pose.bones["spine"].location = (0, 1.5, 0)  # along the bone, world Y
    np.testing.assert_allclose(snapshots.take(obj).vertices, np.add(rest.vertices, (0, 1.5, 0)), atol=1e-5)


def select_bone(armature: bpy.types.Object, name: str, selected: bool) -> None:
    """Select or deselect one bone; from 5.0 on pose bones are selected, before that bones."""
    bone = armature.data.bones[name]
    (bone if hasattr(bone, "select") else armature.pose.bones[name]).select = selected


def test_chosen_groups() -> None:
    obj, armature = sphere(), rig()
    weights.write(obj, [*BONES, "pin"], random_weights(len(obj.data.vertices), len(BONES) + 1))
    assert weights.chosen_groups(obj) == [*BONES, "pin"]
    binding.bind(obj, armature)
    armature.data.bones["hand.L"].use_deform = False
    assert weights.chosen_groups(obj) == [name for name in BONES if name != "hand.L"]
    assert weights.chosen_groups(obj, "all") == [*BONES, "pin"]
    assert weights.chosen_groups(obj, "all", "*.L p*") == ["arm.L", "hand.L", "pin"]
    assert weights.chosen_groups(obj, "deform", "hand*") == ["hand.R"]
    for name in BONES:
        select_bone(armature, name, name == "arm.R")
    assert weights.chosen_groups(obj, "selected") == ["arm.R"]
    obj.vertex_groups.active = obj.vertex_groups["pin"]
    assert weights.chosen_groups(obj, "active") == ["pin"]
    for arguments, code in ((("some",), "groups-unknown"), (("all", "leg*"), "no-groups")):
        with pytest.raises(InputError) as raised:
            weights.chosen_groups(obj, *arguments)
        assert raised.value.code == code


def test_mixing_and_masking() -> None:
    obj = sphere()
    count = len(obj.data.vertices)
    old, new = random_weights(count, 4, seed=1), random_weights(count, 4, seed=2)
    weights.write(obj, BONES[:4], old)
    weights.write(obj, BONES[:4], new, mix=0.25)
    mixed = 0.25 * new + 0.75 * old
    np.testing.assert_allclose(weights.read(obj, snapshots.take(obj))[1], mixed, atol=1e-6)
    half = obj.vertex_groups.new(name="mask")
    half.add(range(0, count, 2), 1, "REPLACE")
    said = weights.sentences([weights.write(obj, BONES[:4], new, mask="mask")])
    found = weights.read(obj, snapshots.take(obj), BONES[:4])[1]
    np.testing.assert_allclose(found[::2], new[::2], atol=1e-6)
    np.testing.assert_allclose(found[1::2], mixed[1::2], atol=1e-6)
    assert f"{count // 2} of {count} vertices are masked and stay as they were." in said
    with pytest.raises(InputError) as raised:
        weights.write(obj, BONES[:4], new, mask="no such")
    assert raised.value.code == "mask-missing"


def test_rows_sum_to_one_whatever_was_there() -> None:
    """Old weights that do not sum to 1, that are missing or locked, mixed and masked; no more influences than asked."""
    obj = sphere()
    count = len(obj.data.vertices)
    random = np.random.default_rng(3)
    old = random.random((count, 6)) * (random.random((count, 6)) > 0.5)
    old[::5] = 0
    old[:, 1] *= 0.4
    weights.write(obj, BONES, old, 6)
    obj.vertex_groups["spine"].lock_weight = True
    mask = obj.vertex_groups.new(name="mask")
    for index in range(1, count, 2):
        mask.add((index,), float(random.random()), "REPLACE")
    weights.write(obj, BONES, random_weights(count, 6, seed=4), 3, mix=0.7, mask="mask")
    found = weights.read(obj, snapshots.take(obj), BONES)[1]
    np.testing.assert_allclose(found[1::2].sum(axis=1), 1, atol=1e-6)
    assert (np.count_nonzero(found[1::2], axis=1) <= 3).all()
    np.testing.assert_array_equal(found[:, 1], old[:, 1].astype(np.float32))
    np.testing.assert_array_equal(found[::2], old[::2].astype(np.float32))


def test_locked_groups_keep_their_share() -> None:
    obj = sphere()
    count = len(obj.data.vertices)
    weights.write(obj, ["spine"], np.full((count, 1), 0.4))
    obj.vertex_groups["spine"].lock_weight = True
    new = random_weights(count, 4)
    weights.write(obj, ["spine", "arm.L", "arm.R", "hand.L"], new)
    found = weights.read(obj, snapshots.take(obj), ["spine", "arm.L", "arm.R", "hand.L"])[1]
    np.testing.assert_allclose(found[:, 0], 0.4, atol=1e-6)
    others = new[:, 1:].sum(axis=1) > 0
    np.testing.assert_allclose(found.sum(axis=1)[others], 1, atol=1e-6)
    np.testing.assert_allclose(found[:, 1:] * new[:, 1:].sum(axis=1, keepdims=True), 0.6 * new[:, 1:], atol=1e-6)


def test_what_was_meant_for_a_locked_group_goes_to_what_is_next_to_it() -> None:
    obj = sphere()
    places = np.array([vertex.co[:] for vertex in obj.data.vertices])
    obj.vertex_groups.new(name="head").lock_weight = True
    new = np.stack((places[:, 2] > -0.5, places[:, 2] < 0, places[:, 0] > 0), axis=1).astype(float)
    new[places[:, 2] > 0.1, 1:] = 0
    new /= new.sum(axis=1, keepdims=True)
    weights.write(obj, ["head", "left", "right"], new, 1)
    found = weights.read(obj, snapshots.take(obj), ["head", "left", "right"])[1]
    assert not found[:, 0].any()
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-6)
    assert (np.count_nonzero(found, axis=1) == 1).all()
    assert (found[(places[:, 2] > 0.1) & (places[:, 0] > 0.5)].argmax(axis=1) == 2).any()


def test_groups_of_the_other_side_are_created_empty() -> None:
    obj = sphere()
    written = weights.write(obj, ["arm.L", "spine"], random_weights(len(obj.data.vertices), 2), mirrored=True)
    said = weights.sentences([written])
    assert obj.vertex_groups.keys() == ["arm.L", "spine", "arm.R"]
    assert "Empty, for the other side: arm.R." in said
    assert weights.read(obj, snapshots.take(obj), ["arm.R"])[1].max() == 0


def test_selecting_vertices() -> None:
    obj = sphere()
    with pytest.raises(InputError) as raised:
        weights.inpainted(obj)
    assert raised.value.code == "no-inpainted"
    chosen = np.array([vertex.co.z > 0.3 for vertex in obj.data.vertices])
    attributes.write(obj, weights.INPAINTED, chosen.astype(np.float32))
    weights.select(obj, weights.inpainted(obj))
    assert [vertex.select for vertex in obj.data.vertices] == chosen.tolist()
    assert all(face.select == chosen[list(face.vertices)].all() for face in obj.data.polygons)
    bpy.ops.object.mode_set(mode="EDIT")
    bpy.ops.object.mode_set(mode="OBJECT")
    assert [vertex.select for vertex in obj.data.vertices] == chosen.tolist()


def test_errors() -> None:
    obj, armature = sphere(), rig()
    snapshot = snapshots.take(obj)
    with pytest.raises(InputError) as raised:
        weights.read(obj, snapshot)
    assert raised.value.code == "no-groups"
    with pytest.raises(InputError) as raised:
        weights.write(obj, ["spine"], np.ones((3, 1)))
    assert raised.value.code == "mesh-changed"
    assert not obj.vertex_groups
    with pytest.raises(InputError) as raised:
        binding.bind(obj, obj)
    assert raised.value.code == "not-an-armature"
    weights.write(obj, ["spine"], np.full((len(obj.data.vertices), 1), np.nan))
    obj.modifiers.new("subdivision", "SUBSURF")
    with pytest.raises(InputError) as raised:
        weights.read(obj, snapshot)
    assert raised.value.code == "mesh-changed"
    assert armature.type == "ARMATURE"


@pytest.mark.parametrize("name", ["x" * 63, "骨"])
def test_group_names(name: str) -> None:
    obj = sphere()
    weights.write(obj, [name], np.ones((len(obj.data.vertices), 1)))
    assert obj.vertex_groups.keys() == [name]


def test_of_a_character_each_group_is_told_once() -> None:
    """A head has no weights of the feet, which is worth no sentence while another mesh has them."""
    meshes = sphere(), sphere()
    names = ["hips", "neck", "tail"]
    columns = (0, 1)
    for obj in meshes:
        obj.vertex_groups.new(name="hips")
    written = []
    for obj, column in zip(meshes, columns, strict=True):
        values = np.zeros((len(obj.data.vertices), 3))
        values[:, column] = 1
        written.append(weights.write(obj, names, values))
    assert weights.sentences(written) == [
        "Weights: 3 groups, at most 4 to a vertex.",
        "Replaced: hips.",
        "Without any weight: tail.",
    ]
