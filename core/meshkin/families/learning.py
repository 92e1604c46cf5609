"""Learning a family: an embedding in which points are as far apart as they are along the surface.

Features of a model do not tell a left hand from a right one, or one leg of a spider from the next. Distances along the
surfaces of a few shapes do; a small network is taught to read them from the features, and reads them of shapes that it
has never seen.

Source: Uzolas, Eisemann and Kellnhofer, "Surface-Aware Distilled 3D Semantic Features" (SIGGRAPH Asia 2025). Other than
there, distances are computed once for each shape (the published code draws new anchors in every step), a step looks at
some of a shape's vertices, and each row tells what lies around its point and on which side of the shape's mirror plane
it is (:mod:`meshkin.families.rows`), which features and distances alone cannot tell.
"""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ..base.json_data import from_json, to_json
from ..data.snapshot import Snapshot
from ..geometry.arrays import Integers, Singles
from ..geometry.geodesics import spread_distances
from .network import FamilyNetwork, distance_loss, reconstruction_loss
from .record import Curve

PLATEAU_LOSS = 0.10
"""Loss of the distances above which a family that does not get better is of no use. Measured: 0.02 to 0.03 on the
shapes learned from, 0.10 on an animal held out of a family of several species; 0.13 where others found no gain."""
PLATEAU_FALL = 0.02
"""Share by which the loss must fall over the last third of the steps, likewise. Chosen."""


@dataclass(frozen=True)
class LearningSettings:
    """How a family is learned.

    Attributes:
        layers: widths of the layers after the input; the last one is that of the embedding. Measured in a pilot.
        steps: of the optimizer, each on one shape. Measured in a pilot: from 1,000 to 2,000.
        sampled: vertices of a shape that a step looks at, at most. Chosen.
        anchors: points from which a step measures distances. As published.
        pool: points of each shape from which distances are known. Chosen.
        learning_rate: at first; it falls to 0 along a cosine. Chosen for this small network.
        distance_weight: of the distances beside the reconstruction. As in the released code, which adds them twice.
        averaging: share of the steps over which the moving average of the network's values, which is the result, is
            taken. Chosen.
        checked: how often the loss of held-out shapes is computed. Chosen.
        seed: of all random numbers.
    """

    layers: tuple[int, ...] = (256, 128)
    steps: int = 1500
    sampled: int = 1024
    anchors: int = 100
    pool: int = 300
    learning_rate: float = 1e-3
    distance_weight: float = 2.0
    averaging: float = 0.05
    checked: int = 30
    seed: int = 0


@dataclass(frozen=True)
class Member:
    """A shape that a family is learned from.

    Attributes:
        rows: float32 (V, C), what is known of each vertex.
        anchors: int64 (P,), vertices.
        distances: float32 (P, V), from these to all, at most 1: the greatest one on the shape, and between loose parts.
    """

    rows: Singles
    anchors: Integers
    distances: Singles

    @staticmethod
    def of(shape: Snapshot, rows: Singles, settings: LearningSettings = LearningSettings()) -> Member:
        """Build it from a shape.

        Args:
            shape: the mesh.
            rows: (V, C), of its vertices.
            settings: of the pool.
        """
        anchors, distances = spread_distances(shape.vertices, shape.faces, settings.pool, settings.seed)
        farthest = distances[np.isfinite(distances)].max(initial=0) or 1.0
        return Member(rows, anchors, np.minimum(distances / farthest, 1))


