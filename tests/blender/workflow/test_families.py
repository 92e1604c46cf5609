"""Families through the workflow: learned from objects, used as features by everything that reads features."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import bpy
import numpy as np
import pytest

from helpers.creatures import renumber, symmetric_creature, vertex_positions
from helpers.main_job import refused
from helpers.photographs import photograph_of
from helpers.skins import add_image_material, new_image, waves
from meshkin import workflow
from meshkin.base.errors import InputError
from meshkin.base.png import write_png
from meshkin.base.progress import finish
from meshkin.data.photo_map import PhotoMap
from meshkin.families import record
from meshkin.scene.mesh.attributes import COLOR
from meshkin.workflow import FamilyOptions, FeatureOptions, Options, TextureOptions, WeightOptions

pytestmark = pytest.mark.usefixtures("own_home")


def options(model: str, **family: object) -> Options:
    chosen = FeatureOptions("dinov2", model=model, views=2, resolution=112)
    return Options(features=chosen, family=FamilyOptions(steps=12, **family))  # type: ignore[arg-type]


def using(name: str, extractor: str = "family") -> Options:
    return Options(features=FeatureOptions(extractor, settings={"family": name}))


@pytest.fixture
def creatures() -> list[bpy.types.Object]:
    """Three in one place, in one collection: as files are loaded, and as a set may stand."""
    made = [symmetric_creature(f"Creature {number}", 0.8 + 0.2 * number) for number in range(3)]
    together = bpy.data.collections.new("Creatures")
    bpy.context.scene.collection.children.link(together)
    for obj in made:
        for collection in obj.users_collection:
            collection.objects.unlink(obj)
        together.objects.link(obj)
    bpy.context.view_layer.update()
    return made


@pytest.mark.slow
def test_it_is_learnt_and_used(creatures: list[bpy.types.Object], small_model: str) -> None:
    report = finish(workflow.learn_family(creatures, "Blobs", options(small_model)))
    assert report.title == "The family “Blobs” was learned from 3 shapes."
    (about,) = record.listing()
    assert [member.name for member in about.members] == [obj.name for obj in creatures]
    assert about.base_name == "dinov2"
    unseen = symmetric_creature("Unseen", 1.1)
    found = finish(workflow.features([unseen], using("Blobs")))
    assert found.data["recipe"]["parts"][0]["extractor"] == "family"
    match = finish(workflow.match(creatures[0], unseen, using("Blobs", "family+geometric")))
    assert match.data["map"]


@pytest.mark.slow
def test_all_that_reads_features_of_shapes_reads_a_family(creatures: list[bpy.types.Object]) -> None:
    """Colors, sets of maps, weights by features, which tell left from right now, and textures."""
    source, target = creatures[:2]
    renumber(target)  # else it would be known by its base mesh
    add_image_material(source, new_image("skin", waves()))
    learned = Options(features=FeatureOptions("geometric"), family=FamilyOptions(steps=12))
    assert not finish(workflow.learn_family([source, target], "Shapes", learned)).data["unsided"]
    family = replace(using("Shapes"), texture=TextureOptions(size=64))
    finish(workflow.features([source, target], family))
    assert all(COLOR in obj.data.attributes for obj in (source, target))
    assert set(finish(workflow.match_set([source, target], source, family)).data["maps"]) == {target.name}

    left = vertex_positions(source)[:, 0] > 0
    for name, side in (("left", left), ("right", ~left)):
        source.vertex_groups.new(name=name).add(np.flatnonzero(side).tolist(), 1.0, "REPLACE")
    by_features = replace(family, weights=WeightOptions(method="features", nearness="never", groups="all"))
    finish(workflow.transfer(source, target, ["weights"], by_features))
    off = np.flatnonzero(np.abs(vertex_positions(target)[:, 0]) > 0.4)
    number = target.vertex_groups["left"].index
    weights = [{item.group: item.weight for item in target.data.vertices[row].groups} for row in off.tolist()]
    is_left = np.array([each.get(number, 0.0) > 0.5 for each in weights])
    assert np.mean(is_left == (vertex_positions(target)[off, 0] > 0)) > 0.9

    finish(workflow.transfer(source, target, ["texture"], family))
    assert target.material_slots[0].material


@pytest.mark.slow
def test_photographs_are_compared_by_a_family(
    creatures: list[bpy.types.Object], small_model: str, tmp_path: Path
) -> None:
    chosen = options(small_model)
    textured = replace(chosen, features=replace(chosen.features, style="textured"))
    source = creatures[0]
    snapshot, picture, face, _ = photograph_of(source, tmp_path)
    photo, mask = tmp_path / "photo.png", tmp_path / "mask.png"
    write_png(photo, picture)
    write_png(mask, np.repeat(np.uint8(255) * (face >= 0)[..., None], 3, axis=-1))
    finish(workflow.learn_family(creatures[:2], "Seen", textured))
    shown = finish(workflow.match_photo(photo, source, using("Seen"), str(mask)))
    found = PhotoMap.load(Path(shown.data["map"]))
    assert found.face[found.mask].min() >= 0
    assert found.face.max() < len(snapshot.faces)
    finish(workflow.learn_family(creatures[:2], "Shaded", chosen))
    refused(workflow.match_photo(photo, source, using("Shaded"), str(mask)), InputError, "family-recipe")


@pytest.mark.slow
def test_a_name_is_not_used_twice_unasked(creatures: list[bpy.types.Object], small_model: str) -> None:
    finish(workflow.learn_family(creatures[:2], "Twice", options(small_model)))
    refused(workflow.learn_family(creatures, "Twice", options(small_model)), InputError, "family-exists")
    finish(workflow.learn_family(creatures, "Twice", options(small_model, replace=True)))
    assert len(next(each for each in record.listing() if each.name == "Twice").members) == 3


@pytest.mark.slow
def test_what_cannot_work_is_told(creatures: list[bpy.types.Object], small_model: str) -> None:
    chosen = options(small_model)
    bpy.context.view_layer.update()
    refused(workflow.learn_family(creatures[:1], "One", chosen), InputError, "family-few")
    refused(workflow.learn_family([], "None", chosen), InputError, "family-few")
    refused(workflow.learn_family(creatures, "a/b", chosen), InputError, "model-name")
    copy = creatures[0].copy()
    bpy.context.collection.objects.link(copy)
    bpy.context.view_layer.update()
    refused(workflow.learn_family([creatures[0], copy], "Copies", chosen), InputError, "family-few")
    report = finish(workflow.learn_family([*creatures[:2], copy], "Pair", chosen))
    assert "is a copy of" in report.details[0]
    assert "from 2 shapes" in report.title
