"""How fast Diff3F runs, with networks of full size and random weights: speed does not depend on the weights.

Both profiles, from a shape to features of its vertices: what Blender takes to render the passes counts in (with
``--blender``, a Python that has ``bpy``; without it the table says so). In the same run the published loop: one view at
a time, two branches, full decode, all networks moved to and from the device for each view, maps as large as the
picture. On CUDA also the peak of the memory, the share of the device's own matrix rate that the denoising loop reaches;
and what compiling costs at the start. Without CUDA only ``--small`` is practical: narrow networks, 64 px, few views.
Its times tell that everything runs, and nothing of a graphics card.

    python tests/benchmarks/diffusion.py --blender BLENDER_PYTHON [--small] [--views N]
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKL, ControlNetModel, DDIMScheduler, PNDMScheduler, UNet2DConditionModel
from diffusers import StableDiffusionControlNetImg2ImgPipeline as Pipeline
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer, Dinov2Config, Dinov2Model

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from helpers import rays, recipes, shapes, small_diffusion
from meshkin.base.progress import silent
from meshkin.data.recipe import Part, Recipe
from meshkin.data.views import Views, of_recipe
from meshkin.features.building import build
from meshkin.features.compute import compute
from meshkin.features.diffusion import stable_diffusion
from meshkin.features.extractors.diff3f import published
from meshkin.features.extractors.diff3f.painting import Diff3fReader
from meshkin.features.view_data import ViewImages

TARGETS = {"reference": (12.0, 15), "fast": (2.0, 80)}
"""Seconds a shape on one H100, and times the published loop's speed."""
RATE_TARGET = 0.35
RENDER = """
import json, sys, time
from pathlib import Path
from meshkin.scene.render import passes
from meshkin.data.recipe import Recipe
from meshkin.data.snapshot import Snapshot
from meshkin.data.views import of_recipe
shape = Snapshot.load(Path(sys.argv[1]))
views = of_recipe(shape, Recipe.from_json(json.loads(sys.argv[2])))
for _ in range(2):
    started = time.perf_counter()
    list(passes.render(shape, views, "auto"))
print("seconds", time.perf_counter() - started)
"""
"""Renders a shape's passes twice in Blender and prints what the second time took."""


def full_size(folder: Path) -> dict[str, str]:
    """The architectures of Stable Diffusion 1.5, its two ControlNets and DINOv2 ViT-B/14, saved in half precision."""
    folders = {name: folder / name for name in ("base", "depth", "normal", "dinov2")}
    heads = {"cross_attention_dim": 768, "attention_head_dim": 8}
    UNet2DConditionModel(sample_size=64, **heads).half().save_pretrained(folders["base"] / "unet")
    AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(128, 256, 512, 512),
        layers_per_block=2,
        sample_size=512,
    ).half().save_pretrained(folders["base"] / "vae")
    text = {"hidden_size": 768, "intermediate_size": 3072, "num_attention_heads": 12, "num_hidden_layers": 12}
    CLIPTextModel(CLIPTextConfig(**text)).half().save_pretrained(folders["base"] / "text_encoder")
    small_diffusion._tokenizer(folders["base"] / "tokenizer")
    PNDMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", skip_prk_steps=True, steps_offset=1
    ).save_pretrained(folders["base"] / "scheduler")
    for name in ("depth", "normal"):
        ControlNetModel(**heads).half().save_pretrained(folders[name])
    Dinov2Model(Dinov2Config(hidden_size=768, num_attention_heads=12, image_size=518)).save_pretrained(
        folders["dinov2"]
    )
    return {name: str(path) for name, path in folders.items()}


