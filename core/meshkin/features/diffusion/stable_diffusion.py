"""Stable Diffusion 1.x as a reader of pictures: its parts on one device, one function for each thing they do.

Pictures become latents (:meth:`StableDiffusion.encode`), latents get noise (:meth:`add_noise`), the UNet steered by
ControlNets looks at them (:meth:`evaluate`), a step takes noise away (:meth:`step`), and latents become pictures again
(:meth:`decode`). What the UNet's decoder knows on the way is read at named taps. Everything computes in as large
batches as the memory allows; where it runs out, the batch is halved and the work goes on.

Sources: Rombach et al. 2022 (https://arxiv.org/abs/2112.10752), Zhang et al. 2023 for ControlNet
(https://arxiv.org/abs/2302.05543), Song et al. 2021 for DDIM (https://arxiv.org/abs/2010.02502).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch

from ...base.errors import MeshKinError, is_out_of_memory
from ...base.progress import Result, silent
from ...data.recipe import PartModel
from ...models import devices
from ...models.checking import config as read_config
from ...models.loading import compile_attention, load_network, quieten, weight_bytes
from .taps import TAPS

CONTROLS = ("depth", "normal")
"""Roles of the ControlNets, in the order of their pictures."""

_UNET_ROW = 80
"""Memory of one row in the UNet with its ControlNets, in maps of its first block's size. Chosen, with room to spare: a
batch that is too large all the same is halved."""
_VAE_ROW = 20
"""Memory of one picture in the VAE, in maps of the picture's size with the first block's channels. Chosen likewise."""
_CPU_ROWS = 2
"""Rows at a time on a CPU. Chosen: more are no faster, two are a view's two branches, and a job that is cancelled stops
soon."""
_ROOM = 2 << 30
"""Bytes that must be free beside all weights for them to stay on the device together. Chosen: enough for one row."""


class StableDiffusion:
    """The parts of a Stable Diffusion 1.x model, and ControlNets beside them, on one device.

    Args:
        folder: the model in the layout of ``diffusers``, as :func:`meshkin.models.verify` accepts it.
        controls: folders of ControlNets.
        unet: folder of another UNet in place of the model's own.
        device: as :func:`meshkin.models.devices.choose` takes it.
        compiled: whether the attention blocks are compiled: minutes at the start, some speed after that.
        batch: most rows to compute at a time; None for what the memory allows.

    Attributes:
        device: where it runs.
        dtype: of UNet, ControlNets and text encoder, see :func:`meshkin.models.devices.diffusion_precision`.
            Latents and taps are float32 throughout.
        batch: as above; may be set at any time.
        scale: pixels along a latent's cell.

    Raises:
        ModelError: ``model-wrong`` when weights do not fit their architecture.
        InputError: ``device-missing``.
    """

    def __init__(
        self,
        folder: Path,
        controls: Sequence[Path] = (),
        unet: Path | None = None,
        device: str = "auto",
        compiled: bool = False,
        batch: int | None = None,
    ) -> None:
        import diffusers
        import transformers

        quieten()
        self.device = devices.choose(device)
        self.dtype, self._vae_dtype = devices.diffusion_precision(devices.capability(self.device))
        self._text_encoder = load_network(
            transformers.CLIPTextModel, folder / "text_encoder", self.dtype, attn_implementation="sdpa"
        )
        self._tokenizer = transformers.CLIPTokenizer.from_pretrained(folder / "tokenizer", local_files_only=True)
        self._vae = load_network(diffusers.AutoencoderKL, folder / "vae", self._vae_dtype)
        self._unet = load_network(diffusers.UNet2DConditionModel, unet or folder / "unet", self.dtype)
        self._controls = [load_network(diffusers.ControlNetModel, control, self.dtype) for control in controls]
        self._scheduler = diffusers.DDIMScheduler.from_config(
            read_config(folder / "scheduler", "scheduler_config.json")
        )
        self.scale = 2 ** (len(self._vae.config.block_out_channels) - 1)
        self.batch = batch
        self._sizes: dict[str, int] = {}  # the largest batch that fitted, by the first network's name
        self._texts: dict[str, torch.Tensor] = {}
        self._together = self._all_fit()
        if compiled:
            for network in (self._unet, *self._controls):
                compile_attention(network)

    def channels(self, tap: str) -> int:
        """Channels of a tap's map."""
        block = int(TAPS[tap].split(".")[1])
        widths: Sequence[int] = self._unet.config.block_out_channels
        return widths[len(widths) - 1 - block]

    @torch.inference_mode()
    def encode_text(self, text: str) -> torch.Tensor:
        """A prompt for the UNet, (1, tokens, C); computed once for each text."""
        if text not in self._texts:
            self._use("_text_encoder")
            tokens = self._tokenizer(
                text,
                padding="max_length",
                max_length=self._tokenizer.model_max_length,
                truncation=True,
                return_tensors="pt",
            )
            self._texts[text] = self._text_encoder(tokens.input_ids.to(self.device)).last_hidden_state
        return self._texts[text]

    @torch.inference_mode()
    def encode(self, pictures: torch.Tensor, noise: torch.Tensor | None = None) -> torch.Tensor:
        """Latents of pictures.

        Args:
            pictures: float (n, 3, H, W), RGB in [0, 1], multiples of 64 pixels high and wide.
            noise: (n, 4, H / 8, W / 8) to sample the encoder's distribution; None for its mean.

        Returns:
            float32 (n, 4, H / 8, W / 8), scaled as the UNet wants them.
        """

        def run(rows: slice) -> torch.Tensor:
            posterior = self._vae.encode(self._images(pictures[rows], self._vae_dtype) * 2 - 1).latent_dist
            if noise is None:
                return posterior.mean.float()
            return posterior.mean.float() + posterior.std.float() * noise[rows].to(self.device)

        latents = self._in_batches(("_vae",), len(pictures), self._picture_bytes(pictures), run)
        return torch.cat(latents) * self._vae.config.scaling_factor

    @torch.inference_mode()
    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """Pictures of clean latents (n, 4, h, w): uint8 (n, 3, 8 h, 8 w), RGB."""

        def run(rows: slice) -> torch.Tensor:
            scaled = (latents[rows].to(self.device) / self._vae.config.scaling_factor).to(self._vae_dtype)
            picture = self._vae.decode(self._last(scaled)).sample.float() / 2 + 0.5
            return (picture.clamp(0, 1) * 255).round().to(torch.uint8)

        height, width = latents.shape[2] * self.scale, latents.shape[3] * self.scale
        size = self._picture_bytes(torch.empty((1, 3, height, width), device="meta"))
        return torch.cat(self._in_batches(("_vae",), len(latents), size, run))

    def timesteps(self, steps: int, strength: float = 1.0) -> list[int]:
        """The steps to run, noisiest first: the last ``strength`` of a schedule of ``steps``, as img2img takes them."""
        self._scheduler.set_timesteps(steps)
        run = min(int(steps * strength), steps)
        return [int(step) for step in self._scheduler.timesteps[steps - run :]]

    def add_noise(self, latents: torch.Tensor, noise: torch.Tensor, step: int) -> torch.Tensor:
        """Clean latents (n, 4, h, w) with the noise of a step, float32."""
        steps = torch.full((len(latents),), step, device=self.device)
        noisy: torch.Tensor = self._scheduler.add_noise(latents, noise.to(self.device), steps)
        return noisy

    @torch.inference_mode()
    def evaluate(
        self,
        latents: torch.Tensor,
        step: int,
        text: torch.Tensor,
        controls: Sequence[torch.Tensor] = (),
        scales: Sequence[float] = (),
        taps: Sequence[str] = (),
        predict: bool = True,
    ) -> tuple[torch.Tensor | None, list[torch.Tensor]]:
        """One look of the UNet at noisy latents.

        Args:
            latents: (n, 4, h, w).
            step: how noisy they are, 0 .. 999.
            text: (n, tokens, C) or (1, tokens, C), from :meth:`encode_text`.
            controls: for each ControlNet its picture, float (n, 3, H, W) in [0, 1]; fewer than n rows are repeated.
            scales: how much each ControlNet counts.
            taps: names out of :data:`meshkin.features.diffusion.taps.TAPS`.
            predict: whether the noise is wanted; without it the decoder stops after the last tap.

        Returns:
            The noise that the UNet sees, float32 (n, 4, h, w) or None, and each tap's map, float32 (n, C, h', w').
        """
        count = len(latents)
        text = text.expand(count, -1, -1)

        def run(rows: slice) -> tuple[torch.Tensor | None, list[torch.Tensor]]:
            sample = self._last(latents[rows].to(self.device, self.dtype))
            down, middle = self._controlled(sample, step, text[rows], controls, scales, rows)
            return self._look(sample, step, text[rows], down, middle, taps, predict)

        batches = self._in_batches(("_unet", "_controls"), count, self._row_bytes(latents), run)
        noise = torch.cat([part for part, _ in batches if part is not None]) if predict else None
        return noise, [torch.cat(maps) for maps in zip(*(maps for _, maps in batches), strict=True)]

    def step(
        self,
        prediction: torch.Tensor,
        step: int,
        latents: torch.Tensor,
        eta: float = 0.0,
        noise: torch.Tensor | None = None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Latents (n, 4, h, w) one DDIM step cleaner, of the schedule that :meth:`timesteps` set last; and the clean
        latents that this step foresees."""
        extra = noise.to(self.device) if noise is not None and eta > 0 else None
        cleaner, clean = self._scheduler.step(
            prediction, step, latents, eta=eta, variance_noise=extra, return_dict=False
        )
        return cleaner, clean

    def rows(self, size: tuple[int, int]) -> int:
        """How many latents of ``size`` (h, w) the memory allows :meth:`evaluate` to look at in one batch."""
        self._use("_unet", "_controls")
        fitting = self._fitting(("_unet",), self._row_bytes(torch.empty((1, 4, *size), device="meta")))
        return min(fitting, self.batch or fitting)

    # How it is done ----------------------------------------------------------------------------------------------

    def _controlled(
        self,
        sample: torch.Tensor,
        step: int,
        text: torch.Tensor,
        controls: Sequence[torch.Tensor],
        scales: Sequence[float],
        rows: slice,
    ) -> tuple[list[torch.Tensor], torch.Tensor | None]:
        """What the ControlNets add to the UNet's maps, in the encoder and in the middle, for these of all rows."""
        down: list[torch.Tensor] = []
        middle: torch.Tensor | None = None
        for network, pictures, scale in zip(self._controls if controls else (), controls, scales, strict=True):
            images = self._images(pictures[torch.arange(rows.start, rows.stop) % len(pictures)], self.dtype)
            own_down, own_middle = network(sample, step, text, images, scale, return_dict=False)
            down = [total + own for total, own in zip(down, own_down, strict=True)] if down else list(own_down)
            middle = own_middle if middle is None else middle + own_middle
        return down, middle

    def _look(
        self,
        sample: torch.Tensor,
        step: int,
        text: torch.Tensor,
        down: list[torch.Tensor],
        middle: torch.Tensor | None,
        taps: Sequence[str],
        predict: bool,
    ) -> tuple[torch.Tensor | None, list[torch.Tensor]]:
        """Run the UNet with hooks at the taps; the last one stops it where no prediction is wanted."""
        seen: dict[str, torch.Tensor] = {}
        last = max(taps, key=list(TAPS).index, default="")

        def hook(name: str) -> Callable[..., None]:
            def keep(module: Any, arguments: Any, output: Any) -> None:
                seen[name] = (output[0] if isinstance(output, tuple) else output).float()
                if name == last and not predict:
                    raise _EnoughError

            return keep

        handles = [self._unet.get_submodule(TAPS[name]).register_forward_hook(hook(name)) for name in taps]
        noise: torch.Tensor | None = None
        try:
            noise = self._unet(
                sample,
                step,
                text,
                down_block_additional_residuals=tuple(down) if down else None,
                mid_block_additional_residual=middle,
                return_dict=False,
            )[0].float()
        except _EnoughError:
            pass
        finally:
            for handle in handles:
                handle.remove()
        return noise, [seen[name] for name in taps]

    def _in_batches(
        self, networks: tuple[str, ...], count: int, row_bytes: int, run: Callable[[slice], Result]
    ) -> list[Result]:
        """The results of ``run`` for each batch with these networks; a size that was too large is not tried again."""
        try:
            self._use(*networks)
            size = min(self._sizes.get(networks[0], count), self._fitting(networks, row_bytes), self.batch or count)
            results = []
            for rows, result in devices.in_batches(count, size, run, silent, ""):
                if len(rows) < size and rows[-1] < count - 1:
                    self._sizes[networks[0]] = len(rows)
                results.append(result)
            return results
        except (MeshKinError, RuntimeError) as error:
            low = is_out_of_memory(error) or getattr(error, "code", "") == "memory-low"
            if not low or not self._together or self.device.type == "cpu":
                raise
        # Out of the handler, whose traceback would keep the failed batch's tensors alive. From here on what is idle
        # leaves the device.
        self._together = False
        self._sizes.clear()
        return self._in_batches(networks, count, row_bytes, run)

    def _fitting(self, networks: tuple[str, ...], row_bytes: int) -> int:
        if self.device.type == "cpu":
            return self.batch or _CPU_ROWS
        return self._sizes.get(networks[0]) or devices.batch_size(self.device, row_bytes)

    def _row_bytes(self, latents: torch.Tensor) -> int:
        pixels = latents.shape[2] * latents.shape[3]
        return int(pixels * self._unet.config.block_out_channels[0] * self.dtype.itemsize * _UNET_ROW)

    def _picture_bytes(self, pictures: torch.Tensor) -> int:
        pixels = pictures.shape[2] * pictures.shape[3]
        return int(pixels * self._vae.config.block_out_channels[0] * self._vae_dtype.itemsize * _VAE_ROW)

    def _images(self, pictures: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
        return self._last(pictures.to(self.device, dtype))

    @staticmethod
    def _last(images: torch.Tensor) -> torch.Tensor:
        return images.contiguous(memory_format=torch.channels_last)

    def _networks(self) -> dict[str, list[Any]]:
        """All networks by the names of the attributes that hold them."""
        held = {name: getattr(self, name) for name in ("_text_encoder", "_vae", "_unet", "_controls")}
        return {name: networks if isinstance(networks, list) else [networks] for name, networks in held.items()}

    def _all_fit(self) -> bool:
        """Whether all networks may stay on the device together."""
        if self.device.type != "cuda":
            return True
        weights = sum(weight_bytes(network) for networks in self._networks().values() for network in networks)
        return weights + _ROOM <= torch.cuda.mem_get_info(self.device)[0]

    def _use(self, *names: str) -> None:
        """Put these networks on the device; where not all fit together, the others leave it first."""
        idle = [] if self._together else [name for name in self._networks() if name not in names]
        for moved, place in ((idle, torch.device("cpu")), (names, self.device)):
            for name in moved:
                for network in self._networks()[name]:
                    if next(network.parameters()).device.type != place.type:
                        network.to(place)
            if idle and self.device.type == "cuda":
                torch.cuda.empty_cache()


def load_models(models: Mapping[str, PartModel], device: str, compiled: bool) -> StableDiffusion:
    """The :class:`StableDiffusion` of a recipe's part; the last one is kept.

    Args:
        models: of the part: the role ``base``, and where they are there ``unet`` and the ControlNets ``depth`` and
            ``normal``, in this order.
        device: as :func:`meshkin.models.devices.choose` takes it.
        compiled: whether the attention blocks are compiled.
    """
    networks = {role: models[role] for role in ("base", "unet", *CONTROLS) if role in models}
    return load(
        Path(models["base"].folder),
        tuple(Path(models[role].folder) for role in CONTROLS if role in models),
        Path(models["unet"].folder) if "unet" in models else None,
        device,
        compiled,
        tuple(model.checksum for model in networks.values()),
    )


@lru_cache(maxsize=1)
def load(
    folder: Path,
    controls: tuple[Path, ...] = (),
    unet: Path | None = None,
    device: str = "auto",
    compiled: bool = False,
    checksums: tuple[str, ...] = (),
) -> StableDiffusion:
    """A :class:`StableDiffusion`; the last one is kept while its files have the same ``checksums``.

    Loading takes long, and the memory has room for one only.
    """
    return StableDiffusion(folder, controls, unet, device, compiled)


class _EnoughError(Exception):
    """All maps that were wanted of the UNet are there: it need not go on."""
