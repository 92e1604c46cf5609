"""From Blender objects to snapshots: every kind of object, transform, modifier and visibility."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from pathlib import Path

import bpy
import numpy as np
import pytest

from helpers.rigged import new_armature
from meshkin.base.errors import InputError
from meshkin.data.snapshot import Snapshot
from meshkin.scene.mesh import snapshot as snapshots
from meshkin.scene.mesh.uv_maps import with_uvs

CUBE = [(x, y, z) for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]
SIDES = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]


def add(name: str, vertices: object, faces: object) -> bpy.types.Object:
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(vertices, [], faces)
    obj = bpy.data.objects.new(name, mesh)
    bpy.context.scene.collection.objects.link(obj)
    return obj


def cube(name: str = "cube") -> bpy.types.Object:
    return add(name, CUBE, SIDES)


def volume(snapshot: Snapshot) -> float:
    corners = snapshot.vertices[snapshot.faces].astype(np.float64)
    return float(np.einsum("fd,fd->f", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])).sum() / 6)


def geometric_normals(snapshot: Snapshot) -> np.ndarray:
    corners = snapshot.vertices[snapshot.faces].astype(np.float64)
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    return normals / np.linalg.norm(normals, axis=1, keepdims=True)


def state() -> dict[str, object]:
    """Everything a snapshot could have left behind."""
    groups = ("objects", "meshes", "scenes", "collections", "shape_keys", "curves", "actions", "materials", "metaballs")
    layer = bpy.context.view_layer
    return {
        **{name: sorted(item.name for item in getattr(bpy.data, name)) for name in groups},
        "attributes": [[attribute.name for attribute in mesh.attributes] for mesh in bpy.data.meshes],
        "selected": [obj.name for obj in layer.objects.selected],
        "active": layer.objects.active and (layer.objects.active.name, layer.objects.active.mode),
        "scene": (bpy.context.scene.name, bpy.context.scene.frame_current),
    }


def test_cube() -> None:
    obj = cube()
    before = state()
    snapshot = snapshots.take(obj).check()
    assert state() == before
    np.testing.assert_array_equal(snapshot.vertices, CUBE)
    assert snapshot.name == "cube"
    assert len(snapshot.faces) == 12
    assert volume(snapshot) == pytest.approx(8)
    np.testing.assert_array_equal(snapshot.polygons, np.repeat(np.arange(6), 2))
    loops = np.array([loop.vertex_index for loop in obj.data.loops])
    np.testing.assert_array_equal(loops[snapshot.corners], snapshot.faces)
    np.testing.assert_array_equal(snapshot.original, np.arange(8))
    assert (snapshot.parts == 0).all()
    assert snapshot.uvs is None
    assert snapshot.uv_name == ""
    assert snapshot.vertices.dtype == np.float32
    for name in ("faces", "polygons", "corners", "materials", "parts", "original"):
        assert getattr(snapshot, name).dtype == np.int32, name


@pytest.mark.parametrize(
    "scale", [(1, 1, 1), (2, 0.5, 3), (-1, 1, 1), (-2, 0.5, -3), (-2, -0.5, -3), (1e-3, 1e-3, 1e-3)]
)
def test_world_rotation_and_scale(scale: tuple[float, float, float]) -> None:
    obj = cube()
    obj.scale, obj.rotation_euler, obj.location = scale, (0.3, 0.7, -1.1), (5, -6, 7)
    bpy.context.view_layer.update()
    snapshot = snapshots.take(obj)
    linear = np.array(obj.matrix_world)[:3, :3]
    np.testing.assert_allclose(snapshot.vertices, np.array(CUBE) @ linear.T, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(snapshot.location, (5, -6, 7))
    assert volume(snapshot) == pytest.approx(8 * abs(math.prod(scale)), rel=1e-4)
    flat = np.repeat(geometric_normals(snapshot)[:, None], 3, axis=1)
    np.testing.assert_allclose(snapshot.normals, flat, atol=1e-4)
    obj.location = (0, 0, 0)
    assert snapshots.take(obj).key == snapshot.key
    obj.rotation_euler = (0, 0, 0)
    assert snapshots.take(obj).key != snapshot.key


def test_sheared_by_its_parent() -> None:
    parent = bpy.data.objects.new("parent", None)
    bpy.context.scene.collection.objects.link(parent)
    parent.scale = (3, -1, 0.5)
    obj = cube()
    obj.parent, obj.rotation_euler = parent, (0.5, 0.6, 0.7)
    snapshot = snapshots.take(obj)
    assert volume(snapshot) == pytest.approx(8 * 1.5, rel=1e-5)
    np.testing.assert_allclose(snapshot.normals[:, 0], geometric_normals(snapshot), atol=1e-5)


def test_flattened_by_a_zero_scale() -> None:
    obj = cube()
    obj.scale = (1, 1, 0)
    snapshot = snapshots.take(obj).check()
    assert np.isfinite(snapshot.normals).all()
    np.testing.assert_allclose(np.linalg.norm(snapshot.normals, axis=2), 1, rtol=1e-6)
    obj.scale = (0, 0, 0)
    with pytest.raises(InputError) as raised:
        snapshots.take(obj).check()
    assert raised.value.code == "mesh-no-area"


def test_smooth_and_custom_normals() -> None:
    obj = cube()
    obj.data.polygons.foreach_set("use_smooth", np.ones(6, bool))
    snapshot = snapshots.take(obj)
    corners = snapshot.vertices[snapshot.faces]
    np.testing.assert_allclose(snapshot.normals, corners / math.sqrt(3), atol=1e-6)
    obj.data.normals_split_custom_set([(0, 0.6, 0.8)] * 24)
    assert np.abs(snapshots.take(obj).normals - (0, 0.6, 0.8)).max() < 1e-3


def rigged() -> tuple[bpy.types.Object, bpy.types.Object]:
    obj = cube()
    armature = new_armature("armature", {"bone": ((0, 0, 0), (0, 1, 0), None)})
    obj.vertex_groups.new(name="bone").add(range(8), 1.0, "REPLACE")
    obj.modifiers.new("armature", "ARMATURE").object = armature
    return obj, armature


def test_pose_set_but_not_keyed() -> None:
    """A pose over an animation, at a frame that is not the first, is what the user sees: it is read, and it stays."""
    obj, armature = rigged()
    bone = armature.pose.bones["bone"]
    bone.keyframe_insert("location", frame=1)
    bone.location = (0, 0, 2)
    bone.keyframe_insert("location", frame=11)
    obj.driver_add("rotation_euler", 2).driver.expression = "frame / 10"
    bpy.context.scene.frame_set(11)
    np.testing.assert_allclose(snapshots.take(obj).vertices[:, 2], np.array(CUBE)[:, 2] + 2, atol=1e-6)
    bone.location = (0, 0, 7)
    snapshot = snapshots.take(obj)
    angle = 1.1
    turn = np.array([[math.cos(angle), -math.sin(angle), 0], [math.sin(angle), math.cos(angle), 0], [0, 0, 1]])
    np.testing.assert_allclose(snapshot.vertices, np.add(CUBE, (0, 0, 7)) @ turn.T, atol=1e-5)
    bpy.context.view_layer.update()
    assert tuple(bone.location) == (0, 0, 7)
    assert bpy.context.scene.frame_current == 11


def test_shape_keys() -> None:
    obj = cube()
    obj.shape_key_add(name="Basis")
    key = obj.shape_key_add(name="up")
    for point in key.data:
        point.co.z += 4
    key.value = 0.25
    before = state()
    np.testing.assert_allclose(snapshots.take(obj).vertices[:, 2], np.array(CUBE)[:, 2] + 1)
    assert state() == before


def hide_object(obj: bpy.types.Object) -> None:
    obj.hide_viewport = obj.hide_render = True


def hide_eye(obj: bpy.types.Object) -> None:
    obj.hide_set(True)


def exclude(obj: bpy.types.Object) -> None:
    collection = bpy.data.collections.new("excluded")
    bpy.context.scene.collection.children.link(collection)
    bpy.context.scene.collection.objects.unlink(obj)
    collection.objects.link(obj)
    bpy.context.view_layer.layer_collection.children[collection.name].exclude = True


def unlink(obj: bpy.types.Object) -> None:
    bpy.context.scene.collection.objects.unlink(obj)


@pytest.mark.parametrize("hide", [hide_object, hide_eye, exclude, unlink])
def test_hidden_objects(hide: Callable[[bpy.types.Object], None]) -> None:
    obj, armature = rigged()
    armature.pose.bones["bone"].location = (1, 2, 3)
    obj.modifiers.new("subdivision", "SUBSURF")
    obj.scale = (1, 2, 3)
    visible = snapshots.take(obj)
    hide(obj)
    hide(armature)
    assert snapshots.take(obj).key == visible.key


def test_edit_mode() -> None:
    obj = cube()
    bpy.context.view_layer.objects.active = obj
    bpy.ops.object.mode_set(mode="EDIT")
    bpy.ops.mesh.select_all(action="SELECT")
    bpy.ops.mesh.subdivide()
    snapshot = snapshots.take(obj)
    assert obj.mode == "EDIT"
    assert len(snapshot.vertices) == 26
    np.testing.assert_array_equal(snapshot.original, np.arange(26))
    with pytest.raises(InputError) as raised:
        snapshots.check_writable(obj)
    assert raised.value.code == "edit-mode"
    bpy.ops.object.mode_set(mode="OBJECT")
    assert snapshots.take(obj).key == snapshot.key
    snapshots.check_writable(obj)


def test_multi_user_mesh() -> None:
    obj = cube()
    other = bpy.data.objects.new("other", obj.data)
    bpy.context.scene.collection.objects.link(other)
    other.modifiers.new("subdivision", "SUBSURF")
    assert snapshots.take(obj).key != snapshots.take(other).key
    other.modifiers.clear()
    assert snapshots.take(obj).key == snapshots.take(other).key
    assert obj.data == other.data


def test_linked_and_overridden(tmp_path: Path) -> None:
    obj = cube("Ümläut")
    obj.modifiers.new("subdivision", "SUBSURF")
    key = snapshots.take(obj).key
    bpy.data.libraries.write(str(tmp_path / "library.blend"), {obj})
    with bpy.data.libraries.load(str(tmp_path / "library.blend"), link=True) as (_, appended):
        appended.objects = ["Ümläut"]
    linked = appended.objects[0]
    bpy.context.scene.collection.objects.link(linked)
    before = state()
    assert linked.library is not None
    assert snapshots.take(linked).key == key
    assert snapshots.is_read_only(linked)
    override = linked.override_create(remap_local_usages=True)
    assert snapshots.take(override).key == key
    for read_only in (linked, override):
        with pytest.raises(InputError) as raised:
            snapshots.check_writable(read_only)
        assert raised.value.code == "read-only"
        assert "library.blend" in raised.value.message
    bpy.data.objects.remove(override)
    bpy.context.scene.collection.objects.link(linked)
    assert state() == before
    assert not snapshots.is_read_only(obj)


@pytest.mark.parametrize("modifier", ["MIRROR", "ARRAY", "TRIANGULATE", "SCREW", "EDGE_SPLIT", "WELD"])
def test_original_vertices_behind_modifiers_that_keep_them(modifier: str) -> None:
    obj = cube()
    obj.data.vertices[0].co = (-1.5, -1.25, -1.75)
    own = np.array([vertex.co[:] for vertex in obj.data.vertices])
    obj.modifiers.new(modifier, modifier)
    snapshot = snapshots.take(obj)
    assert snapshot.original.shape == (8,)
    assert len(np.unique(snapshot.original)) == 8
    np.testing.assert_array_equal(snapshot.vertices[snapshot.original], own.astype(np.float32))


def test_original_vertices_behind_a_subdivision() -> None:
    """Corners are drawn in, but stay in their octant and are the outermost points there."""
    obj = cube()
    own = np.array([vertex.co[:] for vertex in obj.data.vertices])
    obj.modifiers.new("subdivision", "SUBSURF").levels = 2
    snapshot = snapshots.take(obj)
    assert snapshot.original.shape == (8,)
    assert len(np.unique(snapshot.original)) == 8
    corners = snapshot.vertices[snapshot.original]
    np.testing.assert_array_equal(np.sign(corners), np.sign(own))
    for corner, sign in zip(corners, np.sign(own), strict=True):
        assert (snapshot.vertices @ sign).max() == pytest.approx(corner @ sign, rel=1e-5)


def test_original_vertices_behind_a_deformation() -> None:
    """Rest positions, not the deformed ones, tell which vertex is which."""
    obj, armature = rigged()
    armature.pose.bones["bone"].rotation_quaternion = (0, 0, 1, 0)
    obj.modifiers.new("mirror", "MIRROR").use_axis = (False, False, True)
    snapshot = snapshots.take(obj)
    expected = np.array(CUBE) * (-1, 1, -1)
    np.testing.assert_allclose(snapshot.vertices[snapshot.original], expected, atol=1e-5)


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("REMESH", {"mode": "VOXEL", "voxel_size": 0.1}),
        ("DECIMATE", {"ratio": 0.3}),
        ("BEVEL", {"width": 0.01, "limit_method": "NONE"}),
    ],
)
def test_original_vertices_when_they_are_gone(kind: str, settings: dict[str, object]) -> None:
    bpy.ops.mesh.primitive_uv_sphere_add()
    obj = bpy.context.object
    modifier = obj.modifiers.new(kind, kind)
    for name, value in settings.items():
        setattr(modifier, name, value)
    snapshot = snapshots.take(obj)
    own = np.array([vertex.co[:] for vertex in obj.data.vertices])
    assert len(snapshot.vertices) != len(own)
    distance = np.linalg.norm(own[:, None] - snapshot.vertices[None], axis=2)
    original_distance = np.linalg.norm(own - snapshot.vertices[snapshot.original], axis=1)
    assert (original_distance < distance.min(axis=1) + 0.2).all()


@pytest.mark.parametrize("kind", ["MASK", "BUILD"])
def test_what_a_modifier_hides_is_there(kind: str) -> None:
    """Bodies are hidden under clothes; they have the modifier still, and are hidden still."""
    obj = cube()
    whole = snapshots.take(obj)
    obj.vertex_groups.new(name="hidden").add([0, 1, 2, 3], 1.0, "REPLACE")
    modifier = obj.modifiers.new("hide", kind)
    if kind == "MASK":
        modifier.vertex_group, modifier.invert_vertex_group = "hidden", True
    else:
        modifier.frame_start = bpy.context.scene.frame_current
    masked = snapshots.take(obj)
    assert masked.key == whole.key
    np.testing.assert_array_equal(masked.original, whole.original)
    assert modifier.show_viewport


def deleting_nodes(domain: str, moves: bool = False) -> bpy.types.NodeTree:
    """Geometry Nodes, one in a group, that delete what is in the vertex group “hidden”, and may move the rest."""
    inner, outer = (bpy.data.node_groups.new(name, "GeometryNodeTree") for name in ("inner", "outer"))
    for tree in (inner, outer):
        for way in ("INPUT", "OUTPUT"):
            tree.interface.new_socket("Geometry", in_out=way, socket_type="NodeSocketGeometry")
    steps = {inner: ["GeometryNodeDeleteGeometry"], outer: ["GeometryNodeGroup"]}
    steps[inner] += ["GeometryNodeTransform"] if moves else []
    for tree, kinds in steps.items():
        nodes = [tree.nodes.new(kind) for kind in ("NodeGroupInput", *kinds, "NodeGroupOutput")]
        if tree == outer:
            nodes[1].node_tree = inner
        else:
            nodes[1].domain = domain
            name = tree.nodes.new("GeometryNodeInputNamedAttribute")
            name.data_type = "FLOAT"
            name.inputs["Name"].default_value = "hidden"
            tree.links.new(nodes[1].inputs["Selection"], name.outputs["Attribute"])
        if moves and tree == inner:
            nodes[2].inputs["Translation"].default_value = (0, 0, 1)
        for one, other in itertools.pairwise(nodes):
            tree.links.new(other.inputs[0], one.outputs[0])
    return outer


@pytest.mark.parametrize("domain", ["POINT", "FACE"])
def test_what_geometry_nodes_hide_is_there(domain: str) -> None:
    """Also below a Subdivision; nodes that do more than to take away count as they are."""
    obj = cube()
    obj.vertex_groups.new(name="hidden").add([0, 1, 2, 3], 1.0, "REPLACE")
    modifier = obj.modifiers.new("hide", "NODES")
    for moves in (False, True):
        modifier.show_viewport = False
        whole = snapshots.take(obj)
        modifier.show_viewport, modifier.node_group = True, deleting_nodes(domain, moves)
        masked = snapshots.take(obj)
        assert (masked.key == whole.key) == (not moves)
        assert (len(masked.faces) == len(whole.faces)) == (not moves)
        assert modifier.show_viewport
        if not obj.modifiers.get("subdivision"):
            obj.modifiers.new("subdivision", "SUBSURF")


def test_simplification_of_the_scene_counts() -> None:
    obj = cube()
    obj.modifiers.new("subdivision", "SUBSURF").levels = 3
    bpy.context.scene.render.use_simplify = True
    bpy.context.scene.render.simplify_subdivision = 1
    assert len(snapshots.take(obj).vertices) == 26


def test_parts() -> None:
    count = 10_000
    corners = np.tile([(0, 0, 0), (1, 0, 0), (0, 1, 0)], (count, 1)) + np.repeat(np.arange(count), 3)[:, None]
    order = np.random.default_rng(0).permutation(3 * count)
    vertices = np.vstack((corners[np.argsort(order)], [(0, 0, 9)]))
    faces = order[np.arange(3 * count).reshape(-1, 3)]
    snapshot = snapshots.take(add("parts", vertices.tolist(), faces.tolist()))
    assert snapshot.parts.max() == count
    assert (snapshot.parts[faces] == snapshot.parts[faces[:, :1]]).all()
    assert np.bincount(snapshot.parts).max() == 3
    assert np.count_nonzero(snapshot.parts == snapshot.parts[-1]) == 1
    first = np.unique(snapshot.parts, return_index=True)[1]
    assert (np.diff(first) > 0).all()


def test_uvs_and_materials() -> None:
    obj = cube()
    for name in ("shown", "rendered"):
        layer = obj.data.uv_layers.new(name=name)
        layer.uv.foreach_set("vector", np.random.default_rng(len(name)).random(48).astype(np.float32))
    obj.data.uv_layers["shown"].active = True
    obj.data.uv_layers["rendered"].active_render = True
    for material in (bpy.data.materials.new("Rot"), None, bpy.data.materials.new("Blau")):
        obj.data.materials.append(material)
    obj.data.polygons.foreach_set("material_index", [0, 0, 1, 2, 2, 2])
    snapshot = snapshots.take(obj)
    assert snapshot.uv_name == "rendered"
    assert snapshot.material_names == ("Rot", "", "Blau")
    np.testing.assert_array_equal(snapshot.materials, np.repeat([0, 0, 1, 2, 2, 2], 2))
    stored = {
        name: np.array([item.vector[:] for item in obj.data.uv_layers[name].uv]) for name in ("shown", "rendered")
    }
    np.testing.assert_array_equal(snapshot.uvs, stored["rendered"][snapshot.corners])
    mixed = with_uvs(obj, snapshot, {0: "", 2: "shown", 1: "none of that name"})
    assert snapshot.uvs is not None
    expected = np.where((snapshot.materials == 2)[:, None, None], stored["shown"][snapshot.corners], snapshot.uvs)
    np.testing.assert_array_equal(mixed.uvs, expected)
    assert mixed.key == snapshot.key
    assert with_uvs(obj, snapshot, {0: "rendered"}) is snapshot


def test_uvs_of_a_mirrored_object_stay_with_their_corners() -> None:
    obj = cube()
    layer = obj.data.uv_layers.new(name="UVMap")
    positions = np.array([CUBE[loop.vertex_index][:2] for loop in obj.data.loops], np.float32)
    layer.uv.foreach_set("vector", positions.ravel())
    obj.scale = (-1, 1, 1)
    snapshot = snapshots.take(obj)
    assert snapshot.uvs is not None
    np.testing.assert_allclose(snapshot.uvs, snapshot.vertices[snapshot.faces][..., :2] * (-1, 1))


def test_empty_and_degenerate_meshes() -> None:
    nan = float("nan")
    for name, vertices, faces, code in (
        ("empty", [], [], "mesh-empty"),
        ("points", CUBE, [], "mesh-empty"),
        ("nan", [(0, 0, 0), (1, 0, 0), (0, nan, 0)], [(0, 1, 2)], "mesh-nan"),
        ("flat", [(0, 0, 0), (1, 0, 0), (2, 0, 0)], [(0, 1, 2)], "mesh-no-area"),
    ):
        snapshot = snapshots.take(add(name, vertices, faces))
        assert len(snapshot.vertices) == len(snapshot.original) == len(vertices)
        with pytest.raises(InputError) as raised:
            snapshot.check()
        assert raised.value.code == code
    snapshot = snapshots.take(add("triangle", [(0, 0, 0), (1, 0, 0), (0, 1, 0)], [(0, 1, 2)])).check()
    np.testing.assert_array_equal(snapshot.normals, [[(0, 0, 1)] * 3])


def test_polygons_of_any_size() -> None:
    angles = np.arange(7) * 2 * np.pi / 7
    ring = np.stack((np.cos(angles), np.sin(angles), 0 * angles), axis=1)
    snapshot = snapshots.take(add("heptagon", ring.tolist(), [tuple(range(7))])).check()
    assert len(snapshot.faces) == 5
    assert (snapshot.polygons == 0).all()
    corners = snapshot.vertices[snapshot.faces]
    area = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])[:, 2].sum() / 2
    assert area == pytest.approx(7 / 2 * math.sin(2 * math.pi / 7), rel=1e-6)


def test_objects_without_a_surface() -> None:
    for name, data in (("empty", None), ("camera", bpy.data.cameras.new("c")), ("rig", bpy.data.armatures.new("a"))):
        before = state()
        with pytest.raises(InputError) as raised:
            snapshots.take(bpy.data.objects.new(name, data))
        assert raised.value.code == "not-a-surface"
        assert state()["scenes"] == before["scenes"]


def test_curves_texts_and_metaballs() -> None:
    curve = bpy.data.curves.new("curve", "CURVE")
    curve.dimensions, curve.bevel_depth = "3D", 0.1
    curve.splines.new("POLY").points.add(2)
    curve.splines[0].points.foreach_set("co", [0, 0, 0, 1, 1, 0, 0, 1, 1, 1, 1, 1])
    text = bpy.data.curves.new("text", "FONT")
    text.body = "Kin"
    ball = bpy.data.metaballs.new("ball")
    ball.elements.new()
    for data in (curve, text, ball):
        obj = bpy.data.objects.new(data.name, data)
        bpy.context.scene.collection.objects.link(obj)
        before = state()
        snapshot = snapshots.take(obj).check()
        assert state() == before
        assert len(snapshot.original) == 0
        with pytest.raises(InputError) as raised:
            snapshots.check_writable(obj)
        assert raised.value.code == "not-a-mesh"


@pytest.mark.parametrize("name", ["Kätzchen 猫 🐈", "x" * 63, "é" * 31])
def test_names(name: str, tmp_path: Path) -> None:
    obj = cube(name)
    assert obj.name == name
    before = state()
    snapshot = snapshots.take(obj)
    assert state() == before
    assert snapshot.name == name
    snapshot.save(tmp_path / "snapshot.npz")
    loaded = Snapshot.load(tmp_path / "snapshot.npz")
    assert (loaded.name, loaded.key) == (name, snapshot.key)


def test_changes_are_noticed() -> None:
    obj = cube()
    snapshot = snapshots.take(obj)
    obj.location.x += 1
    snapshots.check_unchanged(obj, snapshot)
    obj.data.vertices[3].co.x += 0.001
    with pytest.raises(InputError) as raised:
        snapshots.check_unchanged(obj, snapshot)
    assert raised.value.code == "mesh-changed"
    obj.data.vertices[3].co = CUBE[3]
    snapshots.check_unchanged(obj, snapshot)
    obj.modifiers.new("subdivision", "SUBSURF")
    with pytest.raises(InputError):
        snapshots.check_unchanged(obj, snapshot)


def test_an_error_inside_leaves_nothing_behind() -> None:
    obj = cube()
    obj.shape_key_add(name="Basis")
    before = state()
    with pytest.raises(ZeroDivisionError), snapshots.evaluated(obj):
        raise ZeroDivisionError
    assert state() == before
