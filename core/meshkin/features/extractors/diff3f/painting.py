"""Diff3F: features of Stable Diffusion while it paints an untextured shape (https://arxiv.org/abs/2311.17024).

Each view is painted: its gray picture gets noise, and Stable Diffusion takes the noise away again, steered by
ControlNets that see the depth and the normals, and by a prompt. Meanwhile features of its decoder are read and averaged
over the last steps. DINOv2 then looks at the painted picture. Both together describe each point.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from ....base.progress import ProgressCallback, silent
from ....models import devices
from ... import pictures, view_check, vision_transformer
from ...diffusion import stable_diffusion
from ...diffusion.noise import Noise, view_seed
from ...extractor import Models, PictureLook, PictureReader
from ...view_data import Grids, ViewImages
from ...vision_transformer import VisionTransformer
from . import published
from .settings import Diff3fSettings

_FARTHEST = 0.2
"""Gray level of an object's farthest point in a calibrated depth picture. Chosen: clearly apart from the background."""
_PAINTING_STAGE = "Painting views"


class Diff3fReader(PictureReader):
    """Stable Diffusion's and DINOv2's features of painted views.

    Args:
        settings: of the part.
        models: of the part.
        device: as :func:`meshkin.models.devices.choose` takes it.
        batch: most views times branches to compute at a time; None for what the memory allows.

    Attributes:
        channels: of each tap in the settings' order, then of each layer of DINOv2.

    Raises:
        ModelError: ``model-wrong``.
        InputError: ``device-missing``, ``features-option``.
    """

    def __init__(
        self, settings: Diff3fSettings, models: Models, device: str = "auto", batch: int | None = None
    ) -> None:
        self._settings = settings
        self._controlled = [place for place, role in enumerate(stable_diffusion.CONTROLS) if role in models]
        self._sd = stable_diffusion.load_models(models, device, settings.compiled)
        self._batch = batch
        self._reader = models["reader"] if settings.check > 0 else None
        self.device = self._sd.device
        self.channels = tuple(self._sd.channels(tap) for tap in settings.taps)
        weights = np.array(list(settings.taps.values())) * (1 - settings.fusion)
        self._dinov2: VisionTransformer | None = None
        if settings.fusion > 0:
            dinov2 = models["dinov2"]
            self._dinov2 = vision_transformer.load(
                Path(dinov2.folder), dinov2.checksum, settings.layers, settings.dino_resolution, device
            )
            self.channels += self._dinov2.channels
            weights = np.append(weights, np.full(len(settings.layers), settings.fusion))
        self._weights = tuple(map(float, weights / np.linalg.norm(weights)))

    @property
    def map_weights(self) -> tuple[float, ...]:
        """How much each map counts beside the others, as a unit vector."""
        return self._weights

    def extract(self, images: ViewImages, report: ProgressCallback) -> Iterator[Grids]:
        """See :class:`meshkin.features.extractor.PictureReader`; ``images.views`` must be there.

        Raises MeshKinError ``memory-low``.
        """
        count = len(images.normal)
        self._sd.batch = self._batch
        together = max(1, self._sd.rows(self._latent_size()) // self._branches())

        def run(rows: slice) -> tuple[list[torch.Tensor], torch.Tensor | None, list[float] | None]:
            def tell(stage: str, fraction: float) -> None:
                report(stage, (rows.start + fraction * (rows.stop - rows.start)) / count)

            batch = images.take(list(range(rows.start, rows.stop)))
            start, controls = self.conditioning(batch)
            maps, painted = self.paint(start, controls, self.noise(batch), tell)
            return maps, painted, self._misfits(batch, painted)

        for numbers, (maps, painted, misfits) in devices.in_batches(count, together, run, silent, ""):
            yield Grids(numbers, maps, painted, misfits)

    def _misfits(self, images: ViewImages, painted: torch.Tensor | None) -> list[float] | None:
        """How badly painted views fit the shape; None where that is not looked at."""
        if self._reader is None or painted is None or images.views is None:
            return None
        seeds = [view_seed(self._settings.seed, direction) for direction in images.views.rotation[:, 2]]
        return view_check.misfits(images, painted, seeds, self._reader, str(self.device))

    def conditioning(self, images: ViewImages) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """The picture to paint over and the ControlNets' pictures of depth and normals, float32 (n, 3, H, W) each."""
        size = self._settings.resolution
        if self._settings.conditioning == "published":
            start = published.shaded_picture(images)
            controls = [published.depth_picture(images), published.normal_picture(images)]
        else:
            start = pictures.make(images, slice(None), PictureLook("shading", 1.0, size), self.device)
            controls = [depth_picture(images, self.device), normal_picture(images, self.device)]
        return pictures.resize(start, size), [pictures.resize(control, size) for control in controls]

    def noise(self, images: ViewImages) -> Noise:
        """The noise of these views.

        Quirk of the published method: it sets the same seed before each view, so that all views get the same noise.
        """
        assert images.views is not None
        seed = self._settings.seed
        directions = images.views.rotation[:, 2]
        shared = self._settings.noise == "shared"
        seeds = [seed if shared else view_seed(seed, direction) for direction in directions]
        steps = len(self._timesteps()) if self._settings.eta > 0 else 0
        return Noise.draw(seeds, self._latent_size(), steps, self._settings.encoder == "sampled")

    @torch.inference_mode()
    def paint(
        self, start: torch.Tensor, controls: Sequence[torch.Tensor], noise: Noise, report: ProgressCallback = silent
    ) -> tuple[list[torch.Tensor], torch.Tensor | None]:
        """Paint views and read their features: the method itself, for pictures and noise from anywhere.

        Args:
            start: the pictures to paint over, float (n, 3, H, W), RGB in [0, 1]; H and W multiples of 64.
            controls: for the depth and the normal ControlNet, float (n, 3, H, W) in [0, 1] each.
            noise: of the n views.
            report: told each step; may raise Cancelled.

        Returns:
            The maps, float32 (n, C, h, w): for each tap the sum, over the steps that are read, of the step's weight
            times the unit feature; then those of DINOv2's layers. And the painted pictures, uint8 (n, 3, H, W), or
            None where nothing looks at them.
        """
        settings, sd = self._settings, self._sd
        text = self._text(len(start))
        steps = self._timesteps()
        weights = self._step_weights(len(steps))
        scales = [settings.controls[place] for place in self._controlled]
        shown = [controls[place] for place in self._controlled]
        report(_PAINTING_STAGE, 0.0)
        latents = sd.add_noise(sd.encode(start, noise.posterior), noise.start, steps[0])
        clean: torch.Tensor | None = None
        sums: list[torch.Tensor | float] = [0.0] * len(settings.taps)
        for index, step in enumerate(steps):
            report(_PAINTING_STAGE, index / len(steps))
            reading = index - (len(steps) - len(weights))
            wanted = list(settings.taps) if reading >= 0 else []
            last = index == len(steps) - 1
            predict = not last or (self._shows() and (settings.finish or clean is None))
            rows = torch.cat([latents] * self._branches())
            prediction, maps = sd.evaluate(rows, step, text, shown, scales, wanted, predict)
            for tap, branches in enumerate(maps):
                read = branches[: len(latents)] if settings.read == "negative" else branches[-len(latents) :]
                sums[tap] = sums[tap] + functional.normalize(read, dim=1) * weights[reading]
            if prediction is not None:
                extra = None if noise.steps is None else noise.steps[:, index]
                latents, clean = sd.step(self._guided(prediction), step, latents, settings.eta, extra)
        tap_maps = [total for total in sums if isinstance(total, torch.Tensor)]
        if not self._shows() or clean is None:
            return tap_maps, None
        report(_PAINTING_STAGE, 1.0)
        painted = sd.decode(latents if settings.finish else clean)
        return [*tap_maps, *self._seen(painted)], painted

    def _shows(self) -> bool:
        """Whether something looks at the painted pictures."""
        return self._dinov2 is not None or self._reader is not None

    def _seen(self, painted: torch.Tensor) -> list[torch.Tensor]:
        """DINOv2's maps of painted pictures, float32; none where it does not look at them."""
        dinov2, size = self._dinov2, self._settings.dino_resolution
        if dinov2 is None:
            return []

        def run(rows: slice) -> list[torch.Tensor]:
            return dinov2.maps(pictures.resize(painted[rows].float() / 255, size))

        batches = [maps for _, maps in devices.in_batches(len(painted), len(painted), run, silent, "")]
        return [torch.cat(layer).float() for layer in zip(*batches, strict=True)]

    def _branches(self) -> int:
        """Branches of classifier-free guidance that are run."""
        return 2 if self._settings.guidance > 1 else 1

    def _text(self, views: int) -> torch.Tensor:
        """The encoded prompts of all branches' rows: of two branches the negative one comes first."""
        settings, encode = self._settings, self._sd.encode_text
        rows = [encode(settings.template.replace("{}", settings.prompt))]
        if self._branches() == 2:
            rows.insert(0, encode(settings.negative))
        return torch.cat([prompt.expand(views, -1, -1) for prompt in rows])

    def _guided(self, prediction: torch.Tensor) -> torch.Tensor:
        """The prediction of both branches joined by classifier-free guidance."""
        if self._branches() == 1:
            return prediction
        without, toward = prediction.chunk(2)
        return without + self._settings.guidance * (toward - without)

    def _timesteps(self) -> list[int]:
        return self._sd.timesteps(self._settings.steps, self._settings.strength)

    def _step_weights(self, steps: int) -> list[float]:
        """The weights of the steps that are read, which are the last of so many."""
        read = max(1, int(steps * self._settings.share))
        low, high = self._settings.step_weights
        return torch.linspace(low, high, read).tolist() if read > 1 else [float(high)]

    def _latent_size(self) -> tuple[int, int]:
        return (self._settings.resolution // self._sd.scale,) * 2


def depth_picture(images: ViewImages, device: torch.device | str = "cpu") -> torch.Tensor:
    """The depth pass as the depth ControlNet was trained to see it, float32 (n, 3, H, W) on ``device``.

    Near is white, the background is black, and the object's farthest point is gray.
    """
    depth = torch.from_numpy(np.array(images.depth)).to(device)
    seen = torch.isfinite(depth)
    near = depth.amin(dim=(1, 2), keepdim=True)
    far = depth.masked_fill(~seen, -torch.inf).amax(dim=(1, 2), keepdim=True)
    gray = 1 - (1 - _FARTHEST) * (depth - near) / (far - near).clamp(min=1e-6)
    return gray.masked_fill(~seen, 0)[:, None].expand(-1, 3, -1, -1)


def normal_picture(images: ViewImages, device: torch.device | str = "cpu") -> torch.Tensor:
    """The normal pass as the normal ControlNet was trained to see it, float32 (n, 3, H, W) on ``device``.

    Blue is front, red is left, green is top; the background faces the camera. Source: the notes published with
    ControlNet 1.1.
    """
    seen = torch.from_numpy(np.isfinite(images.depth)).to(device)
    x, y, z = torch.from_numpy(np.array(images.normal)).to(device).float().unbind(dim=-1)
    color = (torch.stack((-x, y, z), dim=1) + 1) / 2
    return torch.where(seen[:, None], color, color.new_tensor((0.5, 0.5, 1.0)).view(1, 3, 1, 1))
