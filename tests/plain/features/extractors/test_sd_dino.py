"""SD+DINO on small random models of the real architecture: taps, batches, the clean form, the joint reduction."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from helpers import recipes, shapes, small_diffusion, small_models
from meshkin.base.errors import InputError, ModelError
from meshkin.base.json_data import to_json
from meshkin.base.progress import silent
from meshkin.data.recipe import Part, Recipe, ViewPlacement
from meshkin.data.views import Passes, fibonacci_directions, frame
from meshkin.features import joint, photo, recipe
from meshkin.features.compute import KeptViews, compute
from meshkin.features.extractors.sd_dino.reading import SdDinoReader
from meshkin.features.extractors.sd_dino.settings import SdDinoSettings
from meshkin.features.view_data import ViewImages

SIZE = 128


@pytest.fixture(scope="module")
def folders(folders: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Also a UNet fine-tuned for clean pictures."""
    clean = tmp_path_factory.mktemp("models") / "clean"
    small_diffusion.unet(clean, seed=9)
    return {**folders, "clean": str(clean)}


def made(folders: dict[str, str], **settings: Any) -> Recipe:
    return recipes.resolve("sd_dino", settings={**_settings(folders), **settings})


def reader_of(part: Part, batch: int | None = None) -> SdDinoReader:
    return SdDinoReader(recipes.settings_of(part), part.models, "cpu", batch)


def extractor(folders: dict[str, str], batch: int | None = None, **settings: Any) -> SdDinoReader:
    return reader_of(made(folders, **settings).parts[0], batch)


def images(count: int = 3) -> ViewImages:
    """Colored discs, with the cameras that see them."""
    seen = small_models.views(count, SIZE)
    color = np.random.default_rng(4).integers(0, 256, (count, SIZE, SIZE, 3)).astype(np.uint8)
    views = frame(np.random.default_rng(0).normal(size=(20, 3)), fibonacci_directions(count), SIZE)
    return dataclasses.replace(seen, color=color, views=views)


def maps(one: SdDinoReader, seen: ViewImages) -> list[torch.Tensor]:
    batches = list(one.extract(seen, silent))
    assert [view for batch in batches for view in batch.views] == list(range(len(seen.normal)))
    return [torch.cat(level) for level in zip(*(batch.maps for batch in batches), strict=True)]


def close(one: list[torch.Tensor], two: list[torch.Tensor], share: float = 1e-3) -> None:
    for a, b in zip(one, two, strict=True):
        assert float((a - b).norm() / b.norm()) < share


