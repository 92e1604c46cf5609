"""Learning a family from shapes: checked, stopped and gone on with, kept, read again."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from meshkin.base.errors import Cancelled, InputError, ModelError
from meshkin.base.progress import silent
from meshkin.families import kept, record, teaching
from meshkin.families.learning import LearningSettings, is_plateau
from meshkin.families.record import Curve
from meshkin.families.teaching import Lesson, Pupil
from meshkin.models import checking, locating

from .conftest import BASE

QUICK = LearningSettings(layers=(24, 12), steps=60, sampled=200, pool=30, anchors=20)
Make = Callable[..., Pupil]


def lesson(name: str = "beasts", notes: Path | None = None) -> Lesson:
    return Lesson(name, BASE, QUICK, notes, "cpu")


@pytest.fixture(scope="module")
def family(pupil: Make) -> kept.Family:
    return teaching.teach([pupil(bend) for bend in (-0.3, 0.0, 0.2)], lesson(), silent)


def test_it_is_kept_and_read_again(home: Path, pupil: Make, family: kept.Family) -> None:
    folder = kept.store(family)
    assert locating.locate("family", "beasts").folder == folder
    again = kept.load(folder)
    assert again.record == family.record
    assert [each.name for each in record.listing()] == ["beasts"]
    unseen = pupil(0.4)
    features = unseen.features.copy()
    features[3] = 0

    def rest() -> None:
        """What is called in every round."""

    found = again.of_surface(unseen.shape, features, rest)
    np.testing.assert_allclose(found, family.of_surface(unseen.shape, features, rest), atol=1e-3)
    assert not found[3].any()
    assert again.of_cells(features).shape == found.shape
    assert again.sides is not None
    assert family.sides is not None
    np.testing.assert_allclose(again.sides.weights, family.sides.weights, rtol=1e-6)
    with pytest.raises(InputError, match="channels") as caught:
        again.of_surface(unseen.shape, features[:, :-1], rest)
    assert caught.value.code == "family-recipe"


def test_what_is_there_is_not_replaced_unasked(home: Path, family: kept.Family) -> None:
    folder = kept.store(family)
    before = checking.checksum_of(folder, "family")
    with pytest.raises(InputError) as caught:
        kept.store(family)
    assert caught.value.code == "family-exists"
    changed = replace(family, sides=None)
    kept.store(changed, replace=True)
    assert checking.checksum_of(folder, "family") != before
    for name in ("", "a/b", "..", "x" * 200, "end."):
        with pytest.raises(InputError) as caught:
            kept.store(replace(family, record=replace(family.record, name=name)))
        assert caught.value.code == "model-name"
    other = home / "models" / "vit"
    other.mkdir()
    with pytest.raises(InputError, match="Another model"):
        kept.store(replace(family, record=replace(family.record, name="vit")), replace=True)


@pytest.mark.parametrize("name", ["model.safetensors", "config.json"])
def test_a_file_cut_short_is_found(home: Path, family: kept.Family, name: str) -> None:
    file = kept.store(family) / name
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(ModelError) as caught:
        locating.locate("family", "beasts")
    assert caught.value.code == "model-damaged"
    assert "Learn the family “beasts” again" in caught.value.fix


def test_a_changed_record_is_found(home: Path, family: kept.Family) -> None:
    file = kept.store(family) / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text(encoding="utf-8")), "side_weight": 0.1}), encoding="utf-8")
    with pytest.raises(ModelError, match="changed"):
        locating.locate("family", "beasts")


def test_a_family_that_read_sides_otherwise_is_to_be_learned_again(home: Path, family: kept.Family) -> None:
    assert family.sides is not None
    forms = family.sides.forms
    folder = kept.store(replace(family, sides=replace(family.sides, forms=replace(forms, axes=forms.axes[:-3]))))
    with pytest.raises(ModelError, match="other rows") as caught:
        kept.load(folder)
    assert caught.value.code == "model-damaged"


def test_families_that_are_missing_are_named(home: Path, family: kept.Family) -> None:
    with pytest.raises(ModelError, match="None has been learned yet"):
        locating.locate("family", "beasts")
    kept.store(family)
    for name in (None, "other", "facebook/other"):
        with pytest.raises(ModelError, match="“beasts”") as caught:
            locating.locate("family", name)
        assert caught.value.code == "family-missing"


def test_a_stopped_learning_goes_on_where_it_was(tmp_path: Path, pupil: Make, family: kept.Family) -> None:
    """And gives what it would have given at one go."""
    pupils = [pupil(bend) for bend in (-0.3, 0.0, 0.2)]
    notes = tmp_path / "notes.pt"

    def stop(stage: str, share: float) -> None:
        if stage.startswith("Learning") and share > 0.5:
            raise Cancelled

    with pytest.raises(Cancelled):
        teaching.teach(pupils, lesson(notes=notes), stop)
    shares: list[float] = []
    again = teaching.teach(
        pupils, lesson(notes=notes), lambda stage, share: shares.append(share) if "Learning" in stage else None
    )
    assert min(shares) > 0.5
    assert again.record.curve == family.record.curve
    for one, two in zip(again.network.parameters(), family.network.parameters(), strict=True):
        np.testing.assert_allclose(one.detach(), two.detach(), atol=1e-6)
    notes.write_bytes(b"no notes")
    teaching.teach(pupils[:2], lesson(notes=notes), silent)


def test_members_are_checked(pupil: Make) -> None:
    one, two = pupil(0.0), pupil(0.2)
    assert teaching.check_members([one, two, pupil(0.0)])[0] == [one, two]
    assert "counts once" in teaching.check_members([one, two, pupil(0.0)])[1][0]
    for few in ([], [one], [one, pupil(0.0)]):
        with pytest.raises(InputError) as caught:
            teaching.check_members(few)
        assert caught.value.code == "family-few"
    with pytest.raises(InputError) as caught:
        record.check_count(101)
    assert caught.value.code == "family-many"


def test_a_shape_of_another_kind_is_named(pupil: Make) -> None:
    pupils = [pupil(bend) for bend in (-0.3, 0.0, 0.2)]
    assert teaching.unlike_members(pupils) == []
    shape = replace(pupils[0].shape, name="chair")
    noise = np.random.default_rng(0).normal(size=pupils[0].features.shape)
    assert teaching.unlike_members([*pupils, Pupil(shape, noise)]) == ["chair"]


def test_held_out_members_and_sides_are_noted(pupil: Make) -> None:
    pupils = [pupil(bend) for bend in (-0.3, -0.1, 0.0, 0.1, 0.3)]
    family = teaching.teach(pupils, replace(lesson(), settings=replace(QUICK, steps=12)), silent)
    assert [member.held_out for member in family.record.members] == [False] * 4 + [True]
    assert len(family.record.curve.held_out) == len(family.record.curve.steps)
    assert all(member.sided for member in family.record.members)
    assert family.record.described().startswith("5 shapes, 1 of them to check, features geometric")


@pytest.mark.parametrize(
    ("values", "plateau"),
    [
        ([0.13] * 30, True),
        (list(np.linspace(0.25, 0.15, 30)), False),
        (list(np.geomspace(0.2, 0.03, 15)) + [0.03] * 15, False),
        ([0.2], False),
    ],
)
def test_a_plateau_is_told(values: list[float], plateau: bool) -> None:
    assert is_plateau(Curve(list(range(len(values))), values, values, [])) == plateau
