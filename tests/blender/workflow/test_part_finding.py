"""Parts of objects: found, written as what artists use, the same on all objects of a set."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from numpy.typing import NDArray

from helpers.main_job import refused, state
from meshkin import workflow
from meshkin.base.errors import InputError, OptionError
from meshkin.base.progress import finish
from meshkin.scene.example import characters
from meshkin.scene.mesh.part_labels import NAMES_PROPERTY, PART, PART_CONFIDENCE, SET_PROPERTY
from meshkin.workflow import FeatureOptions, Options, PartOptions

LIMBS = ("head", "hand.L", "hand.R", "foot.L", "foot.R")
GEOMETRIC = FeatureOptions(extractor="geometric")


def options(count: int, *write: str) -> Options:
    return Options(features=GEOMETRIC, parts=PartOptions(count=count, write=write))


def values(obj: bpy.types.Object, name: str = PART) -> NDArray[np.float64]:
    return np.array([item.value for item in obj.data.attributes[name].data])


def faces_of(obj: bpy.types.Object, bone: str) -> NDArray[np.bool_]:
    """The faces all of whose vertices a bone rules."""
    group = obj.vertex_groups[bone].index
    ruled = np.array(
        [any(item.group == group and item.weight > 0.7 for item in vertex.groups) for vertex in obj.data.vertices]
    )
    return np.array([ruled[list(face.vertices)].all() for face in obj.data.polygons])


def main_part(obj: bpy.types.Object, bone: str) -> int:
    """The part that most of a bone's faces belong to; nearly all must."""
    found = np.bincount(values(obj)[faces_of(obj, bone)].astype(int))
    assert found.max() > 0.9 * found.sum()
    return int(found.argmax())


def test_every_limb_becomes_a_part() -> None:
    obj = characters.make().source.get()
    report = finish(workflow.parts([obj], options(6)))
    limbs = [main_part(obj, bone) for bone in LIMBS]
    assert len(set(limbs)) == 5
    assert sum(report.data["parts"][obj.name].values()) == len(obj.data.polygons)
    assert list(obj[NAMES_PROPERTY]) == list(report.data["parts"][obj.name])
    confidence = values(obj, PART_CONFIDENCE)
    assert 0 <= confidence.min() <= confidence.max() <= 1
    assert confidence.mean() > 0.5


@pytest.mark.slow
def test_two_characters_get_the_same_parts() -> None:
    """Hand is hand and left is left, with one name on both."""
    example = characters.make()
    source, target = example.source.get(), example.target.get()
    report = finish(workflow.parts([source, target], options(6)))
    assert list(source[NAMES_PROPERTY]) == list(target[NAMES_PROPERTY])
    assert source[SET_PROPERTY] == target[SET_PROPERTY]
    finish(workflow.transfer(source, target, ["weights"], options(6)))
    limbs = [main_part(source, bone) for bone in LIMBS]
    assert limbs == [main_part(target, bone) for bone in LIMBS]
    assert len(set(limbs)) == 5
    names = [source[NAMES_PROPERTY][number] for number in limbs[1:]]
    assert [name[-2:] for name in names] == [".L", ".R", ".L", ".R"]
    assert names[0][:-2] == names[1][:-2] != names[2][:-2] == names[3][:-2]
    assert report.data["parts"].keys() == {source.name, target.name}


def test_parts_become_what_is_asked_for_and_replace_those_before() -> None:
    obj = characters.make().source.get()
    own, groups = [slot.material for slot in obj.material_slots], set(obj.vertex_groups.keys())
    everything = ("face_sets", "materials", "vertex_groups", "seams")
    finish(workflow.parts([obj], options(7, *everything)))
    obj[NAMES_PROPERTY] = ["Cap", *list(obj[NAMES_PROPERTY])[1:]]
    finish(workflow.parts([obj], options(7, *everything)))
    assert obj[NAMES_PROPERTY][0] == "Cap"
    finish(workflow.parts([obj], options(4, *everything)))
    labels, names = values(obj).astype(int), list(obj[NAMES_PROPERTY])
    assert len(names) == 4
    np.testing.assert_array_equal(values(obj, ".sculpt_face_set"), labels + 1)
    assert [slot.material for slot in obj.material_slots][: len(own)] == own
    assert len(obj.material_slots) == len(own) + 4
    assert all(
        obj.material_slots[face.material_index].material["meshkin_part"] == names[label]
        for face, label in zip(obj.data.polygons, labels, strict=True)
    )
    assert set(obj.vertex_groups.keys()) == groups | set(names)
    for number, name in enumerate(names):
        inside = {vertex for face in obj.data.polygons if labels[face.index] == number for vertex in face.vertices}
        index = obj.vertex_groups[name].index
        held = {vertex.index for vertex in obj.data.vertices if any(item.group == index for item in vertex.groups)}
        assert held == inside
    for edge in obj.data.edges:
        faces = {labels[face.index] for face in obj.data.polygons if set(edge.vertices) <= set(face.vertices)}
        if len(faces) > 1:
            assert edge.use_seam
            break


