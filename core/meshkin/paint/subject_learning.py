"""A subject learned from one photograph, in two stages: DreamBooth on a LoRA.

First the model learns what kind of thing it is, from all pictures of it, beside pictures that it makes itself of other
things of that name, so that the name keeps its meaning. Then it learns how the thing looks on the photograph, beside
pictures that the first stage makes of its kind. Sources: DreamBooth (Ruiz et al. 2023,
https://arxiv.org/abs/2208.12242); the two stages are USD's (https://arxiv.org/abs/2312.06198).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch.nn import functional

from ..base.progress import ProgressCallback
from ..features.diffusion.stable_diffusion import StableDiffusion
from ..features.photo import window
from ..models import lora
from ..models.lora import NamedTensors
from ..pictures.learning.notes import repeatable, taken_up
from . import subjects
from .schedule import normal_numbers

SUBJECT_RATE = 2e-4
"""Of AdamW. Source: USD."""
SAMPLING_STEPS = 30
"""In which the model makes its own pictures. Chosen: as many as a texture is painted in."""
SAMPLING_GUIDANCE = 7.5
"""Of these pictures. Source: the usual one of Stable Diffusion 1.5."""
SECOND_STAGE = 0.25
"""Share of the steps that the second stage has. Chosen: USD's is one epoch after three."""
TENTH = 10
"""The first and the last of so many parts of a stage tell how far its loss fell. Chosen."""


@dataclass(frozen=True)
class SubjectLesson:
    """What is to be learned.

    Attributes:
        name: what the subject is, in common words.
        steps: of both stages together.
        size: of the pictures, pixels.
        own: how many pictures the model makes itself, for each stage.
        seed: of all random numbers.
    """

    name: str
    steps: int
    size: int
    own: int
    seed: int = 0

    @property
    def stages(self) -> tuple[int, int]:
        """Steps of each stage."""
        second = round(SECOND_STAGE * self.steps)
        return self.steps - second, second


class TaughtDiffusion(StableDiffusion):
    """As :class:`StableDiffusion`, in full precision, with a LoRA on its UNet that can learn."""

    def __init__(self, folder: Path, seed: int = 0, device: str = "auto") -> None:
        """Load the model; raises as :class:`StableDiffusion`."""
        super().__init__(folder, device=device)
        self.dtype = torch.float32
        self._unet.float()
        self._text_encoder.float()
        lora.add(self._unet, seed)
        self._unet.enable_gradient_checkpointing()  # 8 GB cards

    @property
    def steps(self) -> int:
        """Steps of the model's schedule."""
        return len(self._scheduler.alphas_cumprod)

    def taught(self) -> list[torch.nn.Parameter]:
        """The numbers that are learned, always in the same order."""
        return [value for value in self._unet.parameters() if value.requires_grad]

    def tensors(self) -> NamedTensors:
        """The same by their names in a file."""
        return lora.tensors(self._unet)

    def predicted(self, noisy: torch.Tensor, step: int, text: torch.Tensor) -> torch.Tensor:
        """The noise that the UNet sees in latents (n, 4, h, w), of which gradients can be taken."""
        self._use("_unet")
        prediction: torch.Tensor = self._unet(noisy, step, text.expand(len(noisy), -1, -1), return_dict=False)[0]
        return prediction

    def read_text(self, text: str) -> torch.Tensor:
        """As :meth:`encode_text`, to take gradients with."""
        return self.encode_text(text).clone()

    def made(self, prompt: str, noise: torch.Tensor, tick: Callable[[], object]) -> torch.Tensor:
        """Clean latents of a picture that the model itself makes of ``noise`` (1, 4, h, w)."""
        text = torch.cat([self.encode_text(""), self.encode_text(prompt)])
        latents = noise
        for step in self.timesteps(SAMPLING_STEPS):
            tick()
            seen, _ = self.evaluate(latents.expand(2, -1, -1, -1), step, text)
            assert seen is not None
            prediction = seen[:1] + SAMPLING_GUIDANCE * (seen[1:] - seen[:1])
            latents, _clean = self.step(prediction, step, latents)
        return latents.clone()


