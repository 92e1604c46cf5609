"""What is taught: a small network of its own, or a LoRA on the attention of a Stable Diffusion model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch.nn import functional

from ...models import lora
from ...models.checking import config as read_config
from ...models.loading import load_network
from ...models.lora import NamedTensors
from . import formulas

CELL = 4
"""Width of the cells of pixels that the small network looks at, pixels. Chosen: a sixteenth of the work."""
WIDTHS = (32, 64, 96)
"""Channels of the small network's blocks. Chosen: 1.7 million numbers, a fifteenth of a second of one core
for a step of eight pairs of 64 pixels."""
GROUPS = 8
"""Of its group norms. Chosen."""
LATER_STEPS = 0.3
"""Share of the batches on which one of the later steps is learned, too. Chosen: they have most of it from the first."""
CLIP_LENGTH = 77
"""Tokens of a text that Stable Diffusion reads."""


class Translator(Protocol):
    """A network that goes from pictures to maps.

    Attributes:
        schedule: its steps.
        cells: width and height of a picture are multiples of this, pixels.
        rate: of its learning.
    """

    schedule: Any
    cells: int
    rate: float

    def loss(
        self, asked: formulas.Velocity, start: torch.Tensor, goal: torch.Tensor, random: np.random.Generator
    ) -> torch.Tensor:
        """How far it is from what it is taught, one number.

        Args:
            asked: its velocities for the pictures.
            start: (B, C, h, w), what its steps begin with, the pictures but for a comparison.
            goal: of the same shape, the maps.
            random: draws the steps of the schedule.
        """

    def encode(self, pictures: torch.Tensor) -> torch.Tensor:
        """Pictures or maps (B, 3, S, S) in [-1, 1] as what the network blends."""

    def decode(self, values: torch.Tensor) -> torch.Tensor:
        """The inverse of :meth:`encode`."""

    def velocity(self, blends: torch.Tensor, steps: torch.Tensor, shown: torch.Tensor) -> torch.Tensor:
        """The velocities of blends at some steps (B,); ``shown`` are the pictures that they belong to."""

    def taught(self) -> list[torch.nn.Parameter]:
        """The numbers that are learned, always in the same order."""

    def tensors(self) -> NamedTensors:
        """The same by their names in a file."""

    def load(self, tensors: Mapping[str, torch.Tensor], what: str) -> None:
        """Take numbers from a file; raises ModelError ``model-wrong``, which calls the file ``what``."""


class SmallNetwork:
    """A UNet on pixels, of the numbers that ``seed`` draws; it is shown the picture beside the blend.

    A Stable Diffusion model has no place for that. From the blend alone, later steps must first tell apart what is left
    of the picture and what was found (tests/benchmarks/results/picture_learning.txt). The UNet itself tells the map,
    from which the velocity follows: a velocity holds the blend, which a few channels pass on roughly only, and each
    step would add what is lost of it (like the preconditioning of Karras et al., 2022,
    https://arxiv.org/abs/2206.00364).
    """

    cells = CELL * 2 ** (len(WIDTHS) - 1)
    rate = 2e-3
    """Chosen for so small a network; that of a LoRA is too slow for it."""

    def __init__(self, seed: int = 0, device: str | torch.device = "cpu") -> None:
        """Draw its numbers, on a torch device."""
        from diffusers import UNet2DModel

        self.schedule = formulas.scheduler(formulas.WITHOUT_REST)
        torch.manual_seed(seed)
        channels = 3 * CELL**2
        self.network = UNet2DModel(
            in_channels=2 * channels,
            out_channels=channels,
            layers_per_block=1,
            block_out_channels=WIDTHS,
            down_block_types=("DownBlock2D",) * len(WIDTHS),
            up_block_types=("UpBlock2D",) * len(WIDTHS),
            norm_num_groups=GROUPS,
            add_attention=False,
        ).to(device, memory_format=torch.channels_last)

    def loss(
        self, asked: formulas.Velocity, start: torch.Tensor, goal: torch.Tensor, random: np.random.Generator
    ) -> torch.Tensor:
        """The error of the map that it finds at the first step, and at times of what a later one makes of that.

        So each step learns to mend what the first has left. Taught with blends of the true map instead, later steps
        trust what they are given, and five steps are worse than one (tests/benchmarks/results/picture_learning.txt).
        """
        first, *later = (
            torch.full((len(start),), step, device=start.device) for step in formulas.steps_of(self.schedule)
        )
        found = formulas.found(self.schedule, start, asked(start, first), first)
        loss = (found - goal).square().mean()
        if random.random() < LATER_STEPS:
            steps = later[random.integers(len(later))]
            blends = formulas.blend(self.schedule, found.detach(), start, steps)
            loss = loss + (formulas.found(self.schedule, blends, asked(blends, steps), steps) - goal).square().mean()
        return loss

    def encode(self, pictures: torch.Tensor) -> torch.Tensor:
        return functional.pixel_unshuffle(pictures, CELL)

    def decode(self, values: torch.Tensor) -> torch.Tensor:
        return functional.pixel_shuffle(values, CELL)

    def velocity(self, blends: torch.Tensor, steps: torch.Tensor, shown: torch.Tensor) -> torch.Tensor:
        maps: torch.Tensor = self.network(torch.cat((blends, shown), dim=1), steps, return_dict=False)[0]
        return formulas.velocity_to(self.schedule, maps, blends, steps)

    def taught(self) -> list[torch.nn.Parameter]:
        return list(self.network.parameters())

    def tensors(self) -> NamedTensors:
        return dict(self.network.state_dict())

    def load(self, tensors: Mapping[str, torch.Tensor], what: str) -> None:
        lora.check_tensors(tensors, self.tensors(), what)
        self.network.load_state_dict(dict(tensors))


class LoraNetwork:
    """A LoRA on the UNet of a Stable Diffusion 1.x model, whose own numbers stay; the text is empty.

    Pictures are read by the model's VAE, the mean of what it tells: the published code draws from it, and so gives
    another map each time.
    """

    rate = 1e-4
    """Published."""

    def __init__(self, folder: Path, seed: int = 0, device: str | torch.device = "cpu") -> None:
        """Load the model.

        Args:
            folder: of the model, in the layout of ``diffusers``.
            seed: of the LoRA's numbers.
            device: a torch device.

        Raises ModelError ``model-wrong``.
        """
        import diffusers

        self.schedule = formulas.scheduler(read_config(folder / "scheduler", "scheduler_config.json"))
        self._vae = load_network(diffusers.AutoencoderKL, folder / "vae", torch.float32).to(device)
        self._unet = load_network(diffusers.UNet2DConditionModel, folder / "unet", torch.float32).to(device)
        self._text = _empty_text(folder).to(device)
        self._scale = float(self._vae.config.scaling_factor)
        scale = 2 ** (len(self._vae.config.block_out_channels) - 1)
        self.cells = scale * 2 ** (len(self._unet.config.block_out_channels) - 1)
        lora.add(self._unet, seed)

    def loss(
        self, asked: formulas.Velocity, start: torch.Tensor, goal: torch.Tensor, random: np.random.Generator
    ) -> torch.Tensor:
        """As published: the error of the velocities of true blends, at steps of which all are as likely."""
        steps = torch.from_numpy(random.integers(0, len(self.schedule.alphas_cumprod), len(start))).to(start.device)
        blends = formulas.blend(self.schedule, goal, start, steps)
        return (asked(blends, steps) - formulas.velocity(self.schedule, goal, start, steps)).square().mean()

    def encode(self, pictures: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            latents: torch.Tensor = self._vae.encode(pictures).latent_dist.mean * self._scale
        return latents

    def decode(self, values: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            pictures: torch.Tensor = self._vae.decode(values / self._scale, return_dict=False)[0]
        return pictures

    def velocity(self, blends: torch.Tensor, steps: torch.Tensor, shown: torch.Tensor) -> torch.Tensor:
        """From the blends alone, as published."""
        text = self._text.expand(len(blends), -1, -1)
        told: torch.Tensor = self._unet(blends, steps, text, return_dict=False)[0]
        return told

    def taught(self) -> list[torch.nn.Parameter]:
        return [value for value in self._unet.parameters() if value.requires_grad]

    def tensors(self) -> NamedTensors:
        return lora.tensors(self._unet)

    def load(self, tensors: Mapping[str, torch.Tensor], what: str) -> None:
        lora.fill(self._unet, tensors, what)


def _empty_text(folder: Path) -> torch.Tensor:
    """What the model reads from no text, (1, tokens, C)."""
    import transformers

    encoder = load_network(
        transformers.CLIPTextModel, folder / "text_encoder", torch.float32, attn_implementation="sdpa"
    )
    tokenizer = transformers.CLIPTokenizer.from_pretrained(folder / "tokenizer", local_files_only=True)
    tokens = tokenizer("", padding="max_length", max_length=CLIP_LENGTH, return_tensors="pt").input_ids
    with torch.no_grad():
        read: torch.Tensor = encoder(tokens)[0]
    return read
