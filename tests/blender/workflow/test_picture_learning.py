"""Pairs rendered to learn from: what they show is true, the scene stays as it is, and a job goes on where it was."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import bpy
import numpy as np
import pytest
from numpy.typing import NDArray

from helpers.creatures import creature
from meshkin import workflow
from meshkin.base.errors import InputError
from meshkin.base.progress import finish
from meshkin.pictures.learning import pairs as pair_files
from meshkin.scene.render import exr
from meshkin.workflow import Options, PairOptions, PictureLearningOptions

SIZE = 32
Bytes = NDArray[np.uint8]


def few(count: int = 3, seed: int = 0) -> Options:
    return Options(picture_pairs=PairOptions(count, SIZE, seed))


def panels(file: Path) -> Bytes:
    """The picture and its maps, uint8 (5, S, S, 3), as Blender reads them."""
    image = bpy.data.images.load(str(file))
    image.colorspace_settings.name = "Non-Color"
    width, height = image.size
    pixels = np.empty(width * height * 4, np.float32)
    image.pixels.foreach_get(pixels)
    bpy.data.images.remove(image)
    rows = (pixels.reshape(height, width, 4)[::-1, :, :3] * 255).round().astype(np.uint8)
    return rows.reshape(height, -1, height, 3).swapaxes(0, 1)


@pytest.fixture
def ball() -> bpy.types.Object:
    bpy.ops.mesh.primitive_uv_sphere_add(segments=64, ring_count=32, radius=2, location=(5, -3, 1))
    bpy.ops.object.shade_smooth()
    obj = bpy.context.object
    material = bpy.data.materials.new("Red")
    material.use_nodes = True
    material.node_tree.nodes["Principled BSDF"].inputs["Base Color"].default_value = (0.8, 0.1, 0.1, 1)
    obj.data.materials.append(material)
    return obj


@pytest.fixture
def counted() -> Iterator[None]:
    names = [prop.identifier for prop in bpy.data.bl_rna.properties if prop.type == "COLLECTION"]
    before = {name: {block.name for block in getattr(bpy.data, name)} for name in names}
    yield
    after = {name: {block.name for block in getattr(bpy.data, name)} for name in names}
    assert after == before


def test_pairs_show_a_ball_as_it_is(ball: bpy.types.Object, tmp_path: Path) -> None:
    report = finish(workflow.picture_pairs([ball], tmp_path / "pairs", few(6)))
    assert report.data["rendered"] == 6
    own = 0
    for number in range(6):
        picture, normal, depth, albedo, parts = panels(pair_files.file_of(tmp_path / "pairs", number))
        shown = normal.any(axis=-1)
        assert shown.mean() > 0.2
        for each in (depth, albedo, parts):
            assert np.array_equal(each.any(axis=-1), shown)
        direction = normal[shown] / 127.5 - 1
        assert np.abs(np.linalg.norm(direction, axis=1) - 1).max() < 0.03
        # On a ball, the normal's components grow with the place in the picture: x to the right, y upward.
        rows, columns = np.nonzero(shown)
        assert np.corrcoef(columns, direction[:, 0])[0, 1] > 0.9
        assert np.corrcoef(rows, direction[:, 1])[0, 1] < -0.9
        assert np.corrcoef(depth[shown][:, 0], direction[:, 2])[0, 1] > 0.8  # near is white
        assert picture[shown].std() > 1
        red = np.array((231, 89, 89))  # sRGB of its material
        own += bool(np.abs(albedo[shown].astype(int) - red).max() <= 3)
    assert 0 < own < 6  # some in its own material, some in random ones


def test_the_scene_stays_as_it_is(ball: bpy.types.Object, tmp_path: Path, counted: None) -> None:
    scene = bpy.context.scene
    scene.render.engine, scene.cycles.samples, scene.render.resolution_x = "CYCLES", 77, 123
    other = creature("other")
    other.select_set(False)
    bpy.context.view_layer.objects.active = ball
    ball.select_set(True)
    state = [material.name for material in ball.data.materials], ball.matrix_world.copy(), ball.users_scene
    finish(workflow.picture_pairs([ball, other], tmp_path / "pairs", few(2)))
    assert (scene.render.engine, scene.cycles.samples, scene.render.resolution_x) == ("CYCLES", 77, 123)
    assert (ball.select_get(), other.select_get(), bpy.context.object) == (True, False, ball)
    assert state == ([material.name for material in ball.data.materials], ball.matrix_world, ball.users_scene)
    bpy.data.objects.remove(other)
    bpy.data.meshes.remove(bpy.data.meshes["other"])


def test_pairs_repeat_and_are_gone_on_with(
    ball: bpy.types.Object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, halved = tmp_path / "whole", tmp_path / "halved"
    finish(workflow.picture_pairs([ball], whole, few(4)))
    finish(workflow.picture_pairs([ball], halved, few(2)))
    damaged = pair_files.file_of(halved, 0)
    damaged.write_bytes(damaged.read_bytes()[:-5])
    report = finish(workflow.picture_pairs([ball], halved, few(4)))
    assert report.data["rendered"] == 3
    for number in range(4):
        first, second = (pair_files.file_of(folder, number).read_bytes() for folder in (whole, halved))
        assert first == second
    monkeypatch.setattr(exr, "read_channels", None)  # nothing is rendered again
    assert finish(workflow.picture_pairs([ball], halved, few(4))).data["rendered"] == 0


def test_other_pairs_are_not_written_over(ball: bpy.types.Object, tmp_path: Path) -> None:
    finish(workflow.picture_pairs([ball], tmp_path / "pairs", few(2)))
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "important.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")
    for folder, options in (("pairs", few(2, seed=1)), ("pairs", few(1 + 1)), ("notes", few()), ("file", few())):
        ball.data.vertices[0].co.z += 0.1
        with pytest.raises(InputError) as raised:
            finish(workflow.picture_pairs([ball], tmp_path / folder, options))
        assert raised.value.code == "pairs-other"
    with pytest.raises(InputError, match="No object"):
        finish(workflow.picture_pairs([], tmp_path / "none", few()))


def test_meshes_in_one_place_are_photographed_one_by_one(ball: bpy.types.Object, tmp_path: Path) -> None:
    bpy.ops.mesh.primitive_cube_add(size=2, location=ball.location)
    finish(workflow.picture_pairs([ball, bpy.context.object], tmp_path / "pairs", few(2)))
    record = pair_files.read_record(tmp_path / "pairs")
    assert [subject.name for subject in record.subjects] == ["Sphere", "Cube"]


def test_materials_are_parts_where_none_were_found(ball: bpy.types.Object, tmp_path: Path) -> None:
    ball.data.materials.append(None)
    for polygon in ball.data.polygons:
        polygon.material_index = int(polygon.center.z > 0)
    finish(workflow.picture_pairs([ball], tmp_path / "pairs", few(2)))
    parts = panels(pair_files.file_of(tmp_path / "pairs", 0))[4]
    assert len(np.unique(parts[parts.any(axis=-1)], axis=0)) == 2


@pytest.mark.slow
def test_a_map_is_learned_and_found(ball: bpy.types.Object, tmp_path: Path) -> None:
    folder, learned = tmp_path / "pairs", tmp_path / "learned.safetensors"
    finish(workflow.picture_pairs([ball], folder, few(4)))
    options = Options(picture_learning=PictureLearningOptions("depth", steps=3, batch=2))
    report = finish(workflow.learn_picture(folder, learned, options))
    assert [warning.code for warning in report.warnings] == ["picture-unlearned"]
    assert Path(report.data["epochs"], "epoch_0001.png").exists()
    found = tmp_path / "depth.png"
    finish(workflow.apply_picture(pair_files.file_of(folder, 0), str(learned), found))
    image = bpy.data.images.load(str(found))
    assert tuple(image.size) == (5 * SIZE, SIZE)
    with pytest.raises(InputError, match="safetensors"):
        finish(workflow.learn_picture(folder, tmp_path / "learned.txt", options))
