"""The noise in views as Stable Diffusion and its ControlNets see it, and colors as its latents."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ..data.views import Passes, Views
from ..features.diffusion.joint import JointDiffusion
from ..features.extractors.diff3f.painting import depth_picture, normal_picture
from ..features.view_data import ViewImages
from .cameras import front, neighbors, side_in_words
from .settings import PaintSettings

PLAIN_COLORS = (*itertools.product((0.0, 1.0), repeat=3), (0.5, 0.5, 0.5))
"""Colors of the backgrounds, RGB: the corners of the cube, and gray. Chosen."""
PLAIN_SIZE = 64
"""Pixels of the pictures of one color that latents are learned from. Chosen: the least that the encoder takes."""


@dataclass(frozen=True)
class Palette:
    """Plain colors as latents.

    Attributes:
        latents: float32 (B, 4), of :data:`PLAIN_COLORS`.
        to_colors: float32 (5, 3), the affine map of latents to RGB that fits them best: a rough picture of any latents.
    """

    latents: torch.Tensor
    to_colors: torch.Tensor

    @staticmethod
    def of(networks: JointDiffusion) -> Palette:
        """Learned from pictures of one color."""
        colors = torch.tensor(PLAIN_COLORS)
        pictures = colors[:, :, None, None].expand(-1, -1, PLAIN_SIZE, PLAIN_SIZE)
        latents = networks.encode(pictures)
        middle = latents[:, :, latents.shape[2] // 2, latents.shape[3] // 2].float().cpu()
        known = torch.cat([middle, torch.ones(len(middle), 1)], dim=1)
        return Palette(middle.to(networks.device), torch.linalg.pinv(known) @ colors)

    def backgrounds(self, cells: int) -> torch.Tensor:
        """Clean latents of plain pictures, float32 (B, 4, cells, cells)."""
        return self.latents[:, :, None, None].expand(-1, -1, cells, cells)

    def colors(self, latents: torch.Tensor) -> NDArray[np.float32]:
        """Rough colors float32 (K, 3) in [0, 1] of latents (K, 4)."""
        values = torch.cat([latents.float().cpu(), torch.ones(len(latents), 1)], dim=1) @ self.to_colors
        return np.asarray(values.clamp(0, 1).numpy(), np.float32)


class Predictor:
    """Predicts the noise in the views of one shape.

    Args:
        networks: with the ControlNets for depth and normals, or less.
        views: the N cameras.
        passes: what they see.
        roles: of the ControlNets that are loaded, "depth" and "normal".
        steps: the numbers of the schedule's steps.
        settings: the prompt, and how much it counts.
        shown_to_all: numbers of the views that all others attend to.
    """

    def __init__(
        self,
        networks: JointDiffusion,
        views: Views,
        passes: Passes,
        roles: Sequence[str],
        steps: Sequence[int],
        settings: PaintSettings,
        shown_to_all: Sequence[int] = (),
    ) -> None:
        self._networks, self._settings, self._steps = networks, settings, steps
        images = ViewImages(passes.normal, passes.depth, views=views)
        made = {"depth": depth_picture, "normal": normal_picture}
        self._controls = [made[role](images, networks.device) for role in roles]
        words = [f"{settings.prompt}, {side_in_words(direction)}" for direction in views.rotation[:, 2]]
        self._text = torch.cat([networks.encode_text(text) for text in words])
        self._negative = networks.encode_text(settings.negative).expand_as(self._text)
        self._near = [tuple(dict.fromkeys((*near, *shown_to_all))) for near in neighbors(views)]
        self._early = [tuple(dict.fromkeys((*near, front(views)))) for near in self._near]

    def __call__(self, views: torch.Tensor, index: int) -> torch.Tensor:
        """The noise in noisy views (N, 4, h, w) at a step's place in the schedule: from what the bare model sees
        without the prompt toward, and beyond, what it sees with it and with what was learned of a subject."""
        settings = self._settings
        attended = self._early if index < settings.front * len(self._steps) else self._near
        scales = [settings.control] * len(self._controls)

        def look(text: torch.Tensor, bare: bool) -> torch.Tensor:
            step = self._steps[index]
            return self._networks.evaluate_together(views, step, text, self._controls, scales, attended, bare)

        toward = look(self._text, bare=False)
        if settings.guidance <= 1:
            return toward
        without = look(self._negative, bare=True)
        return without + settings.guidance * (toward - without)

    def conditioned(self, view: torch.Tensor, number: int, step: int) -> torch.Tensor:
        """The noise in one noisy view (1, 4, h, w) alone, with the prompt and the shape, at a step 0 .. 999."""
        text = self._text[number][None]
        controls = [pictures[number : number + 1] for pictures in self._controls]
        scales = [self._settings.control] * len(controls)
        return self._networks.evaluate_together(view, step, text, controls, scales)

    def base(self, view: torch.Tensor, number: int, step: int) -> torch.Tensor:
        """The same of the model itself, without what was learned of a subject, of nothing in particular."""
        return self._networks.evaluate_together(view, step, self._networks.encode_text(""), bare=True)


def decoded(networks: JointDiffusion, latents: torch.Tensor) -> torch.Tensor:
    """Pictures float32 (N, 3, H, W) in [0, 1] of clean latents."""
    return networks.decode(latents).float().cpu() / 255
