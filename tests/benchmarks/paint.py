"""How fast painting and refining run, with networks of full size and random weights: speed does not depend on them.

Ten views of 768 px in 30 steps, and steps of refining; on CUDA also the peak of the memory, and the share of the
device's own matrix rate that the loop reaches, whose operations are counted. Without CUDA, ``--small`` (narrow
networks, 64 px) tells that everything runs, and ``--resolution``, ``--views``, ``--steps`` make networks of full size
practical: what a look costs can then be compared with the processor's own matrix rate.

``--count-memory`` needs no device: it runs one step of full size on tensors without values, and counts what is alive.
What a card needs beside that (CUDA itself, convolutions' work space) is not in it.

    python tests/benchmarks/paint.py [--small] [--refine STEPS] [--resolution N] [--views N] [--steps N]
    python tests/benchmarks/paint.py --count-memory
"""
# What counts memory extends parts of PyTorch that have no types.
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import argparse
import os
import platform
import resource
import statistics
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import diffusers
import transformers

from diffusion import full_size, matrix_rate, seconds
from helpers import shapes, small_diffusion
from meshkin.features.diffusion import stable_diffusion
from meshkin.features.diffusion.joint import JointDiffusion
from meshkin.models.loading import weight_bytes
from meshkin.paint.cameras import neighbors, rig
from meshkin.paint.painting import paint
from meshkin.paint.settings import ABOVE, PaintSettings

ROLES = ("depth", "normal")
TARGETS = (10.0, 60.0)
"""Seconds on one H100: of painting, and of a thousand steps of refining."""
ROWS = (10, 4, 2, 1)
"""Rows at a time whose memory is counted."""


class LiveMemory(TorchDispatchMode):
    """Counts the bytes of tensors that are alive, without those that were there before.

    Attributes:
        peak: the most at any time.
    """

    def __init__(self, known: list[torch.Tensor]) -> None:
        super().__init__()
        self.peak = 0
        self._known = {tensor.untyped_storage()._cdata for tensor in known}
        self._alive: dict[int, tuple[StorageWeakRef, int]] = {}

    def __torch_dispatch__(self, function: Any, types: Any, arguments: Any = (), named: Any = None) -> Any:
        """Do what is asked for, and count."""
        result = function(*arguments, **(named or {}))
        for tensor in tree_leaves(result):
            if isinstance(tensor, torch.Tensor):
                storage = tensor.untyped_storage()
                if storage._cdata not in self._known:
                    self._alive[storage._cdata] = StorageWeakRef(storage), storage.nbytes()
        self._alive = {key: value for key, value in self._alive.items() if not value[0].expired()}
        self.peak = max(self.peak, sum(size for _, size in self._alive.values()))
        return result


def without_values(folders: dict[str, str]) -> JointDiffusion:
    """Networks of full size in half precision that take and give tensors without values."""
    made = {
        transformers.CLIPTextModel: lambda: transformers.CLIPTextModel(transformers.CLIPTextConfig()),
        diffusers.AutoencoderKL: lambda: diffusers.AutoencoderKL(
            down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
            block_out_channels=(128, 256, 512, 512), layers_per_block=2, sample_size=512,
        ),
        diffusers.UNet2DConditionModel: lambda: diffusers.UNet2DConditionModel(
            sample_size=64, cross_attention_dim=768, attention_head_dim=8
        ),
        diffusers.ControlNetModel: lambda: diffusers.ControlNetModel(cross_attention_dim=768, attention_head_dim=8),
    }  # fmt: skip

    def empty(kind: Any, *_: Any, **__: Any) -> Any:
        with torch.device("meta"):
            return made[kind]().half().eval().requires_grad_(False)

    with patch.object(stable_diffusion, "load_network", empty):
        networks = JointDiffusion(Path(folders["base"]), [Path(folders[role]) for role in ROLES], "cpu")
    networks.device, networks.dtype, networks._vae_dtype = torch.device("meta"), torch.float16, torch.float16
    return networks


def _attention(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, **_: Any) -> torch.Tensor:
    """Attention as kernels do it that never hold all weights."""
    return query.new_empty((*query.shape[:-1], value.shape[-1]))


