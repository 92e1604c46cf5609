"""Pictures of a data set painted over by Stable Diffusion, so that they look like photos.

Source: 3D-DST (Ma et al., ICLR 2024), ``scripts/controllable_generation.py``: a ControlNet sees the edges of the
rendered picture, and a prompt says what the photo is of; DDIM, 20 steps, guidance 9, eta 1. Here ControlNets may see
depth and normals, too, or edges of the shape alone, which textures do not leak into. They see nothing but the objects
of the set: what is around them is made up anew, and their outlines stay.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from io import BytesIO

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch.nn import functional

from ..base.json_data import to_json
from ..base.progress import ProgressCallback, silent
from ..base.storage import readable_failure
from ..features.diffusion.noise import Noise
from ..features.diffusion.stable_diffusion import StableDiffusion
from ..features.extractors.diff3f.painting import depth_picture, normal_picture
from ..features.view_data import ViewImages
from ..geometry.arrays import Flags
from ..paint.painting import RESOLUTION_STEP
from .edges import canny, edge_picture, shape_edges
from .options import LookOptions
from .prompts import Prompts
from .record import DataFolder, PaintingRecord, PicturePasses, SetRecord
from .sampling import generator

ETA = 1.0
"""Noise that is added again in each step. Source: 3D-DST's."""


