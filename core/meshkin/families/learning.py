"""Learning a family: an embedding in which points are as far apart as they are along the surface.

Features of a model do not tell a left hand from a right one, or one leg of a spider from the next. Distances along the
surfaces of a few shapes do; a small network is taught to read them from the features, and reads them of shapes that it
has never seen.

Source: Uzolas, Eisemann and Kellnhofer, "Surface-Aware Distilled 3D Semantic Features" (SIGGRAPH Asia 2025). Other than
there, distances are computed once for each shape (the published code draws new anchors in every step), a step looks at
some of a shape's vertices, and each row tells on which side of the shape's mirror plane its point lies, which features
and distances alone cannot tell.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from ..data.snapshot import Snapshot
from ..geometry.arrays import AnyFloats, Integers, Singles, unit_rows
from ..geometry.geodesics import spread_distances
from .network import FamilyNetwork, distance_loss, reconstruction_loss


@dataclass(frozen=True)
class LearningSettings:
    """How a family is learnt.

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
        side_weight: of the side beside the features, whose rows are unit vectors. Measured in a pilot.
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
    side_weight: float = 0.5
    checked: int = 30
    seed: int = 0


@dataclass(frozen=True)
class Member:
    """A shape that a family is learnt from.

    Attributes:
        rows: float32 (V, C), what is known of each vertex.
        anchors: int64 (P,), vertices.
        distances: float32 (P, V), from these to all, at most 1: the greatest one on the shape, and between loose parts.
    """

    rows: Singles
    anchors: Integers
    distances: Singles

    @staticmethod
    def of(
        shape: Snapshot, features: AnyFloats, side: AnyFloats, settings: LearningSettings = LearningSettings()
    ) -> Member:
        """Build it from a shape.

        Args:
            shape: the mesh.
            features: (V, C), of its vertices.
            side: (V,) in [-1, 1], on which side of its mirror plane a vertex lies; 0 where that is not known.
            settings: of the pool and of the side's weight.
        """
        anchors, distances = spread_distances(shape.vertices, shape.faces, settings.pool, settings.seed)
        farthest = distances[np.isfinite(distances)].max(initial=0) or 1.0
        return Member(rows_of(features, side, settings), anchors, np.minimum(distances / farthest, 1))


@dataclass(frozen=True)
class Curve:
    """How the losses fell.

    Attributes:
        steps: after which the losses were computed.
        reconstruction, distance: of the shapes learnt from, means since the step before.
        held_out: the distance loss of the held-out shapes; empty without any.
    """

    steps: list[int] = field(default_factory=list)
    reconstruction: list[float] = field(default_factory=list)
    distance: list[float] = field(default_factory=list)
    held_out: list[float] = field(default_factory=list)


def rows_of(features: AnyFloats, side: AnyFloats, settings: LearningSettings = LearningSettings()) -> Singles:
    """What the network reads of vertices, float32 (V, C + 1): features (V, C) as unit rows, and the side (V,)."""
    unit = unit_rows(np.asarray(features, np.float32))
    return np.hstack((unit, settings.side_weight * np.asarray(side, np.float32)[:, None])).astype(np.float32)


def learn(
    members: Sequence[Member],
    held_out: Sequence[Member],
    tick: Callable[[float, Curve], None],
    settings: LearningSettings = LearningSettings(),
    device: str = "cpu",
) -> tuple[FamilyNetwork, Curve]:
    """Learn the family of some shapes.

    Args:
        members: the shapes to learn from, with rows of one width.
        held_out: shapes on which the result is only checked.
        tick: is told the share of the steps that are done and the curve so far; may raise Cancelled.
        settings: of the learning.
        device: a torch device.

    Returns:
        the network whose values are the moving average, and the curve.
    """
    generator = np.random.default_rng(settings.seed)
    torch.manual_seed(settings.seed)
    network = FamilyNetwork((members[0].rows.shape[1], *settings.layers)).to(device)
    averaged = copy.deepcopy(network)
    optimizer = torch.optim.AdamW(network.parameters(), settings.learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, settings.steps)
    curve, losses, pause = Curve(), [], max(settings.steps // settings.checked, 1)
    kept = 1 - 1 / max(settings.averaging * settings.steps, 1)
    for step in range(1, settings.steps + 1):
        drawn = _drawn(members[int(generator.integers(len(members)))], generator, settings)
        rows, anchors, distances = (torch.as_tensor(part, device=device) for part in drawn)
        losses.append(training_step(network, optimizer, rows, anchors, distances, settings.distance_weight))
        schedule.step()
        _average(averaged, network, kept)
        if step % pause == 0 or step == settings.steps:
            reconstruction, distance = np.mean(losses, axis=0)
            losses = []
            curve.steps.append(step)
            curve.reconstruction.append(float(reconstruction))
            curve.distance.append(float(distance))
            if held_out:
                curve.held_out.append(float(np.mean([held_out_loss(averaged, member, device) for member in held_out])))
        tick(step / settings.steps, curve)
    return averaged.eval(), curve


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