@dataclass(frozen=True)
class TaughtPicture:
    """What one step of the learning looks at.

    Attributes:
        latents: (1, 4, h, w), clean.
        inside: (1, 1, h, w), 1 where the loss counts, else 0.
        prompt: says what they show.
    """

    latents: torch.Tensor
    inside: torch.Tensor
    prompt: str


class SubjectLearning:
    """A learning, and how far it has come.

    Attributes:
        step: how many steps are done.
        losses: of each of them.
    """

    def __init__(
        self,
        networks: TaughtDiffusion,
        pictures: Sequence[tuple[torch.Tensor, torch.Tensor]],
        lesson: SubjectLesson,
    ) -> None:
        """Begin at step 0.

        Args:
            networks: with a fresh LoRA.
            pictures: of :func:`framed`; the first is the photograph.
            lesson: what is to be learned.
        """
        self._networks, self._lesson = networks, lesson
        self._pictures = [
            (networks.encode(picture).clone(), functional.interpolate(inside, scale_factor=1 / networks.scale))
            for picture, inside in pictures
        ]
        self._taught = networks.taught()
        self._optimizer = torch.optim.AdamW(self._taught, SUBJECT_RATE)
        self._own: list[list[torch.Tensor]] = [[], []]  # latents that the model itself has made, for each stage
        self.step, self.losses = 0, list[float]()

    @property
    def steps(self) -> int:
        """Steps of the whole learning."""
        return self._lesson.steps

    @property
    def told(self) -> str:
        """What it does, in words."""
        if len(self._own[self._stage]) < self._lesson.own:
            return "Making pictures to compare with"
        return ("Learning what the subject is", "Learning how the subject looks")[self._stage]

    @property
    def summary(self) -> tuple[float, ...]:
        """The mean loss of the first and of the last tenth of each stage."""
        first, _ = self._lesson.stages
        told = []
        for losses in filter(None, (self.losses[:first], self.losses[first:])):
            part = max(len(losses) // TENTH, 1)
            told += [float(np.mean(losses[:part])), float(np.mean(losses[-part:]))]
        return tuple(told)

    def state(self) -> dict[str, Any]:
        """Everything that :meth:`restore` needs to go on from here."""
        return {
            "taught": [value.detach() for value in self._taught],
            "optimizer": self._optimizer.state_dict(),
            "own": self._own,
            "step": self.step,
            "losses": self.losses,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from where :meth:`state` was taken; raises what a state of another learning makes PyTorch raise."""
        with torch.no_grad():
            for value, noted in zip(self._taught, state["taught"], strict=True):
                value.copy_(noted)
        self._optimizer.load_state_dict(state["optimizer"])
        self._own = [[latents.to(self._networks.device) for latents in own] for own in state["own"]]
        self.step, self.losses = int(state["step"]), list(state["losses"])

    def run(self, tick: Callable[[], object]) -> None:
        """Learn until all steps are done; ``tick`` is called again and again, and may raise Cancelled."""
        with repeatable():
            while self.step < self._lesson.steps:
                self._make_own(tick)
                self.losses.append(self.learn(*self._examples()))
                self.step += 1
                tick()

    def learn(self, *examples: tuple[TaughtPicture, int, torch.Tensor]) -> float:
        """One step of the optimizer; returns the loss.

        Args:
            examples: each with the step of its noise and the noise itself, (1, 4, h, w).
        """
        networks = self._networks
        self._optimizer.zero_grad()
        total = 0.0
        for example, step, noise in examples:  # one after the other, for the memory
            noisy = networks.add_noise(example.latents, noise, step)
            off = (networks.predicted(noisy, step, networks.read_text(example.prompt)) - noise.to(noisy)).square()
            inside = example.inside.to(noisy).expand_as(noisy)
            loss = (off * inside).sum() / inside.sum().clamp(min=1)
            loss.backward()  # type: ignore[no-untyped-call]
            total += float(loss.detach())
        self._optimizer.step()
        return total / len(examples)

    @property
    def _stage(self) -> int:
        return int(self.step >= self._lesson.stages[0])

    def _examples(self) -> list[tuple[TaughtPicture, int, torch.Tensor]]:
        """A picture of the subject, and one that the model made itself."""
        lesson, name = self._lesson, self._lesson.name
        calls = ((subjects.of_kind, subjects.common), (subjects.named, subjects.of_kind))[self._stage]
        shown = self._pictures[self.step % len(self._pictures) if self._stage == 0 else 0]
        chosen = [TaughtPicture(*shown, calls[0](name))]
        if made := self._own[self._stage]:
            own = made[self.step % len(made)]
            chosen.append(TaughtPicture(own, torch.ones_like(own[:, :1]), calls[1](name)))
        drawn = np.random.default_rng([lesson.seed, self.step])
        numbers = drawn.integers(0, self._networks.steps, len(chosen)).tolist()
        noises = [
            normal_numbers(lesson.seed, f"subject {self.step} {row}", tuple(shown[0].shape), self._networks.device)
            for row in range(len(chosen))
        ]
        return list(zip(chosen, numbers, noises, strict=True))

    def _make_own(self, tick: Callable[[], object]) -> None:
        """Let the model make its own pictures for this stage, those that are not there yet."""
        lesson, own = self._lesson, self._own[self._stage]
        prompt = (subjects.common, subjects.of_kind)[self._stage](lesson.name)
        while len(own) < lesson.own:
            shape = tuple(self._pictures[0][0].shape)
            place = f"own {self._stage} {len(own)}"
            noise = normal_numbers(lesson.seed, place, shape, self._networks.device)
            own.append(self._networks.made(prompt, noise, tick))


def framed(pixels: NDArray[np.uint8], mask: NDArray[np.bool_] | None, size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """A picture brought to a square: the one around its subject, else its middle.

    Args:
        pixels: uint8 (H, W, 3), sRGB.
        mask: bool (H, W), where the subject is; None for everywhere.
        size: of the square, pixels.

    Returns:
        float32 (1, 3, S, S) in [0, 1], and (1, 1, S, S), where the subject is.
    """
    height, width = pixels.shape[:2]
    if mask is None:
        side = min(height, width)
        top, left = (height - side) // 2, (width - side) // 2
        inside = np.ones((height, width), bool)
    else:
        top, left, side = window(mask)
        inside = mask
    box = (left, top, left + side, top + side)
    picture = Image.fromarray(np.where(inside[..., None], pixels, np.uint8(255)))
    fill = Image.new("RGB", (width + 2 * side, height + 2 * side), "white")
    fill.paste(picture, (side, side))
    shown = Image.new("L", fill.size, 0)
    shown.paste(Image.fromarray((inside * np.uint8(255)).astype(np.uint8)), (side, side))
    moved = tuple(edge + side for edge in box)
    square = fill.crop(moved).resize((size, size), Image.Resampling.LANCZOS)
    known = shown.crop(moved).resize((size, size), Image.Resampling.BILINEAR)
    colors = torch.from_numpy(np.asarray(square, np.float32) / 255).permute(2, 0, 1)[None]
    return colors, torch.from_numpy((np.asarray(known) >= 128).astype(np.float32))[None, None]


def teach(
    networks: TaughtDiffusion,
    pictures: Sequence[tuple[torch.Tensor, torch.Tensor]],
    lesson: SubjectLesson,
    notes: Path,
    report: ProgressCallback,
) -> SubjectLearning:
    """Learn a subject; ``networks`` hold it then. A try that was stopped goes on from its ``notes``.

    Raises StorageError.
    """
    learning = SubjectLearning(networks, pictures, lesson)
    learning.run(taken_up(learning, notes, report))
    return learning
