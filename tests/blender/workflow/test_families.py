"""Families through the workflow: learned from objects, used as features by everything that reads features."""

from __future__ import annotations

import bpy
import pytest

from helpers.creatures import symmetric_creature
from helpers.main_job import refused
from meshkin import workflow
from meshkin.base.errors import InputError
from meshkin.base.progress import finish
from meshkin.families import record
from meshkin.workflow import FamilyOptions, FeatureOptions, Options

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


def test_a_name_is_not_used_twice_unasked(creatures: list[bpy.types.Object], small_model: str) -> None:
    finish(workflow.learn_family(creatures[:2], "Twice", options(small_model)))
    refused(workflow.learn_family(creatures, "Twice", options(small_model)), InputError, "family-exists")
    finish(workflow.learn_family(creatures, "Twice", options(small_model, replace=True)))
    assert len(next(each for each in record.listing() if each.name == "Twice").members) == 3


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
