"""Options are described once, for scripts, panels and the command line."""

from __future__ import annotations

import dataclasses
import warnings

import pytest

from meshkin.base.errors import InputError
from meshkin.base.options import Option, assignments, names, options_of
from meshkin.data import recipe
from meshkin.features.options import FeatureOptions
from meshkin.matching.options import MatchOptions
from meshkin.transfer.attributes.options import AttributeOptions
from meshkin.transfer.rig.options import RigOptions
from meshkin.transfer.texture.options import TextureOptions
from meshkin.transfer.weights.options import WeightOptions
from meshkin.worker.options import WorkerOptions

GROUPS = (
    FeatureOptions,
    MatchOptions,
    TextureOptions,
    WeightOptions,
    RigOptions,
    AttributeOptions,
    WorkerOptions,
)
EVERY = [(group, option) for group in GROUPS for option in options_of(group).values()]


def test_no_two_options_share_a_flat_name() -> None:
    names = [option.flat for _, option in EVERY]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(("group", "option"), EVERY, ids=lambda value: getattr(value, "flat", ""))
def test_each_is_named_and_its_default_is_one_of_its_values(group: type, option: Option) -> None:
    assert option.name
    assert option.description[0].isupper() or option.description[0].isdigit()
    assert not option.description.endswith(".")
    if option.choices and option.text is None:
        assert option.default in option.values
    if option.least is not None and option.default is not None:
        assert option.least <= option.default
    if option.most is not None:
        assert option.default <= option.most
    assert getattr(group(), option.field) == option.default


@pytest.mark.parametrize("option", [option for _, option in EVERY if option.text], ids=lambda option: option.flat)
def test_what_is_written_as_text_comes_back(option: Option) -> None:
    assert option.text is not None
    value = option.text.parse(option.text.example)
    assert value
    assert option.text.parse(option.text.write(value)) == value
    assert option.text.parse(option.text.write(option.default)) == option.default


def test_a_text_that_is_not_understood_is_named() -> None:
    with pytest.raises(InputError, match="Exclude Views") as caught:
        options_of(FeatureOptions)["without"].parsed("three")
    assert caught.value.code == "option-invalid"


def test_names_with_commas_stand_in_quotes() -> None:
    assert names("Col, UVMap,,  a b ") == ("Col", "UVMap", "a b")
    assert names('"Eye, left", Shirt, "  padded "') == ("Eye, left", "Shirt", "  padded ")
    assert names('6" tall, "') == ('6" tall', '"')
    text = options_of(AttributeOptions)["names"].text
    assert text is not None
    for value in (("Eye, left", "Shirt"), (" padded",), ("plain",)):
        assert text.parse(text.write(value)) == value


def test_assignments_are_json_or_texts() -> None:
    assert assignments(["steps=20", 'taps={"s3":1}', "prompt=a cat"]) == {
        "steps": 20,
        "taps": {"s3": 1},
        "prompt": "a cat",
    }
    with pytest.raises(ValueError, match="steps"):
        assignments(["steps"])


def test_groups_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        TextureOptions().size = 8  # type: ignore[misc]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert dataclasses.replace(TextureOptions(), size=8).size == 8


def test_styles_are_those_that_recipes_may_have() -> None:
    assert tuple(value for value in options_of(FeatureOptions)["style"].values if value) == recipe.STYLES
