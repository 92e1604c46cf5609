"""Small random Stable Diffusion models of the real architecture, saved as real ones are.

Four UNet blocks with cross-attention, ControlNets of the same widths, a VAE that makes latents eight times smaller,
a CLIP text encoder with a tokenizer of single characters, and a DINOv2; Marigold models of the same parts.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TypeVar

import diffusers
import torch
import transformers
from diffusers import AutoencoderKL, ControlNetModel, DDIMScheduler, PNDMScheduler, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel

from helpers import small_models

WIDTHS = (32, 64, 96, 96)
TEXT = 32

Network = TypeVar("Network", bound=torch.nn.Module)


def quiet() -> None:
    """Keep the libraries from drawing bars while they save."""
    for library in (diffusers.utils.logging, transformers.utils.logging):
        library.disable_progress_bar()


def everything(folder: Path, seed: int = 0) -> dict[str, str]:
    """Save one model of each kind that ``diff3f`` reads below ``folder``; their folders by role."""
    quiet()
    folders = {name: folder / name for name in ("base", "depth", "normal", "dinov2")}
    base(folders["base"], seed)
    control(folders["depth"], seed + 1)
    control(folders["normal"], seed + 2)
    small_models.dinov2(folders["dinov2"], seed + 3)
    return {name: str(path) for name, path in folders.items()}


def base(folder: Path, seed: int = 0) -> None:
    """Save a Stable Diffusion model in the layout of ``diffusers``."""
    unet(folder / "unet", seed)
    _beside_the_unet(folder, seed)
    PNDMScheduler(  # as Stable Diffusion 1.5 has it
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", skip_prk_steps=True, steps_offset=1
    ).save_pretrained(folder / "scheduler")


_COLORS = {"prediction_space": "srgb", "up_to_scale": False}
_NUMBERS = {"prediction_space": "linear", "up_to_scale": False}
_PROPERTIES = {
    "target_names": ["albedo", "material"],
    "albedo": _COLORS,
    "material": {"prediction_space": "stack", "sub_target_names": ["roughness", "metallicity", None]},
    "roughness": _NUMBERS,
    "metallicity": _NUMBERS,
}
_MARIGOLD: dict[str, tuple[str, int, dict[str, object]]] = {
    "marigold-depth": ("MarigoldDepthPipeline", 1, {"prediction_type": "depth", "scale_invariant": True}),
    "marigold-normals": ("MarigoldNormalsPipeline", 1, {"prediction_type": "normals", "use_full_z_range": True}),
    "marigold-intrinsics": (
        "MarigoldIntrinsicsPipeline",
        2,
        {"prediction_type": "intrinsics", "target_properties": _PROPERTIES},
    ),
}
"""Class, number of predicted pictures, and settings of each kind, as the published ones have them."""
MARIGOLD = tuple(_MARIGOLD)


def marigold(folder: Path, kind: str, seed: int = 0) -> Path:
    """Save a Marigold model of a kind in the layout of ``diffusers``; its folder comes back."""
    quiet()
    name, targets, settings = _MARIGOLD[kind]
    unet(folder / "unet", seed, in_channels=4 + 4 * targets, out_channels=4 * targets)
    _beside_the_unet(folder, seed)
    DDIMScheduler(  # as the published models of version 1.1 have it
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        prediction_type="v_prediction",
        rescale_betas_zero_snr=True,
        set_alpha_to_one=False,
        timestep_spacing="trailing",
    ).save_pretrained(folder / "scheduler")
    parts = {
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
        "scheduler": ["diffusers", "DDIMScheduler"],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
    }
    defaults = {"default_denoising_steps": 4, "default_processing_resolution": 768}
    index = {"_class_name": name, "_diffusers_version": "0.35.0", **parts, **settings, **defaults}
    (folder / "model_index.json").write_text(json.dumps(index), encoding="utf-8")
    return folder


def _beside_the_unet(folder: Path, seed: int) -> None:
    """Save a VAE, a text encoder and a tokenizer."""
    torch.manual_seed(seed)
    vae = AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(16, 16, 32, 32),
        norm_num_groups=2,  # of fewer than eight channels, a group on a plain background amplifies rounding
        latent_channels=4,
        layers_per_block=1,
    )
    _randomize(vae, seed + 10).save_pretrained(folder / "vae")
    settings = {"hidden_size": TEXT, "intermediate_size": 64, "num_attention_heads": 4, "num_hidden_layers": 2}
    ids = {"bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1}
    text = CLIPTextModel(CLIPTextConfig(**settings, **ids, vocab_size=len(_vocabulary())))
    _randomize(text, seed + 11).save_pretrained(folder / "text_encoder")
    _tokenizer(folder / "tokenizer")


def unet(folder: Path, seed: int = 0, in_channels: int = 4, out_channels: int = 4) -> None:
    """Save a UNet alone."""
    torch.manual_seed(seed)
    network = UNet2DConditionModel(
        in_channels=in_channels,
        out_channels=out_channels,
        block_out_channels=WIDTHS,
        cross_attention_dim=TEXT,
        attention_head_dim=4,
        norm_num_groups=4,
        sample_size=64,
    )
    _randomize(network, seed).save_pretrained(folder)


def control(folder: Path, seed: int = 0) -> None:
    """Save a ControlNet; unlike a new one, it has something to say."""
    torch.manual_seed(seed)
    network = ControlNetModel(
        block_out_channels=WIDTHS,
        cross_attention_dim=TEXT,
        attention_head_dim=4,
        norm_num_groups=4,
        conditioning_embedding_out_channels=(8, 16, 16, 32),
    )
    with torch.no_grad():
        network.controlnet_cond_embedding.conv_out.weight.normal_(0, 0.5)
    _randomize(network, seed).save_pretrained(folder)


def _randomize(network: Network, seed: int) -> Network:
    """Move every weight, those that start as zeros too."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for value in network.parameters():
            value.add_(0.03 * torch.randn(value.shape, generator=generator))
    network.eval()
    return network


def _vocabulary() -> list[str]:
    letters = [chr(code) for code in range(ord("!"), ord("~") + 1)]
    return ["<|startoftext|>", "<|endoftext|>", *letters, *(letter + "</w>" for letter in letters)]


def _tokenizer(folder: Path) -> None:
    folder.mkdir(parents=True)
    words = {word: index for index, word in enumerate(_vocabulary())}
    (folder / "vocab.json").write_text(json.dumps(words), encoding="utf-8")
    (folder / "merges.txt").write_text("#version: 0.2\n", encoding="utf-8")
    settings = {
        "tokenizer_class": "CLIPTokenizer",
        "model_max_length": 77,
        "bos_token": "<|startoftext|>",
        "eos_token": "<|endoftext|>",
        "unk_token": "<|endoftext|>",
        "pad_token": "<|endoftext|>",
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
