"""UV maps for targets that have none."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..base.progress import Progress
from ..scene.materials import textures
from ..scene.mesh import unwrapping
from ..scene.objects import BlenderObject
from ..transfer.texture.options import TextureOptions
from ..worker import client
from ..worker.requests.arrays import load_array
from ..worker.requests.texture import UnwrapShape


def unwrap(
    target: BlenderObject, options: TextureOptions, folder: Path
) -> Generator[Progress, None, NDArray[np.float32]]:
    """UVs for an object that has none, float32 (C, 2) on its own mesh's corners."""
    yield Progress("Unwrapping the target", 0)
    if options.unwrap == "smart":
        return unwrapping.smart_project(target, 2 * options.margin / options.size)
    shape = unwrapping.local_mesh(target).save(folder / "unwrap.npz")
    request = UnwrapShape(shape, options.size, 2 * options.margin, folder / "unwrapped.npy")
    answer = yield from client.shared().run(request)
    return load_array(answer.uvs)


def new_uv_map_sentence(target: BlenderObject, options: TextureOptions) -> str:
    """Says that a UV map was made, and by what."""
    tool = "Blender's Smart UV Project" if options.unwrap == "smart" else "xatlas"
    return f"“{target.name}” had no UV map: {tool} made one, “{textures.UV_NAME}”."
