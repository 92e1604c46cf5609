"""The loop that paints all views together, with an exact prediction of the noise of a known texture."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from helpers.paint_oracle import ALPHAS, exact, known_texture, plan, psnr, schedule
from helpers.shapes import bumpy, sphere
from meshkin.paint.cameras import rig
from meshkin.paint.layout import TextureLayout, texture_layout
from meshkin.paint.schedule import Schedule
from meshkin.paint.synchronized import Given, run
from meshkin.paint.view_maps import ViewMaps, view_maps

VIEW, SIZE = 48, 96


@pytest.fixture(scope="module")
def layout() -> TextureLayout:
    return texture_layout(bumpy(sphere(32, 16)), SIZE)


@pytest.fixture(scope="module")
def maps(layout: TextureLayout) -> ViewMaps:
    return view_maps(layout, rig(layout.shape, 8, VIEW), VIEW)


@pytest.fixture(scope="module")
def known(layout: TextureLayout) -> torch.Tensor:
    return torch.from_numpy(known_texture(layout))


def test_a_rendered_texture_is_baked_as_it_was(maps: ViewMaps, known: torch.Tensor) -> None:
    baked = maps.bake(maps.pixels.render(known), 6.0)
    assert maps.seen.float().mean() > 0.85  # no view is from below
    assert psnr(baked[maps.seen].numpy(), known[maps.seen].numpy()) > 40


@pytest.mark.parametrize("free", [0.0, 0.2, 1.0])
def test_an_exact_prediction_gives_the_known_texture(maps: ViewMaps, known: torch.Tensor, free: float) -> None:
    whole = plan(maps, free=free)
    behind = torch.full((1, 4, VIEW, VIEW), 0.5)
    last = list(run(whole, exact(whole.schedule, maps, known, behind)))[-1]
    assert last.index == len(whole.schedule.steps)
    assert last.views is not None
    assert last.foreseen is not None
    assert psnr(maps.bake(last.views, 6.0)[maps.seen].numpy(), known[maps.seen].numpy()) > 35
    assert psnr(last.foreseen[maps.seen].numpy(), known[maps.seen].numpy()) > 35


def test_noise_stays_as_strong_as_the_schedule_says(maps: ViewMaps, known: torch.Tensor) -> None:
    """A step leaves texels with the noise of the next step: a wrong posterior gives more or less."""
    whole = plan(maps, steps=20, free=0.0)
    predict = exact(whole.schedule, maps, known, torch.full((1, 4, VIEW, VIEW), 0.5))
    for state in list(run(whole, predict))[:-1]:
        signal = whole.schedule.signal[state.index]
        noise = (state.texture - signal**0.5 * known)[maps.seen] / (1 - signal) ** 0.5
        assert float(noise.std()) == pytest.approx(1, abs=0.05)
        assert abs(float(noise.mean())) < 0.05


def test_the_posterior_is_that_of_ddpm() -> None:
    import diffusers

    scheduler = diffusers.DDPMScheduler(1000, 0.00085, 0.012, "scaled_linear", clip_sample=False)
    scheduler.set_timesteps(20)
    steps = [int(step) for step in scheduler.timesteps]
    own = Schedule.of(steps, ALPHAS)
    noisy, prediction = torch.randn((2, 1, 4, 8, 8), generator=torch.Generator().manual_seed(0))
    for index, step in enumerate(steps[:-1]):
        theirs = scheduler.step(prediction, step, noisy, generator=torch.Generator().manual_seed(1)).prev_sample
        noise = torch.randn(noisy.shape, generator=torch.Generator().manual_seed(1))
        ours = own.cleaner(index, own.clean(index, noisy, prediction), noisy, noise)
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


def test_views_agree_as_views_painted_alone_do_not(maps: ViewMaps, known: torch.Tensor) -> None:
    """A prediction that sees something else in every view."""
    own = torch.randn((len(maps.texels), 4, 1, 1), generator=torch.Generator().manual_seed(3)) * 0.3
    together = plan(maps, steps=20, free=0.0)
    clean = maps.pixels.render(known) + own

    def predict(views: torch.Tensor, index: int) -> torch.Tensor:
        signal = together.schedule.signal[index]
        return (views - signal**0.5 * clean) / (1 - signal) ** 0.5

    spreads = []
    for whole in (together, replace(together, synchronized=False)):
        views = list(run(whole, predict))[-1].views
        assert views is not None
        spreads.append(maps.spread(views))
    assert spreads[0] < spreads[1] / 4


def test_a_run_goes_on_from_any_state_as_if_it_had_not_stopped(maps: ViewMaps, known: torch.Tensor) -> None:
    whole = plan(maps, free=0.3, seed=5)
    predict = exact(whole.schedule, maps, known * 0.9, torch.zeros((1, 4, VIEW, VIEW)))
    states = list(run(whole, predict))
    for state in (states[2], states[8]):
        last = list(run(whole, predict, state))[-1]
        assert last.views is not None
        torch.testing.assert_close(last.views, states[-1].views, rtol=0, atol=0)


def test_what_is_given_stays(maps: ViewMaps, known: torch.Tensor) -> None:
    whole = plan(maps)
    predict = exact(whole.schedule, maps, known, torch.full((1, 4, VIEW, VIEW), 0.5))
    views = torch.zeros((len(maps.texels), 4, VIEW, VIEW))
    in_views = torch.zeros((len(maps.texels), 1, VIEW, VIEW))
    in_views[0, :, VIEW // 4 : VIEW // 2] = 1
    kept = torch.from_numpy(np.arange(len(known)) % 7 == 0)
    given = Given(views, in_views, torch.ones_like(known), kept)
    last = list(run(replace(whole, given=given), predict))[-1]
    assert last.foreseen is not None
    assert last.views is not None
    assert torch.equal(last.foreseen[kept], torch.ones_like(known)[kept])
    assert float((last.views[0] * in_views[0]).abs().max()) < 1e-5
    seen = maps.texels[0].texel[maps.texels[0].sample(in_views[0])[:, 0] > 0.99]
    facing = seen[(maps.texels[0].cosine[torch.isin(maps.texels[0].texel, seen)] > 0.9) & ~kept[seen]]
    assert float(last.foreseen[facing].mean()) < float(known[facing].mean()) / 2


def test_gradients_flow_through_render_and_bake(layout: TextureLayout, maps: ViewMaps) -> None:
    generator = torch.Generator().manual_seed(0)
    texture = torch.rand((len(layout.texel), 1), generator=generator, dtype=torch.float64, requires_grad=True)
    along = torch.rand(texture.shape, generator=generator, dtype=torch.float64)
    goal = torch.rand((len(maps.texels), 1, VIEW, VIEW), generator=generator, dtype=torch.float64)

    def loss(values: torch.Tensor) -> torch.Tensor:
        return ((maps.pixels.render(values) - goal) ** 2).sum()

    (gradient,) = torch.autograd.grad(loss(texture), texture)
    width = 1e-4
    with torch.no_grad():
        slope = (loss(texture + width * along) - loss(texture - width * along)) / (2 * width)
    assert float((gradient * along).sum()) == pytest.approx(float(slope), rel=1e-5)


def test_schedules_end_clean() -> None:
    own = schedule(5)
    clean, noisy, noise = torch.rand((3, 2, 4, 3, 3), generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(own.cleaner(4, clean, noisy, noise), clean)
