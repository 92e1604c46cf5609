"""From a picture to its map in five steps, with the picture in the place of the noise."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from diffusers import DDIMScheduler

from meshkin.pictures.learning import formulas

Blends = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


@pytest.fixture
def picture_and_map() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    picture, found = (torch.randn((2, 4, 8, 8), generator=generator) for _ in range(2))
    return picture, found


def exact(schedule: DDIMScheduler, goal: torch.Tensor) -> Blends:
    """The velocity of whatever blend whose map is ``goal``."""

    def velocity(blends: torch.Tensor, steps: torch.Tensor) -> torch.Tensor:
        signal = schedule.alphas_cumprod[steps].view(-1, 1, 1, 1)
        return (signal.sqrt() * blends - goal) / (1 - signal).sqrt()

    return velocity


def test_the_schedule_is_the_published_one() -> None:
    schedule = formulas.scheduler()
    schedule.set_timesteps(formulas.MAP_STEPS)
    assert schedule.timesteps.tolist() == [801, 601, 401, 201, 1]
    published = [0.037, 0.160, 0.423, 0.752, 0.998]
    assert schedule.alphas_cumprod[schedule.timesteps].tolist() == pytest.approx(published, abs=6e-4)


@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize("steps", [1, 5, 20])
def test_the_exact_velocity_leads_to_the_map_from_any_picture(
    picture_and_map: tuple[torch.Tensor, torch.Tensor], keep: bool, steps: int
) -> None:
    picture, goal = picture_and_map
    schedule = formulas.scheduler()
    found = formulas.translate(exact(schedule, goal), schedule, picture, steps, keep)
    assert float((found - goal).abs().max()) < 1e-5


def test_blend_and_velocity_are_as_published(picture_and_map: tuple[torch.Tensor, torch.Tensor]) -> None:
    picture, goal = picture_and_map
    schedule, steps = formulas.scheduler(), torch.tensor([17, 801])
    signal = schedule.alphas_cumprod[steps].view(-1, 1, 1, 1)
    blended = formulas.blend(schedule, goal, picture, steps)
    velocity = formulas.velocity(schedule, goal, picture, steps)
    torch.testing.assert_close(blended, signal.sqrt() * goal + (1 - signal).sqrt() * picture)
    torch.testing.assert_close(velocity, signal.sqrt() * picture - (1 - signal).sqrt() * goal)
    # Both together give the map and the picture back.
    torch.testing.assert_close(signal.sqrt() * blended - (1 - signal).sqrt() * velocity, goal)
    torch.testing.assert_close(formulas.velocity_to(schedule, goal, blended, steps), velocity)


def test_the_steps_that_take_the_picture_itself(picture_and_map: tuple[torch.Tensor, torch.Tensor]) -> None:
    """The published loop, written out."""
    picture, _ = picture_and_map
    network = torch.nn.Conv2d(4, 4, 3, padding=1)

    def velocity(blends: torch.Tensor, steps: torch.Tensor) -> torch.Tensor:
        told: torch.Tensor = network(blends) * (1 + steps.view(-1, 1, 1, 1) / 1000)
        return told

    schedule = formulas.scheduler()
    numbers, signal, current = [801, 601, 401, 201, 1], schedule.alphas_cumprod, picture
    with torch.no_grad():
        for step, following in zip(numbers, [*numbers[1:], 0], strict=True):
            told = velocity(current, torch.full((2,), step))
            found = signal[step].sqrt() * current - (1 - signal[step]).sqrt() * told
            current = signal[following].sqrt() * found + (1 - signal[following]).sqrt() * picture
    torch.testing.assert_close(formulas.translate(velocity, schedule, picture, keep=True), found)
    again = formulas.translate(velocity, schedule, picture, keep=True)
    assert torch.equal(again, formulas.translate(velocity, schedule, picture, keep=True))


def test_the_way_to_a_map_can_be_stopped(picture_and_map: tuple[torch.Tensor, torch.Tensor]) -> None:
    picture, goal = picture_and_map
    schedule = formulas.scheduler(formulas.WITHOUT_REST)
    network, numbers = exact(schedule, goal), formulas.steps_of(schedule)
    for done, step in enumerate(numbers):
        blends, steps = formulas.partway(network, schedule, picture, done), torch.full((2,), step)
        torch.testing.assert_close(blends, formulas.blend(schedule, goal, picture, steps), rtol=1e-5, atol=1e-5)
        found = formulas.found(schedule, blends, network(blends, steps), steps)
        torch.testing.assert_close(found, goal, rtol=1e-5, atol=1e-5)
    whole = formulas.partway(network, schedule, picture, len(numbers))
    assert torch.equal(whole, formulas.translate(network, schedule, picture))