class Learning:
    """A family that is being learned: the network, its average, the optimizer, and how far it has come.

    Attributes:
        averaged: the network whose values are the moving average: the result.
        curve: how the losses fell.
        step: how many steps are done.
    """

    def __init__(self, width: int, settings: LearningSettings, device: str = "cpu") -> None:
        """Begin at step 0.

        Args:
            width: of the members' rows.
            settings: of the learning.
            device: a torch device.
        """
        torch.manual_seed(settings.seed)
        self._settings, self._device = settings, device
        self._network = FamilyNetwork((width, *settings.layers)).to(device)
        self.averaged = copy.deepcopy(self._network)
        self._optimizer = torch.optim.AdamW(self._network.parameters(), settings.learning_rate)
        self._generator = np.random.default_rng(settings.seed)
        self._losses: list[tuple[float, float]] = []
        self.curve, self.step = Curve(), 0

    def state(self) -> dict[str, Any]:
        """Everything that :meth:`restore` needs to go on from here."""
        return {
            "network": self._network.state_dict(),
            "averaged": self.averaged.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "generator": json.dumps(self._generator.bit_generator.state),
            "losses": self._losses,
            "curve": to_json(self.curve),
            "step": self.step,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from where :meth:`state` was taken; raises what a state of another learning makes PyTorch raise."""
        self._network.load_state_dict(state["network"])
        self.averaged.load_state_dict(state["averaged"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._generator.bit_generator.state = json.loads(state["generator"])
        self._losses = [(float(one), float(two)) for one, two in state["losses"]]
        self.curve, self.step = from_json(Curve, state["curve"]), int(state["step"])

    def run(
        self, members: Sequence[Member], held_out: Sequence[Member], tick: Callable[[float, Curve], None]
    ) -> tuple[FamilyNetwork, Curve]:
        """Learn until all steps are done; returns the averaged network and the curve.

        Args:
            members: the shapes to learn from, with rows of one width.
            held_out: shapes on which the result is only checked.
            tick: is told the share of the steps that are done and the curve so far; may raise Cancelled.
        """
        settings = self._settings
        pause = max(settings.steps // settings.checked, 1)
        kept = 1 - 1 / max(settings.averaging * settings.steps, 1)
        while self.step < settings.steps:
            for group in self._optimizer.param_groups:
                group["lr"] = settings.learning_rate * (1 + math.cos(math.pi * self.step / settings.steps)) / 2
            drawn = _drawn(members[int(self._generator.integers(len(members)))], self._generator, settings)
            rows, anchors, distances = (torch.as_tensor(part, device=self._device) for part in drawn)
            losses = training_step(self._network, self._optimizer, rows, anchors, distances, settings.distance_weight)
            self._losses.append(losses)
            _average(self.averaged, self._network, kept)
            self.step += 1
            if self.step % pause == 0 or self.step == settings.steps:
                self._check(held_out)
            tick(self.step / settings.steps, self.curve)
        return self.averaged.eval(), self.curve

    def _check(self, held_out: Sequence[Member]) -> None:
        """Note the losses since the last time, and that of the held-out shapes."""
        reconstruction, distance = np.mean(self._losses, axis=0)
        self._losses = []
        self.curve.steps.append(self.step)
        self.curve.reconstruction.append(float(reconstruction))
        self.curve.distance.append(float(distance))
        if held_out:
            losses = [held_out_loss(self.averaged, member, self._device) for member in held_out]
            self.curve.held_out.append(float(np.mean(losses)))


def learn(
    members: Sequence[Member],
    held_out: Sequence[Member],
    tick: Callable[[float, Curve], None],
    settings: LearningSettings = LearningSettings(),
    device: str = "cpu",
) -> tuple[FamilyNetwork, Curve]:
    """Learn the family of some shapes at one go; arguments and result as :meth:`Learning.run`."""
    return Learning(members[0].rows.shape[1], settings, device).run(members, held_out, tick)


def is_plateau(curve: Curve) -> bool:
    """Whether the distances' loss stopped falling while it was still large."""
    values = curve.checked
    third = len(values) // 3
    if not third:
        return False
    before, after = float(np.mean(values[-2 * third : -third])), float(np.mean(values[-third:]))
    return after > PLATEAU_LOSS and before - after < PLATEAU_FALL * before


def training_step(
    network: FamilyNetwork,
    optimizer: torch.optim.Optimizer,
    rows: torch.Tensor,
    anchors: torch.Tensor,
    distances: torch.Tensor,
    distance_weight: float = LearningSettings.distance_weight,
) -> tuple[float, float]:
    """One step of the optimizer on vertices of one shape.

    Args:
        network: the network, changed.
        optimizer: of its values.
        rows: (N, C), of some vertices.
        anchors: (A, C), of the anchors.
        distances: (N, A), between them, in [0, 1].
        distance_weight: of the distances' loss.

    Returns:
        the reconstruction's loss and the distances' loss before the step.
    """
    embedded = network.encode(rows)
    reconstruction = reconstruction_loss(rows, network.decode(embedded))
    distance = distance_loss(embedded, network.encode(anchors), distances)
    optimizer.zero_grad()
    (reconstruction + distance_weight * distance).backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    return float(reconstruction.detach()), float(distance.detach())


@torch.no_grad()
def held_out_loss(network: FamilyNetwork, member: Member, device: str = "cpu") -> float:
    """The distance loss over all vertices and anchors of a shape."""
    rows, distances = (torch.as_tensor(part, device=device) for part in (member.rows, member.distances.T))
    embedded = network.encode(rows)
    return float(distance_loss(embedded, embedded[torch.as_tensor(member.anchors, device=device)], distances))


@torch.no_grad()
def embed(network: FamilyNetwork, rows: Singles, device: str = "cpu") -> Singles:
    """The embedding of rows (V, C) of any shape, float32 (V, E), unit rows."""
    embedded: Singles = network.to(device).encode(torch.as_tensor(rows, device=device)).cpu().numpy()
    return embedded


def _drawn(
    member: Member, generator: np.random.Generator, settings: LearningSettings
) -> tuple[Singles, Singles, Singles]:
    """Rows (N, C) of some vertices and (A, C) of some anchors of a shape, and the distances (N, A) between them.

    As published, the greatest distance of those drawn counts as 1.
    """
    chosen = generator.permutation(len(member.anchors))[: settings.anchors]
    vertices = generator.permutation(len(member.rows))[: settings.sampled]
    distances = member.distances[np.ix_(chosen, vertices)].T
    anchors = member.rows[member.anchors[chosen]]
    return member.rows[vertices], anchors, np.ascontiguousarray(distances / (distances.max() or 1.0), np.float32)


@torch.no_grad()
def _average(averaged: FamilyNetwork, network: FamilyNetwork, share: float) -> None:
    """Move an average of a network's values towards them: ``share`` of the old stays."""
    for mean, value in zip(averaged.parameters(), network.parameters(), strict=True):
        mean.lerp_(value, 1 - share)
