"""Maps read from pictures by Marigold models, through the pipelines of ``diffusers``.

Ke et al. 2024 (https://arxiv.org/abs/2312.02145) and 2025 (https://arxiv.org/abs/2505.09358): a UNet that sees the
picture's latents beside noise turns that noise into the map's latents, in a few steps.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..base.color import linear_to_srgb
from ..base.errors import MeshKinError, ModelError, is_out_of_memory
from ..base.progress import ProgressCallback, silent
from ..geometry.arrays import Singles, unit_rows
from ..models import checking, devices, marigold
from ..models.loading import load_network, quieten
from .models import MapModel

VERSION = 1
"""Raised whenever the same model, picture and settings would give other maps."""
CUT_OUT_GRAY = 128
"""Gray behind an object that is cut out. Chosen: the middle; a white one pulls depth and albedo toward itself."""
_STAGE = "Reading maps from the photo"


class MapReader:
    """One Marigold model on one device.

    Args:
        folder: the model, as :func:`meshkin.models.checking.verify` accepts it.
        kind: one of :data:`meshkin.models.marigold.CLASSES`.
        device: as :func:`meshkin.models.devices.choose` takes it.

    Raises:
        ModelError: ``model-wrong`` when weights do not fit their architecture.
        InputError: ``device-missing``.
        MeshKinError: ``memory-low``.
    """

    def __init__(self, folder: Path, kind: str, device: str = "auto") -> None:
        import diffusers
        import transformers

        quieten()
        chosen = devices.choose(device)
        files = checking.weights_files(folder, kind)
        numbers = sum(math.prod(shape) for file in files for shape in checking.tensor_shapes(file).values())
        devices.check_room(str(chosen), numbers)
        precision = devices.precision(chosen)
        index = checking.config(folder, marigold.INDEX)
        schedule = checking.config(folder / "scheduler", checking.SCHEDULER_CONFIG)
        make = getattr(diffusers, marigold.CLASSES[kind])
        taken = inspect.signature(make).parameters
        text_encoder = load_network(
            transformers.CLIPTextModel, folder / "text_encoder", precision, attn_implementation="sdpa"
        )
        self._pipeline = make(
            unet=load_network(diffusers.UNet2DConditionModel, folder / "unet", precision),
            vae=load_network(diffusers.AutoencoderKL, folder / "vae", precision),
            scheduler=getattr(diffusers, schedule["_class_name"]).from_config(schedule),
            text_encoder=text_encoder,
            tokenizer=transformers.CLIPTokenizer.from_pretrained(folder / "tokenizer", local_files_only=True),
            **{name: value for name, value in index.items() if name in taken and not isinstance(value, list)},
        ).to(chosen)
        self._places = marigold.places(kind, index)

    def read(
        self,
        picture: NDArray[np.uint8],
        seed: int = 0,
        steps: int = 4,
        resolution: int = 768,
        report: ProgressCallback = silent,
    ) -> dict[str, Singles]:
        """The maps of a picture, by name.

        Args:
            picture: uint8 (H, W, 3), sRGB.
            seed: of the noise, which is drawn on the CPU: the same on every device.
            steps: in which it is taken away.
            resolution: longer side of the picture as the model sees it, pixels; taken down to whole latents.
            report: told each step; may raise Cancelled.

        Returns:
            float32 of the picture's size: ``albedo`` (H, W, 3), sRGB in [0, 1]; ``normal`` (H, W, 3), unit vectors in
            the camera's frame, x to the right, y up, z toward the camera, as in :class:`meshkin.data.views.Passes`;
            ``depth`` (H, W) in [0, 1], affine: 0 is near; ``roughness`` and ``metallic`` (H, W) in [0, 1].
        """

        def steps_told(iterable: Any = None, **_: Any) -> Iterator[Any]:
            # The outer bar counts pictures, of which there is one; the inner one counts steps.
            told = list(iterable)
            for number, step in enumerate(told):
                report(_STAGE, number / len(told) if len(told) > 1 else 0.0)
                yield step

        self._pipeline.progress_bar = steps_told
        scale = self._pipeline.vae_scale_factor

        def run(_: slice) -> NDArray[np.floating]:
            output = self._pipeline(
                picture,
                num_inference_steps=steps,
                processing_resolution=resolution // scale * scale,
                generator=torch.Generator().manual_seed(seed),
            )
            return np.asarray(output.prediction)

        ((_, predicted),) = devices.in_batches(1, 1, run, silent, "")
        return {name: _house_values(name, predicted, place) for name, place in self._places.items()}


def _house_values(name: str, predicted: NDArray[np.floating], place: marigold.Place) -> Singles:
    """One map out of a model's prediction (T, H, W, C), in the house's values."""
    values = np.nan_to_num(predicted[place.target].astype(np.float32))
    if name == "normal":
        values[np.linalg.norm(values, axis=-1) < 1e-6] = (0, 0, 1)  # toward the camera, where nothing is known
        return unit_rows(values)
    values = np.clip(values, 0, 1)
    if place.channel is not None:
        return np.ascontiguousarray(values[..., place.channel])
    if values.shape[-1] == 3 and name != "albedo":
        return np.asarray(values.mean(axis=-1))
    return linear_to_srgb(values) if place.space == "linear" else values


def read_maps(
    model: MapModel,
    pixels: NDArray[np.uint8],
    mask: NDArray[np.bool_] | None,
    settings: tuple[int, int, int],
    device: str = "auto",
    report: ProgressCallback = silent,
) -> dict[str, Singles]:
    """What a model reads from a photograph; see :meth:`MapReader.read`.

    Args:
        model: the model.
        pixels: uint8 (H, W, 3), sRGB.
        mask: bool (H, W), where the object is; the rest becomes gray. None for the whole photograph.
        settings: seed, steps, resolution.
        device: "auto", "cpu" or a torch device.
        report: told the progress; may raise Cancelled.

    Raises as :class:`MapReader`.
    """
    picture = pixels if mask is None else np.where(mask[..., None], pixels, np.uint8(CUT_OUT_GRAY))
    report(_STAGE, 0.0)
    return load(model, device).read(picture, *settings, report)


def load(model: MapModel, device: str) -> MapReader:
    """The reader of a model; the last one is kept while its files have the same checksum.

    Raises as :class:`MapReader`.
    """
    try:
        return _loaded(Path(model.folder), model.kind, model.checksum, device)
    except MeshKinError:
        raise
    except Exception as error:  # whatever a library raises on files that are not what they say
        if is_out_of_memory(error):
            raise
        what = (
            f"The model in {model.folder} cannot be loaded: {f'{type(error).__name__}: {error}'.splitlines()[0]:.300}."
        )
        raise ModelError("model-wrong", what, "Fetch or copy the model again, or choose another.") from error


@lru_cache(maxsize=1)
def _loaded(folder: Path, kind: str, checksum: str, device: str) -> MapReader:
    return MapReader(folder, kind, device)
