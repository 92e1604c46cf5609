"""Learning a map: steps on pairs, noted so that a learning that was stopped goes on, repeatable to the last bit."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ...base.png import write_png
from ...base.progress import ProgressCallback
from . import formulas, measures, values
from .measures import Bytes
from .networks import Translator
from .notes import repeatable, taken_up
from .pairs import PicturePairs
from .varying import varied

WEIGHT_DECAY = 1e-2
"""Of the weights. Published."""
MOST_GRADIENT = 1.0
"""Length that gradients are clipped to. Published."""
AVERAGING = 0.05
"""Share of the steps over which the moving average of the numbers, which is the result, is taken. Chosen."""
JUDGED = 8
"""Held-out pairs that are judged after each epoch; all of them at the end. Chosen."""
SHOWN = 4
"""Of these are shown in an epoch's picture. Chosen."""
TOGETHER = 8
"""Pictures that are translated at a time. Chosen."""

Epoch = Callable[[int, Bytes], object]
"""Is told the number of an epoch, from 1, and its picture."""


@dataclass(frozen=True)
class PictureLesson:
    """What is to be learned.

    Attributes:
        target: one of :data:`meshkin.pictures.learning.options.TARGETS`.
        steps: of the optimizer.
        batch: pairs that each looks at.
        seed: of all random numbers but the network's.
        noise: whether the start is noise, not the picture: for comparison only.
    """

    target: str
    steps: int
    batch: int
    seed: int = 0
    noise: bool = False


