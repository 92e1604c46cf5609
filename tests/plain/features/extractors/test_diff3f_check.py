"""Diff3F leaves out the painted views that keep their shape worst."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from helpers import small_diffusion
from helpers.painting import Resolve, images_of, painter
from meshkin.base.errors import ModelError
from meshkin.base.progress import silent
from meshkin.data.recipe import Recipe
from meshkin.data.snapshot import Snapshot
from meshkin.features.compute import KeptViews, compute
from meshkin.features.view_data import ViewImages
from meshkin.pictures import reading

pytestmark = pytest.mark.usefixtures("home")


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(small_diffusion.marigold(tmp_path_factory.mktemp("reader") / "normals", "marigold-normals"))


def with_views_left_out(recipe: Recipe, views: tuple[int, ...]) -> Recipe:
    assert recipe.views is not None
    return replace(recipe, views=replace(recipe.views, without=views))


class Network:
    """Stands for one that reads the true normals from all views but those whose pictures are spoiled."""

    def __init__(self, images: ViewImages, spoiled: tuple[int, ...]) -> None:
        self._normals = images.normal.astype(np.float32)
        self._inside = np.isfinite(images.depth)
        self._spoiled = spoiled
        self.seen: list[int] = []

    def __call__(
        self, model: Any, pixels: Any, mask: NDArray[np.bool_], settings: Any, device: str
    ) -> dict[str, NDArray[np.float32]]:
        view = int(np.argmax([(mask == inside).mean() for inside in self._inside]))
        self.seen.append(view)
        return {"normal": self._normals[view] * np.float32(-1 if view in self._spoiled else 1)}


@pytest.mark.parametrize("profile", ["fast", "reference"])
def test_the_features_are_those_without_the_worst_views(
    profile: str, reader: str, resolve: Resolve, potato: Snapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    views = 5 if profile == "fast" else 9
    settings: dict[str, Any] = {"steps": 2, "noise": "view", "reader": reader}
    plain, checked = (resolve(profile, views=views, check=check, **settings) for check in (0.0, 0.45))
    images, seen = images_of(potato, plain)
    count = len(images.normal)
    spoiled = (1, 3) if int(0.45 * count) == 2 else tuple(range(1, 1 + int(0.45 * count)))
    network = Network(images, spoiled)
    monkeypatch.setattr(reading, "read_maps", network)
    found = compute(potato, checked, seen, "cpu")
    assert sorted(network.seen) == list(range(count))
    less = with_views_left_out(plain, spoiled)
    wanted = compute(potato, less, images_of(potato, less)[1], "cpu")
    np.testing.assert_allclose(
        found.features.astype(np.float32), wanted.features.astype(np.float32), atol=2e-3 * np.abs(wanted.features).max()
    )
    np.testing.assert_array_equal(found.seen, wanted.seen)
    whole = compute(potato, plain, seen, "cpu")
    assert np.abs(found.features - whole.features).max() > 1e-2 * np.abs(whole.features).max()


def test_a_real_network_reads_each_view_once(
    reader: str, resolve: Resolve, potato: Snapshot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where nothing else looks at the pictures, and what was read is kept for a job that goes on."""
    chosen = resolve(views=3, steps=2, fusion=0.0, check=0.4, reader=reader)
    assert set(chosen.parts[0].models) == {"base", "depth", "normal", "reader"}
    images, seen = images_of(potato, chosen)
    (batch,) = painter(chosen, 8).extract(images, silent)
    assert batch.misfits is not None
    assert len(batch.misfits) == 3
    assert min(batch.misfits) > 0.3  # random weights see no shape
    first = compute(potato, chosen, seen, "cpu", kept=KeptViews(tmp_path))
    monkeypatch.setattr(reading, "read_maps", lambda *_: pytest.fail("a view was read again"))
    np.testing.assert_array_equal(
        compute(potato, chosen, seen, "cpu", kept=KeptViews(tmp_path)).features, first.features
    )


def test_without_a_check_no_model_is_asked_for(resolve: Resolve, reader: str) -> None:
    assert "reader" not in resolve().parts[0].models
    with pytest.raises(ModelError) as caught:
        resolve(check=0.2)
    assert caught.value.code == "model-missing"
    assert "meshkin models get prs-eth/marigold-normals-v1-1" in caught.value.fix
    with pytest.raises(ModelError, match="stable-diffusion"):
        resolve(check=0.2, reader=resolve().parts[0].models["base"].folder)
