"""Heads on feature maps: their sizes and tensors by the configuration, without loading them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..base.errors import InputError, ModelError
from ..base.json_data import Json, from_json
from . import known

HEAD_TYPE = "aggregation-head"
"""What the configuration of a head calls its type."""
HEAD_GROUPS = 32
"""Groups of each group norm, as published: bottleneck and output are multiples of it."""


@dataclass(frozen=True)
class HeadSizes:
    """Channels of a head's layers: its inputs, inside of its bottlenecks, and its output."""

    inputs: tuple[int, ...]
    bottleneck: int
    output: int

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Name and shape of each of its tensors."""
        shapes: dict[str, tuple[int, ...]] = {"mixing_weights": (len(self.inputs),)}
        for number, count in enumerate(self.inputs):
            layers = {
                "conv1": (self.bottleneck, count, 1, 1),
                "conv2": (self.bottleneck, self.bottleneck, 3, 3),
                "conv3": (self.output, self.bottleneck, 1, 1),
            }
            if count != self.output:
                layers["shortcut"] = (self.output, count, 1, 1)
            for layer, shape in layers.items():
                name = f"bottleneck_layers.{number}.0.{layer}"
                shapes |= {f"{name}.weight": shape, f"{name}.norm.weight": shape[:1], f"{name}.norm.bias": shape[:1]}
        return shapes


def difference(sizes: HeadSizes, shapes: Mapping[str, tuple[int, ...]]) -> str:
    """How tensors of these shapes differ from a head's, to end a sentence; "" where they do not."""
    wanted = sizes.shapes()
    for name, shape in wanted.items():
        if name not in shapes:
            return f"lacks the tensor {name}"
        if tuple(shapes[name]) != shape:
            return f"has {name} of the shape {tuple(shapes[name])} in place of {shape}"
    if more := sorted(shapes.keys() - wanted.keys()):
        return f"has a tensor that does not belong there: {more[0]}"
    return ""


PUBLISHED = HeadSizes((640, 1280, 1280, 768), 192, 768)
"""The published head: decoder blocks s3, s4 and s5 of Stable Diffusion 1.5, then DINOv2 ViT-B/14."""


def kind_of(config: Mapping[str, Any], folder: Path) -> str:
    """The kind of a head by its configuration; raises ModelError ``model-wrong``."""
    sizes_of(config, folder)
    return known.LEARNT_HEAD if "lesson" in config else known.GEOAWARE_HEAD


def sizes_of(config: Mapping[str, Any], folder: Path) -> HeadSizes:
    """The sizes that a head's configuration tells; raises ModelError ``model-wrong``."""
    try:
        sizes = from_json(HeadSizes, config.get("sizes", {}), "sizes")
    except InputError as error:
        raise ModelError("model-wrong", f"The head in {folder} cannot be read: {error.message}", error.fix) from error
    counts = (*sizes.inputs, sizes.bottleneck, sizes.output)
    norms = (sizes.bottleneck, sizes.output)
    if not sizes.inputs or min(counts) < 1 or any(count % HEAD_GROUPS for count in norms):
        what = f"The head in {folder} has sizes that cannot be: {counts}."
        raise ModelError("model-wrong", what, "Import or learn it again.")
    return sizes


@dataclass(frozen=True)
class HeadLesson:
    """What a head was learnt on.

    Attributes:
        model: name of the model whose maps it reads.
        checksum: of that model.
        layers: of that model.
        meshes: names of the meshes that it was learnt from.
        steps: of the learning.
    """

    model: str
    checksum: str
    layers: tuple[int, ...]
    meshes: tuple[str, ...]
    steps: int


def configuration(sizes: HeadSizes, **more: Json) -> dict[str, Json]:
    """The configuration of a head of these sizes, and what else is to be noted of it."""
    return {"model_type": HEAD_TYPE, "sizes": {**asdict(sizes), "inputs": list(sizes.inputs)}, **more}
