"""All views of one texture cleaned of noise together, in the texture.

At each step the clean views that the model foresees are baked into one texture, the step is done there, with one noise
for all views, and the views of the next step are rendered from it. So they agree about each texel. Averaging takes
details away; therefore the last steps are done in the views. Source: SyncMVD (Liu et al. 2023,
https://arxiv.org/abs/2311.12891), without these quirks of its code: its background is mixed with alpha and 1 - alpha
in place of their roots, and an exponent of 0 counts as 1 in its bake.

Nothing here knows of networks: what predicts the noise is a function.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import torch

from .schedule import Schedule, normal_numbers
from .view_maps import ViewMaps

EXPONENTS = (0.0, 6.0)
"""Of the cosine in the bake's weights, at the first and at the last step: first all views count, then the one that
looks most squarely. Source: SyncMVD."""
GIVEN_WEIGHT = 5.0
"""How much a given view counts in the bake. Chosen: it wins over three views that look more squarely."""

NoisePrediction = Callable[[torch.Tensor, int], torch.Tensor]
"""Predicts the noise in noisy views (N, C, H, W) at a step's place in the schedule, 0 for the noisiest."""


@dataclass(frozen=True)
class Given:
    """What is known before: clean values, in views and in the texture.

    Attributes:
        views: (N, C, H, W), clean views.
        in_views: (N, 1, H, W), 1 where they are given, else 0.
        texture: (K, C), clean values of texels.
        in_texture: bool (K,), where they are given.
    """

    views: torch.Tensor | None = None
    in_views: torch.Tensor | None = None
    texture: torch.Tensor | None = None
    in_texture: torch.Tensor | None = None

    def views_with(self, views: torch.Tensor) -> torch.Tensor:
        """Clean views with what is given of them."""
        if self.views is None or self.in_views is None:
            return views
        return views + self.in_views * (self.views - views)

    def texture_with(self, texture: torch.Tensor) -> torch.Tensor:
        """A clean texture with what is given of it."""
        if self.texture is None or self.in_texture is None:
            return texture
        return torch.where(self.in_texture[:, None], self.texture, texture)

    @property
    def weights(self) -> torch.Tensor | None:
        """How much each pixel counts in the bake, (N, 1, H, W)."""
        return None if self.in_views is None else 1 + (GIVEN_WEIGHT - 1) * self.in_views


@dataclass(frozen=True)
class PaintPlan:
    """One run.

    Attributes:
        schedule: the steps.
        maps: between the views and the texels.
        backgrounds: (B, C, H, W), clean pictures of plain colors; another one lies behind the views at each step, so
            that no color of a background stays on the surface.
        free: share of the steps, the last ones, that are done in the views.
        seed: of the noise.
        given: what is known before.
        synchronized: whether the views are kept together at all.
    """

    schedule: Schedule
    maps: ViewMaps
    backgrounds: torch.Tensor
    free: float = 0.2
    seed: int = 0
    given: Given = field(default_factory=Given)
    synchronized: bool = True

    @property
    def together(self) -> int:
        """How many steps are done in the texture."""
        count = len(self.schedule.steps)
        return count - round(self.free * count) if self.synchronized else 0


@dataclass(frozen=True)
class PaintState:
    """Where a run stands before a step: all that it takes to go on.

    Attributes:
        index: of the step in the schedule; their number when all is done.
        texture: (K, C), noisy texels; from the first free step on as they were then.
        views: (N, C, H, W), the free views; None before.
        foreseen: (K, C), the clean texture that the step before foresaw; None at the start.
    """

    index: int
    texture: torch.Tensor
    views: torch.Tensor | None = None
    foreseen: torch.Tensor | None = None


def begin(plan: PaintPlan) -> PaintState:
    """The state of pure noise."""
    count, channels = len(plan.maps.seen), plan.backgrounds.shape[1]
    return PaintState(0, normal_numbers(plan.seed, "start", (count, channels), plan.backgrounds.device))


def run(plan: PaintPlan, predict: NoisePrediction, state: PaintState | None = None) -> Iterator[PaintState]:
    """Clean the views step by step.

    Args:
        plan: what to do.
        predict: the noise in the views.
        state: where to go on; None to begin.

    Yields the state after each step; the ``views`` of the last one are clean.
    """
    state = state or begin(plan)
    while state.index < len(plan.schedule.steps):
        state = advance(plan, predict, state)
        yield state


def advance(plan: PaintPlan, predict: NoisePrediction, state: PaintState) -> PaintState:
    """One step."""
    index, schedule, maps = state.index, plan.schedule, plan.maps
    is_free = index >= plan.together
    views = state.views if state.views is not None else rendered(plan, state)
    clean = plan.given.views_with(schedule.clean(index, views, predict(views, index)))
    low, high = EXPONENTS
    exponent = low + (high - low) * index / max(len(schedule.steps) - 1, 1)
    foreseen = plan.given.texture_with(maps.bake(clean, exponent, plan.given.weights))
    if not is_free:
        noise = _texel_noise(plan, index)
        after = PaintState(index + 1, schedule.cleaner(index, foreseen, state.texture, noise), None, foreseen)
        if after.index < len(schedule.steps):
            return after
        return replace(after, views=foreseen_views(plan, foreseen))
    if plan.synchronized:
        noise = _rendered_noise(plan, index)
    else:
        noise = normal_numbers(plan.seed, f"views {index}", tuple(views.shape), views.device)
    return PaintState(index + 1, state.texture, schedule.cleaner(index, clean, views, noise), foreseen)


def rendered(plan: PaintPlan, state: PaintState) -> torch.Tensor:
    """The noisy views (N, C, H, W) of a noisy texture, before a background of the step's noise."""
    index, maps = state.index, plan.maps
    clean = plan.backgrounds[index % len(plan.backgrounds)]
    shape = (len(maps.texels), *clean.shape)
    noise = normal_numbers(plan.seed, f"background {index}", shape, clean.device)
    behind = plan.schedule.noised(index, clean[None], noise)
    if not plan.synchronized:
        return noise
    return torch.where(maps.pixels.shown[:, None], maps.pixels.render(state.texture, nearest=True), behind)


def _texel_noise(plan: PaintPlan, index: int) -> torch.Tensor:
    count, channels = len(plan.maps.seen), plan.backgrounds.shape[1]
    return normal_numbers(plan.seed, f"texels {index}", (count, channels), plan.backgrounds.device)


def _rendered_noise(plan: PaintPlan, index: int) -> torch.Tensor:
    """The noise of the texels in the views, other noise behind it."""
    maps = plan.maps
    shape = (len(maps.texels), *plan.backgrounds.shape[1:])
    behind = normal_numbers(plan.seed, f"free {index}", shape, plan.backgrounds.device)
    seen = maps.pixels.render(_texel_noise(plan, index), nearest=True)
    return torch.where(maps.pixels.shown[:, None], seen, behind)


def foreseen_views(plan: PaintPlan, texture: torch.Tensor) -> torch.Tensor:
    """Clean views (N, C, H, W) of a clean texture."""
    seen = plan.maps.pixels.render(texture)
    return torch.where(plan.maps.pixels.shown[:, None], seen, plan.backgrounds[0][None])
