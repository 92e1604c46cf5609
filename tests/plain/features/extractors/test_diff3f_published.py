"""Diff3F's reference profile against the published loop, written out literally."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import (
    AutoencoderKL,
    ControlNetModel,
    DDIMScheduler,
    StableDiffusionControlNetImg2ImgPipeline,
    UNet2DConditionModel,
)
from PIL import Image
from torch.nn import functional
from transformers import CLIPTextModel, CLIPTokenizer, Dinov2Model

from helpers import shapes
from helpers.painting import PIXELS, Array, Resolve, images_of
from helpers.rays import passes as cast_passes
from meshkin.data.recipe import Recipe
from meshkin.data.snapshot import Snapshot
from meshkin.data.views import grid_directions, of_recipe, surround
from meshkin.features.compute import compute
from meshkin.features.extractors.diff3f import published
from meshkin.features.view_data import ViewImages

pytestmark = pytest.mark.usefixtures("home")


def published_features(
    folders: dict[str, str], shape: Snapshot, chosen: Recipe, images: ViewImages, order: list[int]
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
    for view in order:
        if view in done:  # the same seed is set before each view: a repeated one is painted alike
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
        world = torch.from_numpy(camera @ images.views.rotation[view] * images.views.radius + images.views.center)
        hit_pixels, hit_vertices = [], []
        for pixel, near in enumerate(torch.cdist(world, vertices) < radius):
            first = near.nonzero()[:100, 0]
            hit_vertices.append(first)
            hit_pixels.append(torch.full_like(first, pixel))
        done[view] = torch.cat(hit_vertices), both[:, foreground].T[torch.cat(hit_pixels)]
    total, count = torch.zeros((len(vertices), done[order[0]][1].shape[1])), torch.zeros(len(vertices))
    for view in order:
        which, taken = done[view]
        total[which] += taken
        count[which] += 1
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
    # World normals of the published frame: X right, Y up, Z toward the front, which is Blender's -Y.
    assert images.views is not None
    world = np.einsum("nhwi,nij->nhwj", images.normal.astype(np.float64), images.views.rotation)
    world = np.stack((world[..., 0], world[..., 2], -world[..., 1]), axis=-1)
    colors = (published.normal_picture(images).permute(0, 2, 3, 1) * 255).round().numpy()
    for view in range(len(depth)):
        least, most = world[view].min(), world[view].max()
        stretched = np.where(np.abs(world[view]) > 1e-6, 255 * (world[view] - least) / (most - least), 0)
        assert np.abs(colors[view] - np.floor(stretched))[seen[view]].max() <= 1
        assert (colors[view][~seen[view]] == 0).all()
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
        place = views.rotation[0].T @ (x, y, views.distance - away) * views.radius + views.center
        near = np.flatnonzero(np.linalg.norm(points - place, axis=1) <= 0.15)
        most = max(most, len(near))
        expected[near[:100]] = row * 24 + column
    assert most > 100
    np.testing.assert_array_equal(found, expected)


def test_the_diameter_is_the_largest_distance(potato: Snapshot) -> None:
    for points in (potato.vertices.astype(np.float64), np.eye(3)[:2], np.zeros((4, 3))):
        every = np.linalg.norm(points[:, None] - points, axis=-1)
        assert published.diameter(points) == pytest.approx(every.max())


def test_profiles() -> None:
    _, counts = grid_directions(100)
    assert (len(counts), counts.sum()) == (50, 100)
    assert [len(grid_directions(count)[1]) for count in (9, 25, 36, 49, 81)] == [9, 25, 18, 49, 81]


def test_reference_cameras(resolve: Resolve, potato: Snapshot) -> None:
    chosen = resolve("reference", views=100)
    views = of_recipe(potato, Recipe.from_json(json.loads(json.dumps(chosen.to_json()))))
    assert len(views) == 50
    points = potato.vertices.astype(np.float64)
    low, high = points.min(axis=0), points.max(axis=0)
    distance = views.distance * views.radius
    assert distance == pytest.approx(0.65 * np.linalg.norm(high - low))
    np.testing.assert_allclose(views.center, (low + high) / 2)
    for view in range(50):
        assert views.rotation[view, 1, 2] > 0  # the camera's own up points upwards
        places, away = views.project(view, (views.center + views.radius * views.rotation[view].T @ (0.5, 0, 0))[None])
        assert places[0] == pytest.approx((PIXELS / 2 + PIXELS / 2 * 0.5 / views.distance, PIXELS / 2))
        assert away == pytest.approx(views.distance)
    front = views.rotation[:, 2] @ (0.0, -1.0, 0.0)
    assert np.isclose(front, 1).sum() == 1
