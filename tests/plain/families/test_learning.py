"""Families: what features leave open is learned from distances along surfaces, and known on shapes never seen."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from helpers.beasts import beast
from helpers.shapes import smooth_features
from meshkin.base.errors import Cancelled
from meshkin.families.learning import LearningSettings, Member, embed, learn, training_step
from meshkin.families.network import FamilyNetwork
from meshkin.families.record import Curve
from meshkin.families.rows import with_side
from meshkin.geometry.arrays import unit_rows

QUICK = LearningSettings(layers=(48, 24), steps=400, sampled=400, pool=60, anchors=40)
HINT = 0.25
"""How much the features tell arms from legs."""


def known(bend: float, noise: int) -> Member:
    """A beast whose arms look much like its legs, and its left like its right."""
    shape, places, _ = beast(32, bend, 0)
    folded = np.abs(places) * (1, 1, 0) + places * (0, 0, 1) + HINT * places * (0, 1, 0)
    features = smooth_features(folded) + np.random.default_rng(noise).normal(0, 0.3, (len(places), 48))
    return Member.of(shape, with_side(unit_rows(features.astype(np.float32)), np.sign(places[:, 0])), QUICK)


def test_distances_along_the_surface_are_learnt() -> None:
    """Also of a shape that was never seen."""
    members = [known(bend, number) for number, bend in enumerate((-0.3, 0.0, 0.2))]
    unseen = known(0.35, 7)
    shares: list[float] = []
    network, curve = learn(members, [unseen], lambda share, so_far: shares.append(share), QUICK)
    assert shares == pytest.approx(np.arange(1, QUICK.steps + 1) / QUICK.steps)
    assert curve.distance[-1] < 0.5 * curve.distance[0]
    assert curve.held_out[-1] < 0.6 * curve.held_out[0]
    embedded = embed(network, unseen.rows)
    np.testing.assert_allclose(np.linalg.norm(embedded, axis=1), 1, atol=1e-5)
    apart = (1 - embedded @ embedded[unseen.anchors].T) / 2
    assert np.abs(apart - unseen.distances.T).mean() == pytest.approx(curve.held_out[-1], abs=1e-5)


def test_it_is_the_same_each_time() -> None:
    member = known(0.1, 0)
    short = LearningSettings(layers=(16,), steps=10, sampled=100, pool=20)
    one, two = (learn([member], [], lambda share, so_far: None, short)[0] for _ in range(2))
    np.testing.assert_array_equal(embed(one, member.rows), embed(two, member.rows))


def test_it_can_be_cancelled() -> None:
    def stop(share: float, so_far: Curve) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        learn([known(0.0, 0)], [], stop, QUICK)


def test_a_step_is_the_published_one() -> None:
    """Layers, losses and one step of the optimizer, written out from the formulas."""
    generator = torch.Generator().manual_seed(0)
    network = FamilyNetwork((12, 8, 5)).double()
    rows, anchors = (torch.randn(count, 12, generator=generator, dtype=torch.float64) for count in (30, 7))
    distances = torch.rand(30, 7, generator=generator, dtype=torch.float64)
    values = {name: value.detach().clone().requires_grad_() for name, value in network.named_parameters()}

    def norm(x: torch.Tensor, name: str) -> torch.Tensor:
        spread = ((x - x.mean(1, keepdim=True)) ** 2).mean(1, keepdim=True)
        scaled = (x - x.mean(1, keepdim=True)) / (spread + 1e-5).sqrt()
        return scaled * values[f"{name}.weight"] + values[f"{name}.bias"]

    def blocks(x: torch.Tensor, name: str) -> torch.Tensor:
        for block in range(2):
            for layer in (1, 2):
                linear = f"{name}.{block}.fc{layer}"
                x = x @ values[f"{linear}.weight"].T + values[f"{linear}.bias"]
                x = norm(x * torch.sigmoid(x), f"{name}.{block}.norm{layer}")
        return x / (x.norm(dim=1, keepdim=True) + 1e-8)

    embedded = blocks(rows, "encoder")
    cosine = (blocks(embedded, "decoder") * rows / rows.norm(dim=1, keepdim=True)).sum(1)
    apart = (1 - embedded @ blocks(anchors, "encoder").T) / 2
    losses = (1 - cosine).mean(), (distances - apart).abs().mean()
    (losses[0] + 2 * losses[1]).backward()
    found = training_step(network, torch.optim.AdamW(network.parameters(), 1e-3), rows, anchors, distances)
    np.testing.assert_allclose(found, [float(loss.detach()) for loss in losses], atol=1e-9)
    for name, value in network.named_parameters():
        start, slope = values[name].detach(), values[name].grad
        assert slope is not None
        # The first step of AdamW, whose decay is 0.01: moments are corrected to the slope and its square.
        goal = start * (1 - 1e-3 * 0.01) - 1e-3 * slope / (slope.abs() + 1e-8)
        torch.testing.assert_close(value.detach(), goal, atol=1e-6, rtol=0)