def test_the_shape_of_each_tap(folders: dict[str, str]) -> None:
    one = extractor(folders)
    s3, s4, s5, dino = maps(one, images())
    cells = SIZE // 8
    assert [tuple(level.shape[2:]) for level in (s3, s4, s5)] == [
        (cells // 2,) * 2,
        (cells // 4,) * 2,
        (cells // 8,) * 2,
    ]
    assert dino.shape[2:] == (5, 5)
    assert one.channels == tuple(level.shape[1] for level in (s3, s4, s5, dino))
    assert recipe.wants_color(made(folders))
    assert np.linalg.norm(one.map_weights) == pytest.approx(1)
    assert np.linalg.norm(one.map_weights[:3]) == pytest.approx(one.map_weights[3])  # alpha 0.5


def test_batched_or_not_and_in_any_order(folders: dict[str, str]) -> None:
    seen = images(4)
    expected = maps(extractor(folders), seen)
    close(maps(extractor(folders, batch=1), seen), expected)
    order = [2, 0, 3, 1]
    close(maps(extractor(folders), seen.take(order)), [level[order] for level in expected])


def test_what_the_noise_depends_on(folders: dict[str, str]) -> None:
    seen = images(2)
    same = dataclasses.replace(seen, color=seen.color[:1].repeat(2, 0), normal=seen.normal[:1].repeat(2, 0))  # type: ignore[index]
    own, shared = maps(extractor(folders), same)[0], maps(extractor(folders, noise="shared"), same)[0]
    assert float((own[0] - own[1]).norm() / own[0].norm()) > 1e-3
    close([shared[0]], [shared[1]])
    photo_ = dataclasses.replace(same, views=None)
    close(maps(extractor(folders), photo_), maps(extractor(folders, noise="shared"), same))
    other = maps(extractor(folders, seed=1), seen)[0]
    assert float((other - maps(extractor(folders), seen)[0]).norm() / other.norm()) > 1e-3


def test_a_unet_for_clean_latents_sees_no_noise_and_no_step(folders: dict[str, str]) -> None:
    seen = images(2)
    chosen: dict[str, Any] = {"unet": folders["clean"], "form": "clean"}
    one = maps(extractor(folders, **chosen), seen)
    close(maps(extractor(folders, **chosen, seed=7, step=300), seen), one, 1e-6)
    ordinary = maps(extractor(folders, form="clean"), seen)
    assert float((ordinary[0] - one[0]).norm() / one[0].norm()) > 0.1
    part = made(folders, **chosen).parts[0]
    assert set(part.models) == {"base", "unet", "dinov2"}
    with pytest.raises(ModelError):
        made(folders, unet=folders["dinov2"])


def test_without_dino_nothing_of_it_is_needed(folders: dict[str, str]) -> None:
    one = extractor(folders, fusion=0.0, dinov2="nowhere", taps={"s4": 1.0})
    assert len(maps(one, images())) == len(one.channels) == 1
    assert one.map_weights == (1.0,)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("taps", {}), ("taps", {"s9": 1.0}), ("taps", {"s3": -1}), ("step", 1000), ("step", 1.5), ("form", "dirty"),
        ("noise", "none"), ("resolution", 100), ("fusion", 1.0), ("components", 2), ("layers", [9]), ("prompt", 1),
        ("dino_resolution", 71), ("style", "toon"), ("background", 2), ("compiled", 1), ("magic", 1),
    ],
)  # fmt: skip
def test_the_schema(folders: dict[str, str], name: str, value: Any) -> None:
    with pytest.raises(InputError) as caught:
        made(folders, **{name: value})
    assert caught.value.code == "features-option"


def test_missing_models_are_named_before_anything_is_computed() -> None:
    with pytest.raises(ModelError, match="stable-diffusion"):
        recipes.resolve("sd_dino")


def test_the_key_holds_every_parameter(folders: dict[str, str]) -> None:
    changes = {
        "taps": {"s4": 1.0}, "step": 50, "form": "clean", "seed": 1, "noise": "shared", "resolution": 64, "fusion": 0.3,
        "components": 64, "layers": [1], "dino_resolution": 84, "style": "shading", "background": 0.5,
        "template": "a photo of a {}", "unet": folders["clean"], "base": folders["base"], "compiled": True,
    }  # fmt: skip
    keys = {name: recipe.key(made(folders, **{name: value}), "shape", "look") for name, value in changes.items()}
    plain = recipe.key(made(folders), "shape", "look")
    assert keys.pop("base") == keys.pop("compiled") == plain
    assert len({plain, *keys.values()}) == len(keys) + 1
    assert recipe.key(made(folders), "shape", "other look") != plain
    words = [recipes.resolve("sd_dino", prompt=text, settings=_settings(folders)) for text in ("cat", "dog")]
    assert recipe.key(words[0], "s") == recipe.key(words[1], "s")  # no template asks for the words
    words = [
        recipes.resolve("sd_dino", prompt=text, settings={**_settings(folders), "template": "a {}"})
        for text in ("cat", "dog")
    ]
    assert recipe.key(words[0], "s") != recipe.key(words[1], "s")


def _settings(folders: dict[str, str]) -> dict[str, Any]:
    return {"base": folders["base"], "dinov2": folders["dinov2"], "dino_resolution": 70, "resolution": SIZE}


def test_levels_are_reduced_jointly() -> None:
    """Equal rows of two shapes stay equal, directions within a level are kept, the halves have their weights."""
    random = np.random.default_rng(0)
    settings = SdDinoSettings(fusion=0.25, components=6, taps={"s3": 1.0, "s4": 2.0})
    values: Any = to_json(settings)
    parts = [Part("geometric", 1.0), Part("sd_dino", 2.0, values)]
    maps_ = [[4], [10, 20, 8]]
    one, two = (random.normal(size=(count, 42)).astype(np.float32) for count in (200, 300))
    two[:50] = one[:50]
    one[7] = 0
    low = random.normal(size=(3, 10))
    for values in (one, two):
        values[:, 4:14] = values[:, :3] @ low  # this level has three dimensions only
    one[7] = 0
    a, b = joint.reduce([one, two], parts, maps_)
    assert a.shape == (200, 4 + 2 * 6 + 8)
    keep = np.arange(50) != 7
    np.testing.assert_allclose(a[:50][keep], b[:50][keep], atol=1e-5)
    np.testing.assert_array_equal(a[:, :4], one[:, :4])
    assert not a[7].any()
    length = 2 / np.hypot(0.25, 0.75)
    np.testing.assert_allclose(np.linalg.norm(b[:, 4:16], axis=1), 0.75 * length, rtol=1e-4)
    np.testing.assert_allclose(np.linalg.norm(b[:, 16:], axis=1), 0.25 * length, rtol=1e-4)
    swapped = joint.reduce([two, one], parts, maps_)
    np.testing.assert_allclose(swapped[1], a, atol=1e-4)
    np.testing.assert_array_equal(joint.reduce([one], [Part("dinov2", 0.5)], [[42]])[0], one)


def test_a_shape_is_described_and_resumed_as_in_one_go(folders: dict[str, str], tmp_path: Path) -> None:
    shape = shapes.sphere(16, 12)
    chosen = dataclasses.replace(made(folders), views=ViewPlacement("fibonacci", 3))
    seen = images(3)
    passes = Passes(seen.normal, np.where(np.isfinite(seen.depth), 2.2, np.inf).astype(np.float32), None, seen.color)
    whole = compute(shape, chosen, passes, "cpu", silent)
    first = compute(shape, chosen, passes, "cpu", silent, KeptViews(tmp_path))
    next(tmp_path.glob("*.safetensors")).unlink()
    resumed = compute(shape, Recipe.from_json(chosen.to_json()), passes, "cpu", silent, KeptViews(tmp_path))
    np.testing.assert_allclose(resumed.features, first.features, atol=2e-3)
    np.testing.assert_allclose(resumed.features, whole.features, atol=5e-3)
    assert whole.origin.channels == (reader_of(chosen.parts[0]).channels,)
    joined = joint.join([whole, resumed])
    assert joined.rows[0].shape[1] == sum(min(256, width) for width in whole.origin.channels[0][:3]) + 48
    assert joined.intrinsic == []


def test_a_photo_has_the_descriptor_of_a_render(folders: dict[str, str]) -> None:
    chosen = made(folders, noise="shared")
    seen = images(1)
    flat = dataclasses.replace(seen, normal=np.zeros_like(seen.normal), views=None)
    one = reader_of(chosen.parts[0])
    inside = np.isfinite(seen.depth[0])
    assert seen.color is not None
    found = photo.describe(seen.color[0], inside, (0, 0, SIZE), chosen, "cpu", silent, cells=8)
    start = 0
    for level, weight in zip(maps(one, flat), one.map_weights, strict=True):
        size = level.shape[1]
        columns = found[..., start : start + size]
        np.testing.assert_allclose(np.linalg.norm(columns, axis=-1), weight, rtol=1e-3)
        if level.shape[-1] == 8:
            unit = torch.nn.functional.normalize(level, dim=1)[0].permute(1, 2, 0).numpy() * weight
            np.testing.assert_allclose(columns, unit, atol=1e-3)
        start += size


# The head of "Telling Left from Right"


@pytest.fixture(scope="module")
def headed(folders: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Also a head for these small models."""
    from safetensors.torch import save_file

    from meshkin.features.aggregation import AggregationHead
    from meshkin.models import heads

    torch.manual_seed(0)
    head = AggregationHead(heads.HeadSizes(extractor(folders).channels, 32, 96))
    folder = tmp_path_factory.mktemp("models") / "head"
    folder.mkdir()
    save_file(head.state_dict(), folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(heads.configuration(head.sizes)))
    return {**folders, "head": str(folder)}


def geoaware(headed: dict[str, str], **settings: Any) -> Recipe:
    return made(headed, **{"form": "geoaware", "head": headed["head"], **settings})


def test_the_head_reads_the_maps_as_they_are_and_its_map_is_lifted(headed: dict[str, str]) -> None:
    from meshkin.features.aggregation import load_head

    part = geoaware(headed).parts[0]
    one = reader_of(part)
    assert one.channels == (96,)
    assert one.map_weights == (1.0,)
    (found,) = maps(one, images())
    head = load_head(Path(headed["head"]), part.models["head"].checksum, torch.device("cpu"))
    raw = maps(extractor(headed, step=50), images())
    np.testing.assert_allclose(found.numpy(), head(raw).numpy(), atol=1e-4)
    np.testing.assert_allclose(found.norm(dim=1).numpy(), 1, atol=1e-5)
    rows = np.random.default_rng(0).normal(size=(5, 96)).astype(np.float32)
    (reduced,) = joint.reduce([rows], [part], [one.channels])
    np.testing.assert_array_equal(reduced, rows)


def test_the_form_and_its_head_belong_together(headed: dict[str, str]) -> None:
    settings = recipes.settings_of(recipes.resolve("sd_dino", settings={
        **{name: value for name, value in _settings(headed).items() if "resolution" not in name},
        "form": "geoaware", "head": headed["head"]}).parts[0])  # fmt: skip
    assert (settings.step, settings.resolution, settings.dino_resolution) == (50, 960, 840)
    for wrong in ({"head": ""}, {"form": "noised"}, {"taps": {"s3": 1.0, "s4": 1.0}}, {"fusion": 0.0}):
        with pytest.raises(InputError):
            geoaware(headed, **wrong)
    with pytest.raises(ModelError, match="channels"):
        geoaware(headed, layers=[1, 2])
