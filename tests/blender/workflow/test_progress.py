"""One progress bar over the whole job, and results that show before it ends."""

from __future__ import annotations

import dataclasses

import bpy
import numpy as np
import pytest
from numpy.typing import NDArray

from helpers.characters import dressed, rig
from helpers.creatures import creature
from helpers.main_job import GEOMETRIC, paint, state
from helpers.rigged import new_armature
from meshkin import workflow
from meshkin.base.progress import JobProgress, finish
from meshkin.scene.display import viewport
from meshkin.scene.rig import binding

WHAT = ["texture", "weights", "attributes", "armature"]
PREVIEWED = dataclasses.replace(GEOMETRIC, texture=workflow.TextureOptions(size=1024, preview=True))


def told_by(job: workflow.Steps) -> list[JobProgress]:
    told: list[JobProgress] = []
    finish(job, lambda progress: told.append(progress) if isinstance(progress, JobProgress) else None)
    return told


def characters() -> tuple[bpy.types.Object, bpy.types.Object]:
    """A painted and rigged creature, and a bare one beside it."""
    source, target = creature("source", subdivisions=2), creature("target", 1.25, subdivisions=2)
    target.location.x = 5
    bpy.context.view_layer.update()
    paint(source)
    binding.bind(source, new_armature("rig", {"upper": ((0, 0, 0), (0, 0, 1), None)}))
    return source, target


@pytest.mark.slow
def test_a_whole_job_has_one_bar_and_counts_its_steps() -> None:
    """Two objects to describe, their match and four things to transfer; then again, with all but these in the cache."""
    source, target = characters()
    for number in range(2):
        told = told_by(workflow.transfer(source, target, WHAT, PREVIEWED))
        fractions, numbers = [one.fraction for one in told], [one.number for one in told]
        assert fractions == sorted(fractions), f"run {number}"
        assert numbers == sorted(numbers)
        assert {one.count for one in told} == {7}
        assert set(numbers) == set(range(1, 8))
        assert fractions[-1] < 1
        assert len({one.stage for one in told}) > 8


@pytest.mark.slow
def test_characters_of_several_meshes_have_one_bar() -> None:
    """Two characters of four meshes each: still two to describe, one match and what is transferred."""
    source, target = dressed("a "), dressed("b ", x=5)
    rig("rig", source)
    rig("other", target, x=5)
    told = told_by(workflow.transfer(source["body"], target["body"], ["weights", "armature"], GEOMETRIC))
    assert [one.fraction for one in told] == sorted(one.fraction for one in told)
    assert {one.count for one in told} == {5}
    assert set(range(1, 6)) == {one.number for one in told}


@pytest.mark.slow
def test_other_jobs_have_one_bar_too() -> None:
    source, target = characters()
    third = creature("third", 1.4, subdivisions=2)
    jobs = {
        3: workflow.features([source, target], GEOMETRIC),
        4: workflow.match(source, target, GEOMETRIC),
        6: workflow.match_set([target, third], source, GEOMETRIC),
        7: workflow.pose(target, third, dataclasses.replace(GEOMETRIC, match=workflow.MatchOptions(through=source))),
        1: workflow.transfer(source, third, ["weights"], GEOMETRIC.changed(nearness="always")),
    }
    for count, job in jobs.items():
        told = told_by(job)
        assert {one.count for one in told} == {count}
        assert [one.number for one in told] == sorted(one.number for one in told)
        assert told[-1].number == count


def colored(obj: bpy.types.Object) -> bool:
    return "meshkin_color" in obj.data.attributes


def colors_of(obj: bpy.types.Object) -> NDArray[np.float64]:
    return np.array([tuple(item.color) for item in obj.data.attributes["meshkin_color"].data])


def test_colors_show_while_the_match_is_made_and_go_if_it_is_cancelled() -> None:
    source, target = characters()
    before = state()
    job = workflow.match(source, target, GEOMETRIC)
    while "match of" not in next(job).step:
        pass
    assert colored(source)
    assert colored(target)
    job.close()
    assert state() == before
    finish(workflow.features([target], GEOMETRIC))
    kept = colors_of(target)
    job = workflow.match(source, target, GEOMETRIC.changed(flip=True))
    while "match of" not in next(job).step:
        pass
    job.close()
    assert not colored(source)
    assert np.allclose(colors_of(target), kept)


def test_a_transfer_shows_colors_only_where_colors_are_shown() -> None:
    source, target = characters()
    for shown in (False, True):
        if shown:
            finish(workflow.features([source], GEOMETRIC))
            viewport.show([source])
        job = workflow.transfer(source, target, ["weights"], GEOMETRIC.changed(nearness="never"))
        while "transfer of" not in next(job).step:
            pass
        assert colored(target) == shown
        job.close()
        assert not colored(target)
