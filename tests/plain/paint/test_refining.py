"""Refining by unbiased score distillation, with exact predictions of the noise for a known texture."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from helpers.paint_oracle import ALPHAS, known_texture, psnr
from helpers.shapes import bumpy, sphere
from meshkin.paint import refining
from meshkin.paint.cameras import rig
from meshkin.paint.layout import TextureLayout, texture_layout
from meshkin.paint.refining import Refinement, ViewPrediction, pull, refine
from meshkin.paint.schedule import normal_numbers
from meshkin.paint.synchronized import Given
from meshkin.paint.view_maps import ViewMaps, view_maps

VIEW = 32


@pytest.fixture(scope="module")
def layout() -> TextureLayout:
    return texture_layout(bumpy(sphere(24, 12)), 48)


@pytest.fixture(scope="module")
def maps(layout: TextureLayout) -> ViewMaps:
    return view_maps(layout, rig(layout.shape, 8, VIEW), VIEW)


@pytest.fixture(scope="module")
def known(layout: TextureLayout) -> torch.Tensor:
    return torch.from_numpy(known_texture(layout, 3))


def plan_of(maps: ViewMaps, **more: object) -> Refinement:
    return Refinement(maps, ALPHAS, torch.full((1, 3, VIEW, VIEW), 0.5), **more)  # type: ignore[arg-type]


def foresees(clean: torch.Tensor, bias: float = 0.0) -> ViewPrediction:
    """A model that foresees these clean views (N, C, H, W), and is wrong about the noise by a bias."""

    def predict(noisy: torch.Tensor, view: int, step: int) -> torch.Tensor:
        signal = float(ALPHAS[step])
        return (noisy - signal**0.5 * clean[view : view + 1]) / (1 - signal) ** 0.5 + bias

    return predict


def views_of(maps: ViewMaps, texture: torch.Tensor) -> torch.Tensor:
    return torch.where(maps.pixels.shown[:, None], maps.pixels.render(texture), torch.tensor(0.5))


@pytest.mark.parametrize("bias", [0.0, 0.5])
def test_it_finds_the_known_texture_whatever_both_models_are_wrong_about(
    maps: ViewMaps, known: torch.Tensor, bias: float
) -> None:
    """A term "minus noise" would see the bias. The base model foresees what it is shown."""
    texture = torch.full_like(known, 0.5)
    plan = plan_of(maps, steps=400, rate=2e-2)
    shown: list[torch.Tensor] = []

    def base(noisy: torch.Tensor, view: int, step: int) -> torch.Tensor:
        return shown[-1] + bias

    # The base knows the noise itself: that of the step, which the plan's seed gives.

    def noted(seed: int, place: str, shape: tuple[int, ...], device: torch.device) -> torch.Tensor:
        shown.append(normal_numbers(seed, place, shape, device))
        return shown[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(refining, "normal_numbers", noted)
        result = refine(texture, plan, foresees(views_of(maps, known), bias), base)
    assert psnr(result[maps.seen].numpy(), known[maps.seen].numpy()) > 30


def test_what_is_given_stays_within_a_step_of_eight_bits(maps: ViewMaps, known: torch.Tensor) -> None:
    fixed = torch.arange(len(known)) % 3 == 0
    plan = plan_of(maps, steps=30, given=Given(texture=known, in_texture=fixed))
    gray = foresees(torch.full((len(maps.texels), 3, VIEW, VIEW), 0.5))
    other = foresees(torch.zeros((len(maps.texels), 3, VIEW, VIEW)))
    result = refine(known, plan, other, gray)
    assert float((result - known)[fixed & maps.seen].abs().max()) < 1 / 255
    assert float((result - known)[~fixed & maps.seen].abs().max()) > 0.1


def test_the_view_of_a_reference_is_pulled_towards_it(maps: ViewMaps) -> None:
    """Both models are the same: only the reference pulls."""
    size = (len(maps.texels), 3, VIEW, VIEW)
    inside = torch.zeros((size[0], 1, VIEW, VIEW))
    inside[2, :, 8:20] = 1
    plan = plan_of(maps, given=Given(torch.ones(size), inside))
    clean, noise = torch.full((1, 3, VIEW, VIEW), 0.25), torch.zeros((1, 3, VIEW, VIEW))
    gray = foresees(torch.full(size, 0.5))
    towards = pull(clean, noise, (2, 400), plan, gray, gray)
    assert float(towards[:, :, 8:20].max()) < 0  # a step against it makes the view brighter
    assert float(towards[:, :, :8].abs().max()) == 0
    assert float(pull(clean, noise, (1, 400), plan, gray, gray).abs().max()) == 0


def test_one_pull_is_the_published_formula(maps: ViewMaps) -> None:
    plan = replace(plan_of(maps), omega=7.5)
    clean, noise, own, without = torch.rand((4, 1, 3, VIEW, VIEW), generator=torch.Generator().manual_seed(0))
    expected = (1 - ALPHAS[300]) * 7.5 * (own - without)
    found = pull(clean, noise, (0, 300), plan, lambda *_: own, lambda *_: without)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    broken = pull(clean, noise, (0, 300), plan, lambda *_: own / 0, lambda *_: without)
    assert bool(torch.isfinite(broken).all())