def count_memory(folders: dict[str, str], settings: PaintSettings) -> None:
    """Print what one step, and decoding, hold at most."""
    networks = without_values(folders)
    held = {name: sum(weight_bytes(one) for one in own) for name, own in networks._networks().items()}
    sizes = ", ".join(f"{name.strip('_')} {size / 1e9:.2f} GB" for name, size in held.items())
    views = rig(shapes.bumpy(shapes.sphere(32, 16)), settings.views, settings.resolution)
    count, cells, pixels = len(views), settings.resolution // networks.scale, settings.resolution
    print(f"weights in half precision: {sizes}; {count} views of {pixels} px, one look of UNet and ControlNets:")
    nothing = {"device": "meta", "dtype": torch.float16}
    latents = torch.empty((count, 4, cells, cells), device="meta")
    text = torch.empty((count, 77, 768), **nothing)  # type: ignore[call-overload]
    controls = [torch.empty((count, 3, pixels, pixels), **nothing) for _ in ROLES]  # type: ignore[call-overload]
    weights = [weight for own in networks._networks().values() for one in own for weight in one.parameters()]
    with patch.object(torch.nn.functional, "scaled_dot_product_attention", _attention):
        for rows in ROWS:
            networks.rows_at_a_time = rows
            with LiveMemory(weights) as live:
                networks.evaluate_together(latents, 500, text, controls, [0.8, 0.8], neighbors(views))
            whole = live.peak + held["_unet"] + held["_controls"]
            print(f"  {rows:2} rows at a time: {live.peak / 1e9:.2f} GB, {whole / 1e9:.2f} GB with their weights")
        with torch.inference_mode(), LiveMemory(weights) as live:
            networks._vae.decode(latents[:1].half())
        print(
            f"  decoding a view: {live.peak / 1e9:.2f} GB, {(live.peak + held['_vae']) / 1e9:.2f} GB with its weights"
        )


def processor_rate() -> float:
    """Operations in a second of a processor of a large product of matrices, single precision."""
    one = torch.randn((1024, 1024))
    return 2 * 1024**3 / statistics.median(seconds(torch.device("cpu"), torch.matmul, one, one) for _ in range(5))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--small", action="store_true", help="narrow networks, 64 px")
    parser.add_argument("--refine", type=int, default=100, help="steps of refining that are timed")
    parser.add_argument("--resolution", type=int, default=768, help="of the views, pixels")
    parser.add_argument("--views", type=int, default=8, help="around the shape; two more from above")
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--count-memory", action="store_true", help="count memory alone, without a device")
    arguments = parser.parse_args()
    cuda = torch.cuda.is_available()
    device = torch.device("cuda" if cuda else "cpu")
    is_reduced = arguments.small or arguments.resolution < 768
    if not (cuda or is_reduced or arguments.count_memory):
        raise SystemExit("There is no CUDA device: run with --small, or with a --resolution of 256 or less.")
    settings = PaintSettings("a potato", views=arguments.views, resolution=arguments.resolution, steps=arguments.steps)
    if arguments.small:
        settings = replace(settings, resolution=64)
    settings = replace(settings, size=min(2048, 2 * settings.resolution))
    name = torch.cuda.get_device_name() if cuda else f"{os.cpu_count()} cores ({platform.machine()}), no GPU"
    print(f"{name}; torch {torch.__version__}; {'SMALL' if arguments.small else 'full-size'} networks")
    shape = shapes.bumpy(shapes.sphere(32, 16) if is_reduced else shapes.sphere(160, 80))
    with tempfile.TemporaryDirectory() as folder:
        small_diffusion.quiet()
        is_small = arguments.small or arguments.count_memory
        folders = (small_diffusion.everything if is_small else full_size)(Path(folder))
        if arguments.count_memory:
            count_memory(folders, settings)
            return
        networks = JointDiffusion(Path(folders["base"]), [Path(folders[role]) for role in ROLES], str(device))
        if cuda:
            paint(shape, networks, ROLES, replace(settings, steps=2))
            torch.cuda.reset_peak_memory_stats(device)
        with FlopCounterMode(display=False) as counter:
            painting = seconds(device, paint, shape, networks, ROLES, settings)
        memory = torch.cuda.max_memory_allocated(device) if cuda else 1024 * resource.getrusage(resource.RUSAGE_SELF)[2]
        what = f"paint, {settings.views + ABOVE} views of {settings.resolution} px, {settings.steps} steps"
        print(f"{what}: {painting:.1f} s, peak {memory / 1e9:.1f} GB, {counter.get_total_flops() / 1e12:.2f} TFLOP")
        share = counter.get_total_flops() / painting / (matrix_rate(device) if cuda else processor_rate())
        print(f"  {share:.0%} of the matrix rate; target {TARGETS[0]:.0f} s for 10 views of 768 px on one H100")
        refining = seconds(device, paint, shape, networks, ROLES, replace(settings, refine=arguments.refine)) - painting
        what = f"refine, {arguments.refine} steps and the clean-up after them"
        print(f"{what}: {refining:.1f} s; target {TARGETS[1]:.0f} s for 1,000 on one H100")


if __name__ == "__main__":
    main()