@pytest.mark.slow
def test_parts_of_a_subdivided_object_are_those_of_its_own_faces() -> None:
    obj = characters.make().source.get()
    obj.modifiers.new("Subdivision", "SUBSURF").levels = 1
    finish(workflow.parts([obj], options(6)))
    assert len(values(obj)) == len(obj.data.polygons)
    assert main_part(obj, "hand.L") != main_part(obj, "hand.R")


def test_the_number_can_be_left_open() -> None:
    obj = characters.make().source.get()
    report = finish(workflow.parts([obj], options(0)))
    assert 3 <= len(report.data["parts"][obj.name]) <= 24


def test_what_cannot_be_is_refused_and_what_is_cancelled_leaves_nothing() -> None:
    obj = characters.make().source.get()
    before = state()
    refused(workflow.parts([], options(6)), InputError, "nothing-selected")
    refused(workflow.parts([obj], options(6, "limbs")), OptionError, "option-invalid")
    refused(workflow.parts([obj], Options(parts=PartOptions(method="magic"))), OptionError, "option-invalid")
    job = workflow.parts([obj], options(6))
    for _ in range(3):
        next(job)
    job.close()
    assert state() == before


@pytest.mark.slow
def test_parts_come_over_with_their_names() -> None:
    """Hands stay hands, left stays left; a renamed part keeps its name."""
    example = characters.make()
    source, target = example.source.get(), example.target.get()
    finish(workflow.parts([source], options(6)))
    names = ["Cap", *list(source[NAMES_PROPERTY])[1:]]
    source[NAMES_PROPERTY] = names
    finish(workflow.transfer(source, target, ["weights", "parts"], options(6)))
    assert list(target[NAMES_PROPERTY]) == names
    for bone in LIMBS:
        assert main_part(target, bone) == main_part(source, bone)
    np.testing.assert_array_equal(values(target, ".sculpt_face_set"), values(target) + 1)
    assert values(target, PART_CONFIDENCE).mean() > 0.5
    assert target[SET_PROPERTY] == source[SET_PROPERTY]


@pytest.mark.slow
def test_face_sets_stand_for_parts() -> None:
    example = characters.make()
    source, target = example.source.get(), example.target.get()
    refused(workflow.transfer(source, target, ["parts"], options(6)), InputError, "no-parts")
    sets = source.data.attributes.new(".sculpt_face_set", "INT", "FACE")
    upper = np.array([face.center.z for face in source.data.polygons]) > 0.6 * source.dimensions.z
    sets.data.foreach_set("value", np.where(upper, 7, 3).astype(np.int32))
    finish(workflow.transfer(source, target, ["parts"], options(6)))
    assert list(target[NAMES_PROPERTY]) == ["Face Set 3", "Face Set 7"]
    heights = np.array([face.center.z for face in target.data.polygons]) / target.dimensions.z
    assert heights[values(target) == 1].min() > 0.4
    assert heights[values(target) == 0].max() < 0.8


def by_bones(count: int, *write: str) -> Options:
    return Options(parts=PartOptions(method="bones", count=count, write=write))


def test_bones_tell_parts_exactly_and_name_them() -> None:
    obj = characters.make().source.get()
    report = finish(workflow.parts([obj], by_bones(7)))
    names = list(report.data["parts"][obj.name])
    assert len(names) == 7
    for bone in LIMBS:
        labels = values(obj)[faces_of(obj, bone)].astype(int)
        assert len(set(labels)) == 1
    rig = obj.parent.data.bones
    assert all(name in rig for name in names)


def test_objects_of_one_rig_get_the_same_parts_and_others_are_refused() -> None:
    example = characters.make()
    source, bare = example.source.get(), example.target.get()
    refused(workflow.parts([bare], by_bones(5)), InputError, "no-armature")
    piece = source.copy()
    piece.data = source.data.copy()
    source.users_collection[0].objects.link(piece)
    report = finish(workflow.parts([source, piece], by_bones(5)))
    np.testing.assert_array_equal(values(source), values(piece))
    assert len(report.data["parts"][piece.name]) == 5
    for obj in (source, piece):
        obj.vertex_groups.clear()
    refused(workflow.parts([source], by_bones(5)), InputError, "no-weights")


def test_the_weights_of_bones_are_never_touched() -> None:
    """Parts are named after bones, whose groups hold the weights: they get groups of their own."""
    obj = characters.make().source.get()

    def weights() -> list[list[tuple[str, float]]]:
        names = [group.name for group in obj.vertex_groups]
        rows = [[(names[item.group], item.weight) for item in vertex.groups] for vertex in obj.data.vertices]
        return [[(name, weight) for name, weight in row if name in bones] for row in rows]

    bones = set(obj.vertex_groups.keys())
    before = weights()
    finish(workflow.parts([obj], by_bones(7, "vertex_groups")))
    names = list(obj[NAMES_PROPERTY])
    assert set(names) <= bones
    assert set(obj.vertex_groups.keys()) == bones | {f"{name} (part)" for name in names}
    assert weights() == before
    finish(workflow.parts([obj], by_bones(3)))  # its groups stay, and so do those of bones that are no part now
    assert weights() == before
    finish(workflow.parts([obj], options(4, "vertex_groups")))
    assert set(obj.vertex_groups.keys()) == bones | set(obj[NAMES_PROPERTY])
    assert weights() == before