class Published:
    """The published loop on one device."""

    def __init__(self, folders: dict[str, str], part: Part, device: torch.device) -> None:
        base, dtype = Path(folders["base"]), torch.float16 if device.type == "cuda" else torch.float32
        half = {"torch_dtype": dtype}
        self.pipe = Pipeline(
            vae=AutoencoderKL.from_pretrained(base / "vae", **half),
            text_encoder=CLIPTextModel.from_pretrained(base / "text_encoder", dtype=dtype),
            tokenizer=CLIPTokenizer.from_pretrained(base / "tokenizer"),
            unet=UNet2DConditionModel.from_pretrained(base / "unet", **half),
            controlnet=[ControlNetModel.from_pretrained(folders[name], **half) for name in ("depth", "normal")],
            scheduler=DDIMScheduler.from_pretrained(base / "scheduler"),
            safety_checker=None,
            feature_extractor=None,
            requires_safety_checker=False,
        )
        self.pipe.set_progress_bar_config(disable=True)
        if device.type == "cuda":
            self.pipe.enable_model_cpu_offload()
        self.dino = Dinov2Model.from_pretrained(folders["dinov2"]).to(device).eval()
        self.part, self.device = part, device
        self.seen: list[torch.Tensor] = []
        self.pipe.unet.up_blocks[1].register_forward_hook(
            lambda module, arguments, output: self.seen.append(output[:1].clone())
        )

    @torch.no_grad()
    def view(self, images: ViewImages, vertices: np.ndarray[Any, Any], total: torch.Tensor) -> None:
        """Paint one view and add its features to the vertices."""
        from PIL import Image

        assert images.views is not None
        made = [published.shaded_picture(images), published.depth_picture(images), published.normal_picture(images)]
        start, depth, normal = (
            Image.fromarray((one[0].permute(1, 2, 0) * 255).round().to(torch.uint8).numpy()) for one in made
        )
        self.seen.clear()
        torch.manual_seed(60)
        settings: Any = self.part.settings
        painted = self.pipe(
            "object", negative_prompt=settings["negative"], num_inference_steps=settings["steps"], image=start,
            control_image=[depth, normal], guidance_scale=7, eta=1,
        ).images[0]  # fmt: skip
        steps = self.seen[-len(self.seen) * 3 // 4 :]
        weights = torch.linspace(0.1, 1, len(steps))
        summed = sum(functional.normalize(one, dim=1) * weight for one, weight in zip(steps, weights, strict=True))
        size = images.depth.shape[1:]
        resized = painted.resize((settings["dino_resolution"],) * 2, Image.Resampling.BILINEAR)
        pixels = torch.from_numpy(np.array(resized)).permute(2, 0, 1)[None].float().to(self.device) / 255 - 0.45
        tokens = self.dino(pixels).last_hidden_state[:, 1:]
        side = int(tokens.shape[1] ** 0.5)
        patches = tokens.reshape(1, side, side, -1).permute(0, 3, 1, 2)
        large = [functional.interpolate(one.float(), size, mode="bilinear") for one in (summed, patches)]
        both = torch.cat([0.5 * functional.normalize(one, dim=1) for one in large], dim=1)[0].flatten(1).cpu()
        radius = 0.01 * published.diameter(vertices)
        pixel = published.pixel_of_vertex(vertices, images.views, 0, images.depth[0], radius)
        reached = torch.from_numpy(np.flatnonzero(pixel >= 0))
        total[reached, : len(both)] += both[:, torch.from_numpy(pixel)[reached]].T


def seconds(device: torch.device, run: Callable[..., object], *arguments: Any) -> float:
    """How long ``run`` takes, all that it started on the device included; without a card seconds of processors, which
    other work does not change."""
    clock = time.perf_counter if device.type == "cuda" else time.process_time
    _synchronize(device)
    started = clock()
    run(*arguments)
    _synchronize(device)
    return clock() - started


def _synchronize(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def matrix_rate(device: torch.device) -> float:
    """Operations a second of a large bf16 matrix product on the device itself."""
    size = 8192
    one = torch.randn((size, size), device=device, dtype=torch.bfloat16)

    def products() -> None:
        for _ in range(10):
            torch.matmul(one, one)

    products()
    return 10 * 2 * size**3 / statistics.median(seconds(device, products) for _ in range(5))


def describe(extractor: Diff3fReader, images: ViewImages) -> None:
    """Every view's maps, none of them kept."""
    for _ in extractor.extract(images, silent):
        pass


def loop_rate(extractor: Diff3fReader, images: ViewImages, device: torch.device) -> float:
    """Operations a second of the denoising loop, all views: what comes after it is left out."""
    dinov2, extractor._dinov2 = extractor._dinov2, None
    try:
        one = images.take([0])
        start, controls = extractor.conditioning(one)
        with FlopCounterMode(display=False) as counter:
            extractor.paint(start, controls, extractor.noise(one))
        describe(extractor, images)
        return float(counter.get_total_flops() * len(images.normal) / seconds(device, describe, extractor, images))
    finally:
        extractor._dinov2 = dinov2


def render_seconds(blender: str | None, shape: Any, chosen: Recipe) -> float:
    """How long Blender takes to render the passes of a shape; 0 without a Blender."""
    if not blender:
        return 0.0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "shape.npz"
        shape.save(path)
        command = [blender, "-c", RENDER, str(path), json.dumps(chosen.to_json())]
        told = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(next(line for line in told.stdout.splitlines() if line.startswith("seconds")).split()[1])


def images_of(shape: Any, views: Views) -> tuple[ViewImages, Any]:
    seen = rays.passes(shape, views)
    return ViewImages(seen.normal, seen.depth, views=views), seen


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--small", action="store_true", help="narrow networks, 64 px, few views")
    parser.add_argument("--views", type=int, default=0, help="views of the profiles; default theirs, or 8 when small")
    parser.add_argument("--blender", help="a Python with bpy, which renders the passes")
    parser.add_argument("--published-views", type=int, default=3, help="how many views the published loop is timed on")
    arguments = parser.parse_args()
    cuda = torch.cuda.is_available()
    device = torch.device("cuda" if cuda else "cpu")
    if not cuda and not arguments.small:
        raise SystemExit("There is no CUDA device: run with --small.")
    if not cuda:
        torch.set_num_threads(1)
    name = torch.cuda.get_device_name() if cuda else f"{os.cpu_count()} cores ({platform.machine()}), no GPU"
    size = {"resolution": 64, "dino_resolution": 70} if arguments.small else {}
    shape = shapes.bumpy(shapes.sphere(32, 16) if arguments.small else shapes.sphere(160, 80))
    print(f"{name}; torch {torch.__version__}; {'SMALL networks, 64 px' if arguments.small else 'full size, 512 px'}")
    runs = "one run each" if arguments.small else "medians of 3 runs, after one to warm up"
    print(f"{len(shape.vertices)} vertices; {runs}\n")
    rate = matrix_rate(device) if cuda else 0.0
    if rate:
        print(f"bf16 matrix rate of the device: {rate / 1e12:.0f} TFLOP/s\n")
    with tempfile.TemporaryDirectory() as folder:
        small_diffusion.quiet()
        make = small_diffusion.everything if arguments.small else full_size
        folders = make(Path(folder))
        loop_second = measure_published(folders, size, shape, device, arguments.published_views)
        print(f"{'':28}{'views':>6}{'s a view':>10}{'s a shape':>11}{'beside published':>18}{'peak GB':>9}{'rate':>7}")
        whole = loop_second * 100
        timed = f"(timed on {arguments.published_views} views)"
        print(f"{'published loop':28}{100:6}{loop_second:10.3f}{whole:11.2f}{1.0:18.1f}  {timed}")
        for profile in ("reference", "fast"):
            measure(profile, folders, size, shape, device, arguments, whole, rate)
        measure_compiling(folders, size, shape, device, arguments.views or (9 if arguments.small else 24))


def measure_published(
    folders: dict[str, str], size: dict[str, int], shape: Any, device: torch.device, count: int
) -> float:
    """Seconds that the published loop takes for a view."""
    chosen = recipes.resolve("diff3f", profile="reference", views=9, settings={**folders, **size})
    images, _ = images_of(shape, of_recipe(shape, chosen))
    loop = Published(folders, chosen.parts[0], device)
    vertices = shape.vertices.astype(np.float64)
    total = torch.zeros((len(vertices), 2048))
    loop.view(images.take([0]), vertices, total)
    return statistics.median(seconds(device, loop.view, images.take([view]), vertices, total) for view in range(count))


def measure(
    profile: str, folders: dict[str, str], size: dict[str, int], shape: Any, device: torch.device,
    arguments: argparse.Namespace, published_shape: float, rate: float,
) -> None:  # fmt: skip
    """Print a profile's line."""
    views = arguments.views or ((100 if profile == "reference" else 24) if not arguments.small else 9)
    chosen = recipes.resolve("diff3f", profile=profile, views=views, settings={**folders, **size})
    images, seen = images_of(shape, of_recipe(shape, chosen))
    count = len(images.normal)
    job = shape, chosen, seen, str(device)
    if not arguments.small:
        compute(*job)
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    taken = statistics.median(seconds(device, compute, *job) for _ in range(1 if arguments.small else 3))
    peak = torch.cuda.max_memory_allocated(device) / 1e9 if device.type == "cuda" else 0.0
    rendering = render_seconds(arguments.blender, shape, chosen)
    taken += rendering
    extractor = build(chosen.parts[0], str(device))
    assert isinstance(extractor, Diff3fReader)
    share = ""
    if rate:
        share = f"{loop_rate(extractor, images, device) / rate:7.0%}"
    # The published loop computes its repeated views again: beside it counts a whole shape.
    faster = published_shape / taken if not arguments.small else published_shape / 100 / (taken / count)
    print(f"{profile:28}{count:6}{taken / count:10.3f}{taken:11.2f}{faster:18.1f}{peak:9.1f}{share}")
    print(f"{'':28}{f'{rendering:.2f} s of these for the passes' if rendering else 'passes not counted'}")
    if rate:
        limit, times = TARGETS[profile]
        verdicts = [
            f"{what} {'met' if good else 'MISSED'}"
            for what, good in ((f"{limit:.0f} s", taken <= limit), (f"{times} times", faster >= times))
        ]
        print(f"{'':28}targets: {', '.join(verdicts)}, {RATE_TARGET:.0%} of the rate: see the last column")


def measure_compiling(
    folders: dict[str, str], size: dict[str, int], shape: Any, device: torch.device, views: int
) -> None:
    """Print what compiling the attention blocks costs at the start, and what it gives."""
    print()
    for compiled in (False, True):
        stable_diffusion.load.cache_clear()
        gc.collect()
        chosen = recipes.resolve("diff3f", views=views, settings={**folders, **size, "compiled": compiled})
        images, _ = images_of(shape, of_recipe(shape, chosen))
        extractor = Diff3fReader(recipes.settings_of(chosen.parts[0]), chosen.parts[0].models, str(device))
        first, second = (seconds(device, describe, extractor, images) for _ in range(2))
        name = "fast, compiled" if compiled else "fast, as it is"
        print(f"{name:28}first shape {first:.1f} s, second {second:.2f} s: {first - second:.1f} s to start")


if __name__ == "__main__":
    main()