class PictureLearning:
    """A learning, and how far it has come.

    Attributes:
        step: how many steps are done.
        errors: of some held-out pairs after each epoch.
        losses: the mean loss of each epoch.
    """

    def __init__(
        self, translator: Translator, pairs: PicturePairs, lesson: PictureLesson, device: str | torch.device = "cpu"
    ) -> None:
        """Begin at step 0.

        Args:
            translator: the network, on the device.
            pairs: to learn from.
            lesson: what is to be learned.
            device: a torch device.
        """
        self._translator, self._pairs, self._lesson, self._device = translator, pairs, lesson, device
        self._taught = translator.taught()
        self._average: list[torch.Tensor] = [value.detach().clone() for value in self._taught]
        self._optimizer = torch.optim.AdamW(self._taught, translator.rate, weight_decay=WEIGHT_DECAY)
        self._random = np.random.default_rng(lesson.seed)
        self._noise = torch.Generator().manual_seed(lesson.seed)
        self._order: list[int] = []
        self._sum = [0.0, 0]
        self.step, self.errors, self.losses = 0, list[float](), list[float]()

    @property
    def steps(self) -> int:
        """Steps of the whole learning."""
        return self._lesson.steps

    @property
    def told(self) -> str:
        """What it does, in words."""
        last = f", error {self.errors[-1]:.3g}" if self.errors else ""
        return f"Learning the map{last}"

    @property
    def epoch_steps(self) -> int:
        """Steps of an epoch, in which each pair is looked at once."""
        return max(math.ceil(len(self._pairs.taught) / self._lesson.batch), 1)

    def state(self) -> dict[str, Any]:
        """Everything that :meth:`restore` needs to go on from here."""
        return {
            "taught": [value.detach() for value in self._taught],
            "average": self._average,
            "optimizer": self._optimizer.state_dict(),
            "random": json.dumps(self._random.bit_generator.state),
            "noise": self._noise.get_state(),
            "order": self._order,
            "sum": self._sum,
            "step": self.step,
            "errors": self.errors,
            "losses": self.losses,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from where :meth:`state` was taken; raises what a state of another learning makes PyTorch raise."""
        with torch.no_grad():
            for value, noted in zip(self._taught, state["taught"], strict=True):
                value.copy_(noted)
            for mean, noted in zip(self._average, state["average"], strict=True):
                mean.copy_(noted)
        self._optimizer.load_state_dict(state["optimizer"])
        self._random.bit_generator.state = json.loads(state["random"])
        self._noise.set_state(state["noise"].cpu())
        self._order, self._sum = list(state["order"]), list(state["sum"])
        self.step, self.errors, self.losses = int(state["step"]), list(state["errors"]), list(state["losses"])

    def run(self, tick: Callable[[], object], epoch: Epoch) -> None:
        """Learn until all steps are done; the translator holds the average of its numbers then.

        Args:
            tick: is called after each step; may raise Cancelled.
            epoch: is told each epoch's picture: in rows held-out pairs, each the picture, the truth and what is found.
        """
        with repeatable():
            while self.step < self._lesson.steps:
                self._learn()
                if self.step % self.epoch_steps == 0 or self.step == self._lesson.steps:
                    self._judge(epoch)
                tick()
            self._swap()

    def _learn(self) -> None:
        """One step of the optimizer."""
        translator, lesson = self._translator, self._lesson
        for group in self._optimizer.param_groups:
            group["lr"] = translator.rate * (1 + math.cos(math.pi * self.step / lesson.steps)) / 2
        pictures, maps = self._drawn()
        shown, goal = translator.encode(pictures), translator.encode(maps)
        start = noise_like(shown, self._noise) if lesson.noise else shown
        loss = translator.loss(asking(translator, shown), start, goal, self._random)
        self._optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self._taught, MOST_GRADIENT)
        self._optimizer.step()
        self.step += 1
        self._sum = [self._sum[0] + float(loss.detach()), self._sum[1] + 1]
        kept = min(1 - 1 / max(AVERAGING * lesson.steps, 1), self.step / (self.step + 1))
        with torch.no_grad():
            for mean, value in zip(self._average, self._taught, strict=True):
                mean.lerp_(value, 1 - kept)

    def _drawn(self) -> tuple[torch.Tensor, torch.Tensor]:
        """The pairs of a step, varied."""
        if not self._order:
            self._order = self._random.permutation(self._pairs.taught).tolist()
        numbers, self._order = self._order[: self._lesson.batch], self._order[self._lesson.batch :]
        target = self._lesson.target
        drawn = [varied(*self._pairs.read(number), target, self._random) for number in numbers]
        pictures, maps = zip(*drawn, strict=True)
        return values.tensor(pictures, self._device), values.map_tensor(maps, target, self._device)

    def _judge(self, epoch: Epoch) -> None:
        """Note the loss and the error since the last epoch, and show some held-out pairs."""
        held = self._pairs.held_out
        spread = sorted({held[index * len(held) // JUDGED] for index in range(JUDGED)})
        pictures, truth = _stacked(self._pairs, spread)
        self._swap()
        found = find(self._translator, pictures, self._lesson.target, self._device, self._lesson.noise)
        self._swap()
        self.errors.append(measures.error(found, truth, self._lesson.target))
        self.losses.append(self._sum[0] / max(self._sum[1], 1))
        self._sum = [0.0, 0]
        rows = zip(pictures[:SHOWN], truth[:SHOWN], found[:SHOWN], strict=True)
        epoch(math.ceil(self.step / self.epoch_steps), np.concatenate([np.concatenate(row, axis=1) for row in rows]))

    @torch.no_grad()
    def _swap(self) -> None:
        """Exchange the network's numbers and their averages."""
        for mean, value in zip(self._average, self._taught, strict=True):
            kept = value.clone()
            value.copy_(mean)
            mean.copy_(kept)


def learn(learning: PictureLearning, notes: Path, epochs: Path, report: ProgressCallback) -> None:
    """Learn from where an earlier try was stopped if there was one.

    Args:
        learning: at its beginning.
        notes: the file in which it is noted how far it has come.
        epochs: the folder of the epochs' pictures.
        report: told the progress; may raise Cancelled, after which the next try goes on from here.

    Raises StorageError; what was noted before stays then.
    """
    tick = taken_up(learning, notes, report)
    learning.run(tick, lambda number, picture: write_png(epochs / f"epoch_{number:04d}.png", picture))


def find(
    translator: Translator, pictures: Bytes, target: str, device: str | torch.device, noise: bool = False
) -> Bytes:
    """The maps of pictures (N, S, S, 3), uint8 of the same shape; ``noise`` as in :class:`PictureLesson`."""
    found = []
    for first in range(0, len(pictures), TOGETHER):
        shown = translator.encode(values.tensor(pictures[first : first + TOGETHER], device))
        start = noise_like(shown, torch.Generator().manual_seed(first)) if noise else shown
        maps = translator.decode(formulas.translate(asking(translator, shown), translator.schedule, start))
        found.append(values.map_pixels(maps, target))
    return np.concatenate(found)


def asking(translator: Translator, shown: torch.Tensor) -> formulas.Velocity:
    """A network's velocities for these pictures (B, C, h, w)."""
    return lambda blends, steps: translator.velocity(blends, steps, shown)


def noise_like(shown: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Noise in the place of pictures, drawn on the processor."""
    return torch.randn(shown.shape, generator=generator).to(shown.device)


def judge(
    translator: Translator, pairs: PicturePairs, device: str | torch.device, lesson: PictureLesson
) -> tuple[float, float]:
    """The error of all held-out pairs, and that of the mean of all maps that were learned from."""
    pictures, truth = _stacked(pairs, pairs.held_out)
    mean = measures.mean_map(_stacked(pairs, pairs.taught)[1])
    found = find(translator, pictures, lesson.target, device, lesson.noise)
    plain = measures.error(np.broadcast_to(mean, truth.shape), truth, lesson.target)
    return measures.error(found, truth, lesson.target), plain


def _stacked(pairs: PicturePairs, numbers: Sequence[int]) -> tuple[Bytes, Bytes]:
    """Pictures and maps of some pairs, (N, S, S, 3) each."""
    pictures, maps = zip(*(pairs.read(number) for number in numbers), strict=True)
    return np.stack(pictures), np.stack(maps)