@dataclass(frozen=True)
class Painter:
    """Paints pictures over.

    Attributes:
        networks: Stable Diffusion with a ControlNet for each of ``options.control``, in this order.
        options: how.
    """

    networks: StableDiffusion
    options: LookOptions

    @torch.inference_mode()
    def paint(
        self,
        picture: NDArray[np.uint8],
        passes: PicturePasses,
        prompt: str,
        seed: int,
        tick: Callable[[float], None] = lambda _: None,
    ) -> NDArray[np.uint8]:
        """A painted picture, uint8 (H, W, 3).

        Args:
            picture: the rendered one, uint8 (H, W, 3).
            passes: of it.
            prompt: what the photo is of.
            seed: of the noise.
            tick: told the share done before each step; may raise Cancelled.
        """
        networks, options = self.networks, self.options
        size = tuple(
            max(RESOLUTION_STEP, round(side / RESOLUTION_STEP) * RESOLUTION_STEP) for side in picture.shape[:2]
        )
        rendered = _fitted(picture.astype(np.float32) / np.float32(255), size)
        controls = [_fitted(control, size) for control in self.controls(picture, passes)]
        steps = networks.timesteps(options.steps, options.strength)
        cells = (size[0] // networks.scale, size[1] // networks.scale)
        noise = Noise.draw([seed], cells, len(steps))
        assert noise.steps is not None
        own = networks.encode(rendered)
        keep = self.kept(passes)
        kept_cells = _shares(keep, cells).to(own.device) if keep is not None else None
        text = self._text(prompt)
        latents = networks.add_noise(own, noise.start, steps[0])
        if options.strength == 1:
            latents = noise.start.to(own.device)  # nothing of the rendered picture is in them
        for index, step in enumerate(steps):
            tick(index / len(steps))
            if kept_cells is not None:
                latents = latents + kept_cells * (networks.add_noise(own, noise.start, step) - latents)
            rows = torch.cat([latents] * len(text))
            prediction, _ = networks.evaluate(rows, step, text, controls, [options.scale] * len(controls))
            assert prediction is not None
            latents, _ = networks.step(self._guided(prediction), step, latents, ETA, noise.steps[:, index])
        if kept_cells is not None:
            latents = latents + kept_cells * (own - latents)
        painted = functional.interpolate(
            networks.decode(latents).float().cpu(), picture.shape[:2], mode="bilinear", antialias=True
        )
        pixels = painted[0].permute(1, 2, 0).round().clamp(0, 255).to(torch.uint8).numpy()
        return pixels if keep is None else np.where(keep[..., None], picture, pixels)

    def controls(self, picture: NDArray[np.uint8], passes: PicturePasses) -> list[NDArray[np.float32]]:
        """What the ControlNets see of a picture's objects, float32 (H, W, 3) in [0, 1] each."""
        inside = passes.object > 0
        x, y, z = np.moveaxis(passes.normal, 2, 0)
        normal = np.where(inside[..., None], np.stack((x, -y, -z), axis=2), 0).astype(np.float16)
        depth = np.where(inside, passes.depth, np.inf).astype(np.float32)
        images = ViewImages(normal[None], depth[None])

        def edges() -> NDArray[np.float32]:
            if self.options.edges == "shape":
                return edge_picture(shape_edges(passes))
            alone = np.where(inside[..., None], picture, np.uint8(0))  # over black, as published
            return edge_picture(canny(alone))

        made: dict[str, Callable[[], NDArray[np.float32]]] = {
            "edges": edges,
            "depth": lambda: _rows(depth_picture(images)) if inside.any() else np.zeros((*inside.shape, 3), np.float32),
            "normal": lambda: _rows(normal_picture(images)),
        }
        return [made[role]() for role in self.options.control]

    def kept(self, passes: PicturePasses) -> Flags | None:
        """Which pixels stay as they were rendered, bool (H, W); None for none."""
        return {"all": None, "background": passes.object > 0, "objects": passes.object == 0}[self.options.repaint]

    def _text(self, prompt: str) -> torch.Tensor:
        """The encoded prompts of all branches: of two the negative one comes first."""
        rows = [self.networks.encode_text(prompt)]
        if self.options.guidance > 1:
            rows.insert(0, self.networks.encode_text(self.options.negative))
        return torch.cat(rows)

    def _guided(self, prediction: torch.Tensor) -> torch.Tensor:
        """The prediction of both branches joined by classifier-free guidance."""
        if len(prediction) == 1:
            return prediction
        without, toward = prediction.chunk(2)
        return without + self.options.guidance * (toward - without)


def repaint(
    folder: DataFolder,
    numbers: Sequence[int],
    painter: Painter,
    seed: int,
    checksums: Sequence[str],
    report: ProgressCallback = silent,
) -> tuple[int, int, tuple[str, ...]]:
    """Paint pictures of a set over, one at a time; each is whole on the disk before the next one is begun.

    Args:
        folder: of the set.
        numbers: of the pictures.
        painter: with the options.
        seed: of words and noise; each picture's depend on it and on its number alone.
        checksums: of the networks.
        report: told the progress; may raise Cancelled.

    Returns:
        How many were painted, how many had been painted so before, and the classes of the file of words that the set
        does not have.

    Raises InputError ``no-dataset`` and as :meth:`Prompts.of`, StorageError.
    """
    data = SetRecord.load(folder.path)
    prompts = Prompts.of(painter.options.prompt, painter.options.words_file)
    painted = kept = 0
    for done, number in enumerate(numbers):
        record = folder.load(number)
        own = int(generator(seed, number, "paint").integers(2**53))
        prompt = prompts.prompt(record, data, seed)
        painting = PaintingRecord(prompt, _key(painter.options, prompt, own, checksums))
        if folder.painting(number) == painting:
            kept += 1
            continue

        def tick(share: float, done: int = done) -> None:
            report("Painting pictures", (done + share) / len(numbers))

        with readable_failure(folder.rendered(number), "reading"), Image.open(folder.rendered(number)) as opened:
            picture = np.array(opened.convert("RGB"))
        content = BytesIO()
        Image.fromarray(painter.paint(picture, PicturePasses.load(folder.passes(number)), prompt, own, tick)).save(
            content, "PNG"
        )
        folder.save_painting(number, content.getvalue(), painting)
        painted += 1
    return painted, kept, tuple(sorted(prompts.classes() - set(data.categories)))


def _key(options: LookOptions, prompt: str, seed: int, checksums: Sequence[str]) -> str:
    """The name of all that a painted picture depends on, beside the rendered one."""
    chosen = to_json(replace(options, look="painted", words="", models={}, slow=False))
    return hashlib.blake2b(json.dumps([chosen, prompt, seed, *checksums]).encode(), digest_size=8).hexdigest()


def _fitted(picture: NDArray[np.float32], size: Sequence[int]) -> torch.Tensor:
    """A picture (H, W, 3) as float32 (1, 3, *size)."""
    shown = torch.from_numpy(np.ascontiguousarray(picture)).permute(2, 0, 1)[None]
    return functional.interpolate(shown, tuple(size), mode="bilinear", antialias=True)


def _shares(mask: Flags, cells: tuple[int, int]) -> torch.Tensor:
    """Which latent cells a mask (H, W) covers wholly, float32 (1, 1, h, w): others belong to both sides."""
    shown = torch.from_numpy(mask.astype(np.float32))[None, None]
    return (functional.adaptive_avg_pool2d(shown, cells) == 1).float()


def _rows(pictures: torch.Tensor) -> NDArray[np.float32]:
    """The first of some pictures (n, 3, H, W) as (H, W, 3)."""
    return np.asarray(pictures[0].permute(1, 2, 0).contiguous().numpy(), np.float32)
