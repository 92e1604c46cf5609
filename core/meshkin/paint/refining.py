"""A texture refined by unbiased score distillation: what a conditioned model sees more than an unconditioned one.

Each step renders one view of the texture, adds noise, and moves the texture along

    w(t) omega (conditioned prediction - base's unconditioned prediction),  w(t) = 1 - alpha bar,

without the term "minus noise" of score distillation sampling, whose bias blurs. The unconditioned prediction is always
the base model's, without adapters. In the view that a reference is known of, it is pulled towards the reference by
w(t) (base's prediction for the render - base's prediction for the reference), both with the same noise. Source: USD
(Zhang et al., IJCAI 2025, https://arxiv.org/abs/2312.06198).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch

from ..base.progress import ProgressCallback, silent
from .schedule import normal_numbers
from .synchronized import EXPONENTS, Given
from .view_maps import ViewMaps

ViewPrediction = Callable[[torch.Tensor, int, int], torch.Tensor]
"""Predicts the noise in one noisy view (1, C, H, W), of a number, at a step 0 .. 999."""
_CLEANEST = 20
"""The cleanest step that is taken, of 1000. Source: USD's settings, 2 %."""
_NOISIEST = (980, 500)
"""The noisiest step at first, and at the end. Source: USD's settings, 98 % and 50 %."""


@dataclass(frozen=True)
class Refinement:
    """One run.

    Attributes:
        maps: between the views and the texels.
        alphas: (1000,), the share of the variance that is signal.
        background: (1, C, H, W), clean, behind all views.
        steps: how many.
        rate: of Adam. Source: USD's settings.
        omega: how strongly the conditioned model pulls. Source: USD's settings.
        seed: of views, steps and noise.
        given: what stays as it is.
    """

    maps: ViewMaps
    alphas: torch.Tensor
    background: torch.Tensor
    steps: int = 300
    rate: float = 1e-2
    omega: float = 7.5
    seed: int = 0
    given: Given = field(default_factory=Given)


def refine(
    texture: torch.Tensor,
    plan: Refinement,
    conditioned: ViewPrediction,
    base: ViewPrediction,
    report: ProgressCallback = silent,
    enough: Callable[[], bool] = lambda: False,
) -> torch.Tensor:
    """Refine a texture.

    Args:
        texture: (K, C), clean values of the texels, not changed.
        plan: how.
        conditioned: knows the prompt, the shape and what was learned of the subject.
        base: the model itself, of nothing in particular.
        report: told the progress; may raise Cancelled.
        enough: whether to stop before all steps are done.

    Returns:
        (K, C).
    """
    values = texture.clone().requires_grad_()
    optimizer = torch.optim.Adam([values], plan.rate)
    drawn = torch.Generator().manual_seed(plan.seed)
    for number in range(plan.steps):
        report("Refining the texture", number / plan.steps)
        if enough():
            break
        view = int(torch.randint(len(plan.maps.texels), (1,), generator=drawn))
        high = _NOISIEST[0] + (_NOISIEST[1] - _NOISIEST[0]) * number / max(plan.steps - 1, 1)
        step = int(_CLEANEST + float(torch.rand(1, generator=drawn)) * (high - _CLEANEST))
        pixels = plan.maps.pixels.take(view)
        seen = pixels.render(values)
        clean = torch.where(pixels.shown[:, None], seen, plan.background)
        noise = normal_numbers(plan.seed, f"refine {number}", tuple(clean.shape), clean.device)
        gradient = pull(clean.detach(), noise, (view, step), plan, conditioned, base)
        optimizer.zero_grad()
        target = (clean - gradient).detach()  # the loss whose gradient this is
        (0.5 * ((clean - target) ** 2).sum() / len(clean)).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        with torch.no_grad():
            values.copy_(plan.given.texture_with(values))
    # Texels that no pixel shows have learned nothing: the views say what is there.
    return plan.given.texture_with(plan.maps.bake(plan.maps.pixels.render(values.detach()), EXPONENTS[1]))


def pull(
    clean: torch.Tensor,
    noise: torch.Tensor,
    place: tuple[int, int],
    plan: Refinement,
    conditioned: ViewPrediction,
    base: ViewPrediction,
) -> torch.Tensor:
    """Where one clean view (1, C, H, W) is to move from, 0 where that is no number; ``place`` are view and step."""
    view, step = place
    signal = float(plan.alphas[step])

    def noisy(values: torch.Tensor) -> torch.Tensor:
        return signal**0.5 * values + (1 - signal) ** 0.5 * noise

    without = base(noisy(clean), view, step)
    gradient = (1 - signal) * plan.omega * (conditioned(noisy(clean), view, step) - without)
    given = plan.given
    if given.views is not None and given.in_views is not None and bool(given.in_views[view].any()):
        reference = given.views_with(clean.expand_as(given.views))[view : view + 1]
        gradient = gradient + (1 - signal) * (without - base(noisy(reference), view, step))
    return torch.nan_to_num(gradient, 0.0, 0.0, 0.0)
