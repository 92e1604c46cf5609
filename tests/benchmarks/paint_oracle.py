"""Painting and refining where the exact prediction of the noise is known: how near they come to the known texture.

    python tests/benchmarks/paint_oracle.py

Needs no weights. The goals: 35 dB painted and 30 dB refined over texels that are seen, at most a quarter of the spread
of views that are painted each alone, what is given within 1/255.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from helpers.paint_oracle import ALPHAS, exact, known_texture, plan, psnr
from helpers.shapes import bumpy, sphere
from meshkin.paint import refining
from meshkin.paint.cameras import rig
from meshkin.paint.layout import TextureLayout, texture_layout
from meshkin.paint.refining import Refinement
from meshkin.paint.schedule import normal_numbers
from meshkin.paint.synchronized import Given, run
from meshkin.paint.view_maps import ViewMaps, view_maps

VIEW, SIZE = 96, 192
"""Pixels along a view and along the texture: latents of views of 768 px."""
STEPS, REFINING = 30, (300, 1000)
"""Of painting, as by default, and of refining, fewest and as many as the specification times."""


def painted(layout: TextureLayout, maps: ViewMaps) -> None:
    """Print how near painting comes, and how far views of a prediction disagree that differs from view to view."""
    known = torch.from_numpy(known_texture(layout))
    seen, behind = maps.seen, torch.full((1, 4, VIEW, VIEW), 0.5)
    baked = maps.bake(maps.pixels.render(known), 6.0)
    print(f"bake of a rendered texture: {psnr(baked[seen].numpy(), known[seen].numpy()):.1f} dB")
    kept = torch.arange(len(known)) % 7 == 0
    for free in (0.0, 0.2, 1.0):
        whole = plan(maps, steps=STEPS, free=free)
        last = list(run(whole, exact(whole.schedule, maps, known, behind)))[-1]
        assert last.views is not None
        found = maps.bake(last.views, 6.0)
        print(f"painted, {free:.0%} of the steps free: {psnr(found[seen].numpy(), known[seen].numpy()):.1f} dB")
    nothing = torch.zeros((len(maps.texels), 4, VIEW, VIEW))
    given = Given(nothing, nothing[:, :1], torch.ones_like(known), kept)
    last = list(run(replace(plan(maps, steps=STEPS), given=given), exact(whole.schedule, maps, known, behind)))[-1]
    assert last.foreseen is not None
    print(f"what is given is off by {float((last.foreseen - 1)[kept].abs().max()) * 255:.3f} of 255 at most")
    own = torch.randn((len(maps.texels), 4, 1, 1), generator=torch.Generator().manual_seed(3)) * 0.3
    together = plan(maps, steps=STEPS, free=0.0)
    predict = exact(together.schedule, maps, known, behind)

    def differing(views: torch.Tensor, index: int) -> torch.Tensor:
        signal = together.schedule.signal[index]
        return predict(views, index) - (signal / (1 - signal)) ** 0.5 * own

    spreads = []
    for whole in (together, replace(together, synchronized=False)):
        views = list(run(whole, differing))[-1].views
        assert views is not None
        spreads.append(maps.spread(views))
    print(f"spread of views: {spreads[0]:.4f}, each alone {spreads[1]:.4f}: {spreads[0] / spreads[1]:.0%}")


def refined(layout: TextureLayout, maps: ViewMaps) -> None:
    """Print how near refining comes from gray: the model knows the texture, the base model what it is shown."""
    known, gray = torch.from_numpy(known_texture(layout, 3)), torch.full((1, 3, VIEW, VIEW), 0.5)
    clean = torch.where(maps.pixels.shown[:, None], maps.pixels.render(known), gray)
    noise: list[torch.Tensor] = []

    def noted(*arguments: Any) -> torch.Tensor:
        noise.append(normal_numbers(*arguments))
        return noise[-1]

    def conditioned(noisy: torch.Tensor, view: int, step: int) -> torch.Tensor:
        signal = float(ALPHAS[step])
        return (noisy - signal**0.5 * clean[view : view + 1]) / (1 - signal) ** 0.5

    for steps in REFINING:
        run_plan = Refinement(maps, ALPHAS, gray, steps)
        with patch.object(refining, "normal_numbers", noted):
            found = refining.refine(torch.full_like(known, 0.5), run_plan, conditioned, lambda *_: noise[-1])
        result = psnr(found[maps.seen].numpy(), known[maps.seen].numpy())
        print(f"refined in {steps} steps: {result:.1f} dB", flush=True)


def main() -> None:
    layout = texture_layout(bumpy(sphere(64, 32)), SIZE)
    maps = view_maps(layout, rig(layout.shape, 8, VIEW), VIEW)
    print(f"{len(maps.texels)} views of {VIEW} cells, {int(maps.seen.sum()):,} of {len(maps.seen):,} texels are seen")
    painted(layout, maps)
    refined(layout, maps)


if __name__ == "__main__":
    main()
