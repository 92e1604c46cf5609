"""Options as scripts give them: in groups, by flat names, and as before they were grouped."""

from __future__ import annotations

import warnings

import pytest

from meshkin.workflow import FeatureOptions, Options, TextureOptions, WeightOptions


def test_groups_and_flat_names_say_the_same() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        grouped = Options(FeatureOptions("geometric"), texture=TextureOptions(size=64, threshold=0.5))
        flat = Options().changed(features="geometric", texture_size=64, texture_threshold=0.5)
    assert grouped == flat
    assert flat.changed(texture_size=2048, texture_threshold=0.0, features="auto") == Options()


def test_keywords_from_before_the_groups_still_work_and_warn() -> None:
    with pytest.warns(DeprecationWarning, match="texture_size, threshold, features"):
        old = Options("geometric", texture_size=64, threshold=0.2)
    assert old == Options().changed(features="geometric", texture_size=64, threshold=0.2)
    assert old.rig.threshold == old.weights.threshold == 0.2


def test_what_is_no_option_is_refused() -> None:
    with pytest.raises(TypeError, match="texure_size"):
        Options().changed(texure_size=64)
    with pytest.raises(TypeError, match="size"):
        Options(weights=WeightOptions(), size=3)
