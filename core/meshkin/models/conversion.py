"""Conversion of the weights in packages to safetensors, once, when a model is fetched."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Tensors = dict[str, NDArray[Any]]

_VIT_S14 = {
    "architectures": ["Dinov2Model"],
    "model_type": "dinov2",
    "hidden_size": 384,
    "num_hidden_layers": 12,
    "num_attention_heads": 6,
    "mlp_ratio": 4,
    "image_size": 518,
    "patch_size": 14,
    "num_channels": 3,
    "layerscale_value": 1.0,
    "qkv_bias": True,
    "hidden_act": "gelu",
    "layer_norm_eps": 1e-6,
    "use_swiglu_ffn": False,
}

_FIRST = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}
_EXPANDING = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}


def convert(path: Path, folder: Path) -> None:
    """Write ``model.safetensors`` and ``config.json`` into ``folder``.

    Args:
        path: an .onnx file with a DINOv2 ViT-S/14, or a .pth file with an EfficientNet-Lite; checked by the caller to
            be the file expected.
        folder: an existing folder.

    Raises OSError when the folder cannot be written.
    """
    from safetensors.numpy import save

    if path.suffix == ".onnx":
        tensors, config = vit_of_onnx(path), _VIT_S14
    else:
        tensors, config = efficientnet_of_checkpoint(path), {"model_type": "efficientnet-lite"}
    # safetensors writes the memory of a transposed array in its old order: arrays must be contiguous.
    tensors = {name: np.ascontiguousarray(value) for name, value in tensors.items()}
    (folder / "model.safetensors").write_bytes(save(tensors, metadata={"format": "pt"}))
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def vit_of_onnx(path: Path) -> Tensors:
    """The backbone of an exported DINOv2 model, float16, by the names of ``transformers``.

    The exporter kept the names of biases, norms and convolutions. It transposed the weights of linear layers and lost
    their names: each is the factor of a product to which a named bias is added. It split the position embeddings into
    that of the class token, which the graph concatenates, and those of the patches, which it reshapes to interpolate.
    """
    import onnx
    from onnx import numpy_helper

    graph = onnx.load(path).graph
    values = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    factors = {node.output[0]: node.input[1] for node in graph.node if node.op_type == "MatMul"}
    backbone = "backbone."
    tensors = {name.removeprefix(backbone): value for name, value in values.items() if name.startswith(backbone)}
    positions = {}
    for node in graph.node:
        if node.op_type == "Add" and node.input[0].startswith(backbone) and node.input[1] in factors:
            name = node.input[0].removeprefix(backbone).removesuffix(".bias") + ".weight"
            tensors[name] = values[factors[node.input[1]]].T
        elif node.op_type in ("Concat", "Reshape") and node.input[0].startswith("onnx::") and node.input[0] in values:
            positions[node.op_type] = values[node.input[0]]
    tensors["embeddings.position_embeddings"] = np.concatenate((positions["Concat"], positions["Reshape"]), axis=1)
    tensors["embeddings.mask_token"] = np.zeros(tensors["embeddings.cls_token"].shape[1:])
    return {name: value.astype(np.float16) for name, value in tensors.items()}


def efficientnet_of_checkpoint(path: Path) -> Tensors:
    """An EfficientNet-Lite, float32, by the names of timm; the file has the names of lukemelas' implementation.

    timm counts blocks by stage: a stage begins where the width changes. The blocks of the first stage do not expand, so
    that the same layers have other names there.
    """
    import torch

    state = torch.load(path, map_location="cpu", weights_only=True)
    names: dict[str, str] = {}
    stage, index, width = -1, 0, 0
    for block in range(1 + max(int(name.split(".")[1]) for name in state if name.startswith("_blocks."))):
        old = f"_blocks.{block}."
        channels = len(state[f"{old}_project_conv.weight"])
        stage, index = (stage, index + 1) if channels == width else (stage + 1, 0)
        width = channels
        layers = _EXPANDING if f"{old}_expand_conv.weight" in state else _FIRST
        names |= {old + one: f"blocks.{stage}.{index}.{new}" for one, new in layers.items()}
    names |= {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2", "_fc": "classifier"}
    tensors = {}
    for name, value in state.items():
        layer, _, kind = name.rpartition(".")
        if kind != "num_batches_tracked":
            tensors[f"{names[layer]}.{kind}"] = value.numpy()
    return tensors
