"""Diff3F on small random models of the real architecture: against the published loop written out literally, and
against itself in other batches, orders and runs."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapes
import small_diffusion
import torch
from diffusers import (
    AutoencoderKL,
    ControlNetModel,
    DDIMScheduler,
    StableDiffusionControlNetImg2ImgPipeline,
    UNet2DConditionModel,
)
from numpy.typing import NDArray
from PIL import Image
from rays import passes as cast_passes
from torch.nn import functional
from transformers import CLIPTextModel, CLIPTokenizer, Dinov2Model

from meshkin import models
from meshkin.errors import Cancelled, InputError, MeshKinError, ModelError
from meshkin.features import devices, kept, published, recipe, stable_diffusion
from meshkin.features.compute import compute
from meshkin.features.diff3f import Diff3F, depth_picture, normal_picture
from meshkin.features.dinov2 import Dinov2
from meshkin.features.extractor import Grids, ViewImages
from meshkin.features.lifting import view_weights
from meshkin.features.parameters import TAPS
from meshkin.features.stable_diffusion import Noise, StableDiffusion, view_seed
from meshkin.progress import silent
from meshkin.snapshot import Snapshot
from meshkin.views import Passes, grid_directions, of_recipe, surround

Array = NDArray[Any]
PIXELS = 64
SMALL = {"resolution": PIXELS, "dino_resolution": 70}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return small_diffusion.everything(tmp_path_factory.mktemp("models"))


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MESHKIN_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("MESHKIN_MODELS", raising=False)
    return tmp_path / "home"


@pytest.fixture(scope="module", autouse=True)
def released() -> Iterator[None]:
    """Networks stay loaded between the tests that use the same ones."""
    yield
    recipe.release()


Resolve = Callable[..., dict[str, Any]]


@pytest.fixture
def resolve(folders: dict[str, str]) -> Resolve:
    def make(profile: str = "fast", views: int = 4, prompt: str = "potato", **settings: Any) -> dict[str, Any]:
        chosen = {**folders, **SMALL, **settings}
        return recipe.resolve("diff3f", profile=profile, views=views, prompt=prompt, settings=chosen)

    return make


@pytest.fixture(scope="module")
def potato() -> Snapshot:
    return shapes.bumpy(shapes.sphere(24, 12))


def images_of(shape: Snapshot, chosen: dict[str, Any]) -> tuple[ViewImages, Passes]:
    views = of_recipe(shape, chosen)
    seen = cast_passes(shape, views)
    return ViewImages(seen.normal, seen.depth, views=views), seen


def all_maps(grids: Iterator[Grids]) -> list[Array]:
    """Maps in the order of the views."""
    rows: dict[int, list[torch.Tensor]] = {}
    for batch in grids:
        for row, view in enumerate(batch.views):
            assert view not in rows
            rows[view] = [one[row] for one in batch.maps]
    return [torch.stack(maps).float().numpy() for maps in zip(*(rows[view] for view in sorted(rows)), strict=True)]


def relative(one: Array, two: Array) -> float:
    return float(np.abs(one - two).max() / np.abs(two).max())


# The published loop, literally -----------------------------------------------------------------------------------


def published_features(
    folders: dict[str, str], shape: Snapshot, chosen: dict[str, Any], images: ViewImages, order: list[int]
) -> tuple[Array, Array]:
    """Features (V, C) of the vertices and how often each was seen, one view and one image at a time, with the library's
    own pipeline, a full decode, maps as large as the picture, and features added with repeated indices."""
    base = Path(folders["base"])
    pipe = StableDiffusionControlNetImg2ImgPipeline(
        vae=AutoencoderKL.from_pretrained(base / "vae"),
        text_encoder=CLIPTextModel.from_pretrained(base / "text_encoder"),
        tokenizer=CLIPTokenizer.from_pretrained(base / "tokenizer"),
        unet=UNet2DConditionModel.from_pretrained(base / "unet"),
        controlnet=[ControlNetModel.from_pretrained(folders[name]) for name in ("depth", "normal")],
        scheduler=DDIMScheduler.from_config(json.loads((base / "scheduler" / "scheduler_config.json").read_text())),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipe.set_progress_bar_config(disable=True)
    dino = Dinov2Model.from_pretrained(folders["dinov2"]).eval()
    assert images.views is not None
    start, depth, normal = (
        [Image.fromarray(view) for view in (made.permute(0, 2, 3, 1) * 255).round().to(torch.uint8).numpy()]
        for made in (
            published.shaded_picture(images),
            published.depth_picture(images)[:, :1].expand(-1, 3, -1, -1),
            published.normal_picture(images),
        )
    )
    vertices = torch.from_numpy(shape.vertices.astype(np.float64))
    radius = 0.01 * torch.cdist(vertices, vertices).max()
    steps = torch.linspace(-1, 1, PIXELS)
    rows, columns = torch.meshgrid(steps, steps, indexing="ij")
    grid = torch.stack((columns, rows), dim=-1)[None]
    seen: list[torch.Tensor] = []
    done: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}
    pipe.unet.up_blocks[1].register_forward_hook(lambda module, arguments, output: seen.append(output[:1].clone()))
    total, count = None, torch.zeros(len(vertices))
    for view in order:
        if view in done:  # the same seed is set before each view: a repeated one is painted alike
            total[done[view][0]] += done[view][1]
            count[done[view][0]] += 1
            continue
        seen.clear()
        torch.manual_seed(60)
        painted = pipe(
            "potato,best quality,highly detailed,photorealistic,photo",
            negative_prompt="lowres,low quality,monochrome,watermark",
            num_inference_steps=30,
            image=start[view],
            control_image=[depth[view], normal[view]],
            guidance_scale=7,
            eta=1,
        ).images[0]
        assert len(seen) == 24
        weights = torch.linspace(0.1, 1, 18)
        summed = sum(functional.normalize(one, dim=1) * weight for one, weight in zip(seen[-18:], weights, strict=True))
        enlarged = functional.interpolate(summed, (PIXELS, PIXELS), mode="bilinear")
        diffusion = functional.normalize(
            functional.grid_sample(enlarged, grid, align_corners=False)[0].flatten(1), dim=0
        )
        pixels = torch.from_numpy(np.array(painted.resize((70, 70), Image.Resampling.BILINEAR))).permute(2, 0, 1) / 255
        mean, deviation = (torch.tensor(one).view(3, 1, 1) for one in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
        with torch.no_grad():
            tokens = dino((pixels - mean)[None] / deviation).last_hidden_state[:, 1:]
        patches = tokens.reshape(1, 5, 5, -1).permute(0, 3, 1, 2)
        semantic = functional.normalize(functional.grid_sample(patches, grid, align_corners=False)[0].flatten(1), dim=0)
        both = torch.cat((0.5 * diffusion, 0.5 * semantic))

        away = torch.from_numpy(images.depth[view].astype(np.float64)).flatten()
        foreground = torch.isfinite(away)
        x, y = (one.flatten()[foreground].double() for one in (columns, rows))  # of the 90 degree picture's plane
        away = away[foreground]
        camera = torch.stack((x * away, -y * away, images.views.distance - away), dim=1).numpy()
        world = torch.from_numpy(camera @ images.views.rotation[view] * images.views.radius + images.views.centre)
        hit_pixels, hit_vertices = [], []
        for pixel, near in enumerate(torch.cdist(world, vertices) < radius):
            first = near.nonzero()[:100, 0]
            hit_vertices.append(first)
            hit_pixels.append(torch.full_like(first, pixel))
        which, taken = torch.cat(hit_vertices), both[:, foreground].T[torch.cat(hit_pixels)]
        done[view] = which, taken
        total = torch.zeros((len(vertices), both.shape[0])) if total is None else total
        total[which] += taken
        count[which] += 1
    assert total is not None
    return (total / count.clamp(min=1)[:, None]).numpy(), count.numpy()


def test_the_reference_is_the_published_loop(folders: dict[str, str], resolve: Resolve, potato: Snapshot) -> None:
    chosen = resolve("reference", views=4)
    images, seen = images_of(potato, chosen)
    _, counts = grid_directions(4)
    assert counts.tolist() == [2, 2]
    order = [0, 1, 0, 1]  # the grid with its repeats
    expected, count = published_features(folders, potato, chosen, images, order)
    found = compute(potato, chosen, seen, "cpu")
    assert 0.15 < (count > 0).mean() < 1
    np.testing.assert_array_equal(found.seen, count / 2)
    one, two = found.features[count > 0].astype(np.float64), expected[count > 0].astype(np.float64)
    cosine = (one * two).sum(axis=1) / np.linalg.norm(one, axis=1) / np.linalg.norm(two, axis=1)
    assert cosine.min() > 0.999
    assert np.abs(np.linalg.norm(one, axis=1) / np.linalg.norm(two, axis=1) / np.sqrt(2) - 1).max() < 1e-2
    hidden = np.flatnonzero(count == 0)
    places = potato.vertices.astype(np.float64)
    distance = np.linalg.norm(places[hidden][:, None] - places[count > 0], axis=-1)
    np.testing.assert_array_equal(
        found.features[hidden], found.features[np.flatnonzero(count)[distance.argmin(axis=1)]]
    )


def test_pictures_as_published(potato: Snapshot, resolve: Resolve) -> None:
    images, _ = images_of(potato, resolve("reference", views=9))
    depth, seen = images.depth, np.isfinite(images.depth)
    made = (published.depth_picture(images)[:, 0] * 255).round().numpy()
    for view in range(len(depth)):
        buffer = np.where(seen[view], depth[view], -1).astype(np.float64)
        height = np.where(buffer == -1, 0, buffer.max() - buffer)
        assert np.abs(made[view] - np.floor(255 * height / height.max())).max() <= 1
        assert made[view].max() == 255
    # World normals of the published frame: X right, Y up, Z towards the front, which is Blender's -Y.
    assert images.views is not None
    world = np.einsum("nhwi,nij->nhwj", images.normal.astype(np.float64), images.views.rotation)
    world = np.stack((world[..., 0], world[..., 2], -world[..., 1]), axis=-1)
    colours = (published.normal_picture(images).permute(0, 2, 3, 1) * 255).round().numpy()
    for view in range(len(depth)):
        least, most = world[view].min(), world[view].max()
        stretched = np.where(np.abs(world[view]) > 1e-6, 255 * (world[view] - least) / (most - least), 0)
        assert np.abs(colours[view] - np.floor(stretched))[seen[view]].max() <= 1
        assert (colours[view][~seen[view]] == 0).all()
    shaded = published.shaded_picture(images)
    assert (shaded.permute(0, 2, 3, 1).numpy()[~seen] == 1).all()
    lit = shaded.permute(0, 2, 3, 1).numpy()[seen]
    assert lit.min() >= int(255 * 0.48) / 255 - 1e-6  # ambient light alone
    assert 0.85 < lit[:, 2].max() < 0.9


def test_a_pixel_reaches_the_first_hundred_vertices_and_a_vertex_keeps_the_last_pixel(resolve: Resolve) -> None:
    plate = shapes.grid(60, 60)
    vertices = np.column_stack((plate[0][:, 0], np.zeros(len(plate[0])), plate[0][:, 1]))
    flat = shapes.snapshot(vertices, plate[1])
    views = surround(flat.vertices, np.array([[0.0, -1.0, 0.0]]), 24, 0.65, 90.0)
    depth = cast_passes(flat, views).depth[0]
    points = flat.vertices.astype(np.float64)
    found = published.pixel_of_vertex(points, views, 0, depth, 0.15)
    expected = np.full(len(points), -1)
    rows, columns = np.nonzero(np.isfinite(depth))
    most = 0
    for row, column in zip(rows, columns, strict=True):
        away = float(depth[row, column])
        x, y = (column / 23 * 2 - 1) * away, (1 - row / 23 * 2) * away
        place = views.rotation[0].T @ (x, y, views.distance - away) * views.radius + views.centre
        near = np.flatnonzero(np.linalg.norm(points - place, axis=1) <= 0.15)
        most = max(most, len(near))
        expected[near[:100]] = row * 24 + column
    assert most > 100
    np.testing.assert_array_equal(found, expected)


def test_the_diameter_is_the_largest_distance(potato: Snapshot) -> None:
    for points in (potato.vertices.astype(np.float64), np.eye(3)[:2], np.zeros((4, 3))):
        every = np.linalg.norm(points[:, None] - points, axis=-1)
        assert published.diameter(points) == pytest.approx(every.max())


# Pictures as the ControlNets know them ---------------------------------------------------------------------------


def test_calibrated_pictures(potato: Snapshot, resolve: Resolve) -> None:
    images, _ = images_of(potato, resolve())
    seen = np.isfinite(images.depth)
    depth, normal = depth_picture(images)[:, 0].numpy(), normal_picture(images).permute(0, 2, 3, 1).numpy()
    assert depth[seen].min() == pytest.approx(0.2)
    assert depth[seen].max() == 1
    assert (depth[~seen] == 0).all()
    assert np.allclose(normal[~seen], (0.5, 0.5, 1))
    for view in range(len(seen)):  # blue is front, red is left, green is top
        columns = np.nonzero(seen[view].any(axis=0))[0]
        rows = np.nonzero(seen[view].any(axis=1))[0]
        middle_row, middle = (rows[0] + rows[-1]) // 2, (columns[0] + columns[-1]) // 2
        line = np.flatnonzero(seen[view][middle_row])
        assert normal[view][middle_row, line[0], 0] > 0.7 > 0.3 > normal[view][middle_row, line[-1], 0]
        column = np.flatnonzero(seen[view][:, middle])
        assert normal[view][column[0], middle, 1] > 0.7 > 0.3 > normal[view][column[-1], middle, 1]
        assert normal[view][middle_row, middle, 2] > 0.8


# The engine ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def loaded(folders: dict[str, str]) -> StableDiffusion:
    controls = [Path(folders["depth"]), Path(folders["normal"])]
    return StableDiffusion(Path(folders["base"]), controls, device="cpu", batch=4)


@pytest.fixture
def engine(loaded: StableDiffusion) -> StableDiffusion:
    """As if just loaded."""
    loaded._sizes.clear()
    loaded._texts.clear()
    return loaded


def a_look(engine: StableDiffusion, rows: int = 3) -> dict[str, Any]:
    pictures = torch.rand((rows, 3, PIXELS, PIXELS), generator=torch.Generator().manual_seed(1))
    latents = engine.add_noise(engine.encode(pictures), Noise.draw(range(rows), (8, 8)).start, 500)
    text = engine.encode_text("a potato")
    return {"latents": latents, "step": 500, "text": text, "controls": [pictures, 1 - pictures], "scales": [0.8, 0.8]}


@pytest.fixture(scope="module")
def looked(loaded: StableDiffusion) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """One look to the end, every tap read on the way."""
    look = a_look(loaded, rows=1)
    noise, maps = loaded.evaluate(**look, taps=list(TAPS))
    assert noise is not None
    assert noise.shape == look["latents"].shape
    return look, dict(zip(TAPS, maps, strict=True))


@pytest.mark.parametrize(
    ("tap", "shape"),
    [
        ("s5", (96, 1, 1)), ("up0", (96, 2, 2)), ("s4", (96, 2, 2)), ("up1", (96, 4, 4)),
        ("s3", (64, 4, 4)), ("up2", (64, 8, 8)), ("s2", (32, 8, 8)), ("up3", (32, 8, 8)),
    ],
)  # fmt: skip
def test_every_tap_has_its_shape_and_the_decoder_may_stop_after_it(
    engine: StableDiffusion, looked: tuple[dict[str, Any], dict[str, torch.Tensor]], tap: str, shape: tuple[int, ...]
) -> None:
    look, maps = looked
    whole = maps[tap]
    assert whole.shape == (1, *shape)
    assert engine.channels(tap) == shape[0]
    reached: list[str] = []
    handles = [
        engine._unet.get_submodule(module).register_forward_hook(lambda *_, name=name: reached.append(name))
        for name, module in TAPS.items()
    ]
    nothing, (stopped,) = engine.evaluate(**look, taps=[tap], predict=False)
    for handle in handles:
        handle.remove()
    assert nothing is None
    assert set(reached) == set(list(TAPS)[: list(TAPS).index(tap) + 1])
    torch.testing.assert_close(stopped, whole, rtol=0, atol=0)


def test_taps_come_in_the_order_asked_for(engine: StableDiffusion) -> None:
    look = a_look(engine)
    _, (one, two) = engine.evaluate(**look, taps=["s3", "s5"], predict=False)
    assert (one.shape[1], two.shape[1]) == (64, 96)


def test_the_controlnets_have_their_say(engine: StableDiffusion) -> None:
    look = a_look(engine)
    steered, _ = engine.evaluate(**look)
    free, _ = engine.evaluate(**{**look, "scales": [0.0, 0.0]})
    other, _ = engine.evaluate(**{**look, "controls": look["controls"][::-1]})
    assert steered is not None
    assert free is not None
    assert other is not None
    assert (steered - free).abs().max() > 1e-3
    assert (steered - other).abs().max() > 1e-3


@pytest.mark.parametrize("failure", [torch.OutOfMemoryError("no memory"), RuntimeError("CUDA error: out of memory")])
def test_batches_halve_where_memory_runs_out_and_stay_so(
    failure: RuntimeError, engine: StableDiffusion, monkeypatch: pytest.MonkeyPatch
) -> None:
    look = a_look(engine, rows=7)
    expected, (map_expected,) = engine.evaluate(**look, taps=["up1"])
    sizes = []
    forward = type(engine._unet).forward

    def short(network: Any, sample: torch.Tensor, *arguments: Any, **more: Any) -> Any:
        sizes.append(len(sample))
        if len(sample) > 2:
            raise failure
        return forward(network, sample, *arguments, **more)

    monkeypatch.setattr(type(engine._unet), "forward", short)
    noise, (found,) = engine.evaluate(**look, taps=["up1"])
    assert sizes == [4, 2, 2, 2, 1]
    sizes.clear()
    engine.evaluate(**look)
    assert sizes == [2, 2, 2, 1]
    assert noise is not None
    assert expected is not None
    torch.testing.assert_close(noise, expected, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(found, map_expected, rtol=1e-3, atol=1e-4)


def test_not_even_one_row_fits(engine: StableDiffusion, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*arguments: Any, **more: Any) -> Any:
        raise torch.OutOfMemoryError("no memory")

    monkeypatch.setattr(type(engine._vae), "decode", none)
    with pytest.raises(MeshKinError) as caught:
        engine.decode(torch.zeros((2, 4, 8, 8)))
    assert caught.value.code == "memory-low"

    def broken(*arguments: Any, **more: Any) -> Any:
        raise RuntimeError("another failure")

    monkeypatch.setattr(type(engine._vae), "decode", broken)
    with pytest.raises(RuntimeError, match="another failure"):
        engine.decode(torch.zeros((2, 4, 8, 8)))


def test_a_text_is_encoded_once(engine: StableDiffusion, monkeypatch: pytest.MonkeyPatch) -> None:
    one = engine.encode_text("a potato")
    monkeypatch.delattr(engine, "_text_encoder")
    assert engine.encode_text("a potato") is one


def test_encoding_samples_the_distribution_it_is_told_to(engine: StableDiffusion) -> None:
    pictures = torch.rand((2, 3, PIXELS, PIXELS), generator=torch.Generator().manual_seed(1))
    noise = Noise.draw([5, 6], (8, 8)).start
    with torch.no_grad():
        told = engine._vae.encode(pictures * 2 - 1).latent_dist
    factor = engine._vae.config.scaling_factor
    torch.testing.assert_close(engine.encode(pictures), told.mean * factor, rtol=1e-4, atol=1e-5)
    sampled = (told.mean + told.std * noise) * factor
    torch.testing.assert_close(engine.encode(pictures, noise), sampled, rtol=1e-4, atol=1e-5)


def test_noise_belongs_to_the_view() -> None:
    rotation = np.eye(3)
    seeds = [view_seed(60, direction) for direction in rotation]
    assert len({*seeds, view_seed(61, rotation[0])}) == 4
    assert view_seed(60, rotation[0] + 1e-9) == view_seed(60, rotation[0] * (1, -1, -1))
    one, all_ = Noise.draw(seeds[1:2], (4, 4), 3, True), Noise.draw(seeds, (4, 4), 3, True)
    for name in ("posterior", "start", "steps"):
        torch.testing.assert_close(getattr(one, name)[0], getattr(all_, name)[1], rtol=0, atol=0)
    assert Noise.draw(seeds, (4, 4)).posterior is None


# The extractor ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("profile", ["fast", "reference"])
def test_neither_batch_nor_order_nor_run_matters(profile: str, resolve: Resolve, potato: Snapshot) -> None:
    chosen = resolve(profile, views=4 if profile == "fast" else 9, steps=3)
    images, _ = images_of(potato, chosen)
    images = images.take([0, 1, 2])
    part = chosen["parts"][0]
    one = all_maps(Diff3F(part, "cpu", batch=1).extract(images, silent))
    again = all_maps(Diff3F(part, "cpu", batch=1).extract(images, silent))
    together = all_maps(Diff3F(part, "cpu", batch=8).extract(images, silent))
    turned = all_maps(Diff3F(part, "cpu", batch=2).extract(images.take([2, 0, 1]), silent))
    for single, repeated, batched, other in zip(one, again, together, turned, strict=True):
        np.testing.assert_array_equal(repeated, single)
        assert relative(batched, single) < 1e-3
        assert relative(other[[1, 2, 0]], single) < 1e-3


def test_views_differ_by_their_noise_where_each_has_its_own(resolve: Resolve, potato: Snapshot) -> None:
    for noise, same in (("shared", True), ("view", False)):
        part = resolve(noise=noise)["parts"][0]
        images, _ = images_of(potato, resolve())
        drawn = Diff3F(part, "cpu").noise(images)
        assert bool((drawn.start[0] == drawn.start[1]).all()) is same


def test_guidance_of_one_runs_one_branch_and_what_nothing_reads_is_not_made(
    resolve: Resolve, potato: Snapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    images, _ = images_of(potato, resolve())
    rows, decoded = [], []
    evaluate, decode = StableDiffusion.evaluate, StableDiffusion.decode

    def counted(engine: StableDiffusion, latents: torch.Tensor, *arguments: Any) -> Any:
        rows.append((len(latents), arguments[-1]))
        return evaluate(engine, latents, *arguments)

    def noted(engine: StableDiffusion, latents: torch.Tensor) -> Any:
        decoded.append(len(latents))
        return decode(engine, latents)

    monkeypatch.setattr(StableDiffusion, "evaluate", counted)
    monkeypatch.setattr(StableDiffusion, "decode", noted)
    next(Diff3F(resolve(steps=5)["parts"][0], "cpu", batch=1).extract(images, silent))
    assert rows == [(1, True)] * 3 + [(1, False)]
    assert decoded == [1]
    rows.clear()
    decoded.clear()
    chosen = resolve(fusion=0.0, steps=2)
    assert "dinov2" not in chosen["parts"][0]["models"]
    found = next(Diff3F(chosen["parts"][0], "cpu", batch=1).extract(images, silent))
    assert (len(found.maps), found.painted, decoded) == (1, None, [])
    rows.clear()
    next(Diff3F(resolve("reference", steps=3)["parts"][0], "cpu", batch=2).extract(images, silent))
    assert rows == [(2, True)] * 2


def test_hyper_features(resolve: Resolve, potato: Snapshot) -> None:
    images, seen = images_of(potato, resolve(views=2))
    more = {"taps": {"s3": 1.0, "s5": 0.5}, "fusion": 0.2, "controls": [0.0, 1.0], "share": 0.2, "layers": [1, 3]}
    chosen = resolve(views=2, steps=4, **more)
    assert set(chosen["parts"][0]["models"]) == {"base", "normal", "dinov2"}
    extractor = Diff3F(chosen["parts"][0], "cpu")
    found = next(extractor.extract(images, silent))
    assert [one.shape[1] for one in found.maps] == list(extractor.channels) == [64, 96, 48, 48]
    assert np.allclose(np.array(extractor.map_weights) / extractor.map_weights[0], (1, 0.5, 0.25, 0.25))
    lengths = found.maps[0].norm(dim=1)
    torch.testing.assert_close(lengths, torch.ones_like(lengths))  # one step of three, with the last weight
    features = compute(potato, chosen, seen, "cpu").features.astype(np.float32)
    assert features.shape == (len(potato.vertices), 64 + 96 + 48 + 48)
    np.testing.assert_allclose(np.linalg.norm(features[:, :64], axis=1), extractor.map_weights[0], rtol=2e-3)


def test_the_prompt_and_the_seed_change_the_painting(resolve: Resolve, potato: Snapshot) -> None:
    images, _ = images_of(potato, resolve())
    images = images.take([0])

    def maps(**settings: Any) -> list[Array]:
        return all_maps(Diff3F(resolve(steps=2, fusion=0.0, **settings)["parts"][0], "cpu").extract(images, silent))

    plain = maps()
    for other in (maps(prompt="zebra"), maps(seed=61), maps(template="{}")):
        assert relative(other[0], plain[0]) > 1e-3


def test_progress_at_each_step_and_cancel_in_the_middle(resolve: Resolve, potato: Snapshot) -> None:
    images, _ = images_of(potato, resolve())
    told = []
    list(Diff3F(resolve(steps=4)["parts"][0], "cpu").extract(images, lambda stage, part: told.append(part)))
    assert len(set(told)) >= 2 * 3  # two views at a time, three steps each
    assert told == sorted(told)

    def stop(stage: str, fraction: float) -> None:
        if fraction > 0.3:
            raise Cancelled

    with pytest.raises(Cancelled):
        list(Diff3F(resolve(steps=4)["parts"][0], "cpu").extract(images, stop))


def test_a_stopped_job_takes_up_the_views_it_had_done(
    resolve: Resolve, potato: Snapshot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = resolve(steps=3)
    _, seen = images_of(potato, chosen)
    whole = compute(potato, chosen, seen, "cpu", partial=tmp_path / "whole", painted=tmp_path / "painted")
    pictures = sorted(path.name for path in (tmp_path / "painted").iterdir())
    assert pictures == ["000.png", "001.png", "002.png", "003.png"]
    assert Image.open(tmp_path / "painted" / "002.png").size == (PIXELS, PIXELS)

    def stop(stage: str, fraction: float) -> None:
        if fraction > 0.6:
            raise Cancelled

    with pytest.raises(Cancelled):
        compute(potato, chosen, seen, "cpu", stop, tmp_path / "partial", tmp_path / "resumed")
    done = sorted(path.name for path in (tmp_path / "partial").iterdir())
    assert done == ["000.safetensors", "001.safetensors"]
    (tmp_path / "partial" / "001.safetensors").write_bytes(b"cut short")
    computed = []
    noise = Diff3F.noise
    monkeypatch.setattr(
        Diff3F, "noise", lambda self, images: (computed.append(len(images.normal)), noise(self, images))[1]
    )
    resumed = compute(potato, chosen, seen, "cpu", silent, tmp_path / "partial", tmp_path / "resumed")
    assert sum(computed) == 3
    assert relative(resumed.features.astype(np.float32), whole.features.astype(np.float32)) < 1e-3
    for name in pictures:
        one, two = (np.asarray(Image.open(tmp_path / run / name), int) for run in ("painted", "resumed"))
        assert np.abs(one - two).max() <= 1


def test_a_full_disk_ends_the_keeping_not_the_job(resolve: Resolve, potato: Snapshot, tmp_path: Path) -> None:
    chosen = resolve(steps=2)
    images, _ = images_of(potato, chosen)
    (tmp_path / "partial").write_text("a file where the folder should be")
    extractor = Diff3F(chosen["parts"][0], "cpu")
    found = all_maps(kept.extract(extractor, images, tmp_path / "partial", silent))
    assert len(found[0]) == 4


def test_fast_features_are_lifted_where_they_are_seen(resolve: Resolve, potato: Snapshot) -> None:
    chosen = resolve(views=4, steps=2)
    images, seen = images_of(potato, chosen)
    assert images.views is not None
    found = compute(potato, chosen, seen, "cpu")
    weights = view_weights(potato.vertices, potato.faces, potato.parts, images.views, seen.depth)
    np.testing.assert_array_equal(found.seen, (weights > 0).sum(axis=0))
    np.testing.assert_allclose(np.linalg.norm(found.features.astype(np.float32), axis=1), 1, rtol=2e-3)


# Recipes, keys, errors -------------------------------------------------------------------------------------------


def test_profiles() -> None:
    _, counts = grid_directions(100)
    assert (len(counts), counts.sum()) == (50, 100)
    assert [len(grid_directions(count)[1]) for count in (9, 25, 36, 49, 81)] == [9, 25, 18, 49, 81]


def test_reference_cameras(resolve: Resolve, potato: Snapshot) -> None:
    chosen = resolve("reference", views=100)
    views = of_recipe(potato, json.loads(json.dumps(chosen)))
    assert len(views) == 50
    points = potato.vertices.astype(np.float64)
    low, high = points.min(axis=0), points.max(axis=0)
    distance = views.distance * views.radius
    assert distance == pytest.approx(0.65 * np.linalg.norm(high - low))
    np.testing.assert_allclose(views.centre, (low + high) / 2)
    for view in range(50):
        assert views.rotation[view, 1, 2] > 0  # the camera's own up points upwards
        places, away = views.project(view, (views.centre + views.radius * views.rotation[view].T @ (0.5, 0, 0))[None])
        assert places[0] == pytest.approx((PIXELS / 2 + PIXELS / 2 * 0.5 / views.distance, PIXELS / 2))
        assert away == pytest.approx(views.distance)
    front = views.rotation[:, 2] @ (0.0, -1.0, 0.0)
    assert np.isclose(front, 1).sum() == 1


def test_the_key_holds_everything(resolve: Resolve, folders: dict[str, str], tmp_path: Path) -> None:
    small_diffusion.base(tmp_path / "other", seed=9)
    plain = resolve()
    changes: list[dict[str, Any]] = [
        {"prompt": "zebra"}, {"negative": "blur"}, {"template": "{}"}, {"profile": "reference"}, {"views": 5},
        {"taps": {"s3": 1.0}}, {"taps": {"up1": 2.0}}, {"layers": [2]}, {"fusion": 0.4}, {"share": 0.5},
        {"step_weights": [1.0, 1.0]}, {"steps": 12}, {"strength": 0.7}, {"eta": 0.5}, {"controls": [0.8, 0.7]},
        {"guidance": 3.0}, {"seed": 1}, {"noise": "shared"}, {"encoder": "sampled"}, {"conditioning": "published"},
        {"lifting": "published"}, {"finish": True}, {"base": str(tmp_path / "other")}, {"weight": 2.0},
        {"resolution": 128}, {"dino_resolution": 84}, {"normal": folders["depth"]}, {"tolerance": 0.02},
    ]  # fmt: skip
    keys = [recipe.key(resolve(**change), "shape") for change in changes]
    assert len({recipe.key(plain, "shape"), recipe.key(plain, "other shape"), *keys}) == len(changes) + 2
    assert recipe.key(resolve(compiled=True), "shape") == recipe.key(plain, "shape")


@pytest.mark.parametrize(
    "settings",
    [
        {"steps": 0}, {"steps": 2.5}, {"strength": 0.0}, {"strength": 0.01}, {"eta": 2}, {"guidance": 0.5},
        {"guidance": 1.0, "read": "negative"}, {"read": "both"}, {"taps": {}}, {"taps": {"up9": 1.0}}, {"taps": "up1"},
        {"taps": {"up1": 0.0}}, {"controls": [1.0]}, {"controls": 1.0}, {"share": 0}, {"fusion": 1.5},
        {"step_weights": [0, 0]}, {"layers": [9]}, {"layers": "1"}, {"dino_resolution": 71}, {"resolution": 100},
        {"template": "no place"}, {"prompt": 3}, {"seed": -1}, {"noise": "none"}, {"conditioning": ""},
        {"lifting": "high"}, {"tolerance": 0}, {"finish": 1}, {"colour": "red"}, {"weight": 0},
    ],
)  # fmt: skip
def test_values_that_cannot_be(resolve: Resolve, settings: dict[str, Any]) -> None:
    with pytest.raises(InputError) as caught:
        resolve(**settings)
    assert caught.value.code == "features-option"


def test_settings_without_diff3f() -> None:
    for more in ({"profile": "fast"}, {"settings": {"steps": 3}}):
        with pytest.raises(InputError):
            recipe.resolve("geometric", **more)
    with pytest.raises(InputError):
        recipe.resolve("diff3f", profile="slow")


def test_models_that_are_not_there_and_where_they_are_looked_for(home: Path, folders: dict[str, str]) -> None:
    with pytest.raises(ModelError, match="meshkin models get diff3f") as caught:
        recipe.resolve("diff3f")
    assert caught.value.code == "model-missing"
    (home / "models").mkdir(parents=True)
    for role, name in models.DIFF3F.items():
        (home / "models" / name.replace("/", "--")).symlink_to(folders[role])
    part = recipe.resolve("diff3f", settings=SMALL)["parts"][0]
    assert {role: model["model"] for role, model in part["models"].items()} == {
        role: name.replace("/", "--") for role, name in models.DIFF3F.items()
    }
    assert part["layers"] == [3]


def test_folders_put_there_by_hand_count_as_fetched(home: Path, folders: dict[str, str]) -> None:
    """As a machine without the hub has them: nothing is downloaded, and what is damaged is named with its fix."""
    for role, name in models.DIFF3F.items():
        shutil.copytree(folders[role], home / "models" / name.replace("/", "--"))
    assert models.get("diff3f") == [home / "models" / name.replace("/", "--") for name in models.DIFF3F.values()]
    rows = {row["name"]: row for row in models.listing()}
    assert all(rows[name]["ok"] for name in models.DIFF3F.values())
    unet = home / "models" / models.DIFF3F["base"].replace("/", "--") / "unet" / "diffusion_pytorch_model.safetensors"
    unet.write_bytes(unet.read_bytes()[:-100])
    with pytest.raises(ModelError) as caught:
        recipe.resolve("diff3f", settings=SMALL)
    assert caught.value.code == "model-damaged"
    assert caught.value.fix == f"Run “meshkin models get {models.DIFF3F['base']}”."
    rows = {row["name"]: row for row in models.listing()}
    assert [name for name in models.DIFF3F.values() if not rows[name]["ok"]] == [models.DIFF3F["base"]]


def broken(folders: dict[str, str], tmp_path: Path, role: str) -> Path:
    copy = tmp_path / "copy"
    shutil.copytree(folders[role], copy)
    return copy


@pytest.mark.parametrize(
    ("role", "file"),
    [
        ("base", "unet/diffusion_pytorch_model.safetensors"),
        ("base", "vae/diffusion_pytorch_model.safetensors"),
        ("base", "text_encoder/model.safetensors"),
        ("depth", "diffusion_pytorch_model.safetensors"),
        ("dinov2", "model.safetensors"),
    ],
)
def test_truncated_and_absent_weights(
    role: str, file: str, folders: dict[str, str], resolve: Resolve, tmp_path: Path
) -> None:
    copy = broken(folders, tmp_path, role)
    content = (copy / file).read_bytes()
    (copy / file).write_bytes(content[:-10])
    for _ in range(2):
        with pytest.raises(ModelError) as caught:
            resolve(**{role: str(copy)})
        assert caught.value.code == "model-damaged"
        (copy / file).unlink(missing_ok=True)


@pytest.mark.parametrize("file", ["tokenizer/vocab.json", "scheduler/scheduler_config.json", "vae/config.json"])
def test_files_that_are_absent(file: str, folders: dict[str, str], resolve: Resolve, tmp_path: Path) -> None:
    copy = broken(folders, tmp_path, "base")
    (copy / file).unlink()
    with pytest.raises(ModelError) as caught:
        Diff3F(resolve(base=str(copy))["parts"][0], "cpu")
    assert caught.value.code == "model-damaged"


def test_models_of_another_architecture(folders: dict[str, str], resolve: Resolve, tmp_path: Path) -> None:
    for role, other in (("base", "depth"), ("depth", "base"), ("normal", "dinov2"), ("dinov2", "depth")):
        with pytest.raises(ModelError) as caught:
            resolve(**{role: folders[other]})
        assert caught.value.code in ("model-wrong", "model-damaged")
    copy = broken(folders, tmp_path, "normal")
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps({**config, "cross_attention_dim": 1024}))
    with pytest.raises(ModelError, match="ControlNet") as caught:  # one for Stable Diffusion 2
        resolve(normal=str(copy))
    assert caught.value.code == "model-wrong"
    copy = broken(folders, tmp_path / "inpainting", "base")
    config = json.loads((copy / "unet" / "config.json").read_text())
    (copy / "unet" / "config.json").write_text(json.dumps({**config, "in_channels": 9}))
    with pytest.raises(ModelError) as caught:
        resolve(base=str(copy))
    assert caught.value.code == "model-wrong"


def test_weights_that_do_not_fit_their_config(folders: dict[str, str], resolve: Resolve, tmp_path: Path) -> None:
    """As a job finds it before it renders."""
    for role, part, changed in (
        ("base", "vae", {"layers_per_block": 2}),
        ("base", "vae", {"block_out_channels": [8, 8, 16, 32]}),
        ("base", "unet", {"layers_per_block": 3}),
        ("base", "text_encoder", {"num_hidden_layers": 3}),
        ("depth", "", {"layers_per_block": 3}),
        ("dinov2", "", {"hidden_size": 96}),
    ):
        shutil.rmtree(tmp_path / "copy", ignore_errors=True)
        file = broken(folders, tmp_path, role) / part / "config.json"
        file.write_text(json.dumps({**json.loads(file.read_text()), **changed}))
        with pytest.raises(ModelError) as caught:
            recipe.prepare(resolve(**{role: str(tmp_path / "copy")}), "cpu")
        assert caught.value.code == "model-wrong"
    recipe.release()


def test_settings_beside_the_weights_count_for_the_key(
    folders: dict[str, str], resolve: Resolve, tmp_path: Path
) -> None:
    plain = recipe.key(resolve(), "shape")
    copy = broken(folders, tmp_path, "base")
    assert recipe.key(resolve(base=str(copy)), "shape") == plain
    file = copy / "scheduler" / "scheduler_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "prediction_type": "v_prediction"}))
    assert recipe.key(resolve(base=str(copy)), "shape") != plain


def test_half_precision_as_the_card_prefers() -> None:
    single, half, brain = torch.float32, torch.float16, torch.bfloat16
    for capability in ((8, 0), (8, 9), (9, 0), (12, 0)):
        assert devices.diffusion_precision(capability) == (brain, brain)
    for capability in ((6, 1), (7, 0), (7, 5)):
        assert devices.diffusion_precision(capability) == (half, single)
    assert devices.diffusion_precision(None) == (single, single)
    assert devices.capability(torch.device("cpu")) is None


@pytest.mark.parametrize(("capability", "least"), [((7, 5), 0.999), ((9, 0), 0.99)])
def test_half_precision_gives_the_features_of_single(
    capability: tuple[int, int], least: float, resolve: Resolve, potato: Snapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = resolve(views=1, steps=3)["parts"][0]
    images, _ = images_of(potato, resolve(views=1))
    exact = all_maps(Diff3F(part, "cpu").extract(images, silent))
    stable_diffusion.load.cache_clear()
    monkeypatch.setattr(devices, "capability", lambda device: capability)
    half = Diff3F(part, "cpu")
    assert next(half._sd._unet.parameters()).dtype == devices.diffusion_precision(capability)[0] != torch.float32
    assert next(half._sd._vae.parameters()).dtype == devices.diffusion_precision(capability)[1]
    grids = list(half.extract(images, silent))
    stable_diffusion.load.cache_clear()
    assert {one.dtype for batch in grids for one in batch.maps} == {torch.float32}
    for one, two in zip(exact, all_maps(iter(grids)), strict=True):
        similarity = functional.cosine_similarity(torch.from_numpy(one), torch.from_numpy(two), dim=1)
        assert similarity.min() > least


def test_dinov2_takes_fewer_pictures_where_memory_runs_out(
    resolve: Resolve, potato: Snapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    extractor = Diff3F(resolve(steps=3)["parts"][0], "cpu")
    painted = torch.randint(0, 256, (3, 3, PIXELS, PIXELS), generator=torch.Generator().manual_seed(1)).byte()
    (expected,) = extractor._seen(painted)
    maps, sizes = Dinov2.maps, []

    def short(network: Dinov2, pictures: torch.Tensor) -> list[torch.Tensor]:
        sizes.append(len(pictures))
        if len(pictures) > 1:
            raise torch.OutOfMemoryError("no memory")
        return maps(network, pictures)

    monkeypatch.setattr(Dinov2, "maps", short)
    (found,) = extractor._seen(painted)
    assert sizes == [3, 1, 1, 1]
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4)


def test_sums_leave_a_small_card_its_room(monkeypatch: pytest.MonkeyPatch) -> None:
    card, computer = torch.device("cuda"), torch.device("cpu")
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (2**30, 2**33))
    assert devices.sums_device(card, 2**29) == card
    assert devices.sums_device(card, 2**29 + 1) == computer
    assert devices.sums_device(computer, 2**40) == computer


def test_files_in_half_precision_as_the_hub_names_them(
    folders: dict[str, str], resolve: Resolve, tmp_path: Path
) -> None:
    chosen = {}
    for role in ("base", "depth"):
        chosen[role] = str(tmp_path / role)
        shutil.copytree(folders[role], tmp_path / role)
        for file in list((tmp_path / role).rglob("*.safetensors")):
            file.rename(file.with_suffix(".fp16.safetensors"))
    part = resolve(**chosen, steps=2)["parts"][0]
    plain = resolve(steps=2)["parts"][0]
    assert part["models"]["base"]["checksum"] == plain["models"]["base"]["checksum"]
    assert isinstance(Diff3F(part, "cpu"), Diff3F)


def test_a_card_that_is_too_small(resolve: Resolve, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe.prepare(resolve(), "cpu")
    monkeypatch.setattr(devices, "choose", lambda name: torch.device("cuda"))
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (2**29, 2**31))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: 0)
    with pytest.raises(MeshKinError, match="GiB") as caught:
        recipe.prepare(resolve(), "auto")
    assert caught.value.code == "memory-low"


def test_large_networks_are_left_to_a_processor_only_where_it_is_named(resolve: Resolve) -> None:
    """What a machine without CUDA says; the tests' own networks are small."""
    if torch.cuda.is_available():
        assert devices.choose("cuda").type == "cuda"
        return
    devices.check_room("auto", 10**7)
    devices.check_room("cpu", 10**9)
    for refused in (lambda: devices.check_room("auto", 10**9), lambda: recipe.prepare(resolve(), "cuda")):
        with pytest.raises(InputError, match="CUDA") as caught:
            refused()
        assert caught.value.code == "device-missing"
        assert "“cpu”" in caught.value.fix


def test_two_prompts_share_one_set_of_networks_and_release_forgets_them(resolve: Resolve) -> None:
    import gc
    import weakref

    one, two = (recipe.build(resolve(prompt=prompt)["parts"][0], "cpu") for prompt in ("cat", "lion"))
    assert isinstance(one, Diff3F)
    assert isinstance(two, Diff3F)
    assert one._sd is two._sd
    network = weakref.ref(one._sd._unet)
    del one, two
    recipe.release()
    gc.collect()
    assert network() is None


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("profile", ["fast", "reference"])
def test_cuda_agrees_with_the_cpu(profile: str, resolve: Resolve, potato: Snapshot) -> None:
    chosen = resolve(profile, views=4, steps=5)
    images, _ = images_of(potato, chosen)
    exact = all_maps(Diff3F(chosen["parts"][0], "cpu").extract(images, silent))
    found = all_maps(Diff3F(chosen["parts"][0], "cuda").extract(images, silent))
    for one, two in zip(exact, found, strict=True):
        similarity = functional.cosine_similarity(torch.from_numpy(one), torch.from_numpy(two), dim=1)
        assert similarity.min() > 0.99
