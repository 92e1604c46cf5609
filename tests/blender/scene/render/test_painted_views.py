"""Views of a texture as painting renders them, beside Cycles' emission of the same texture."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import bpy
import numpy as np

import meshkin
from helpers.skins import add_image_node, blob, new_image
from meshkin.paint.cameras import rig
from meshkin.scene import compat
from meshkin.scene.mesh import snapshot as snapshots
from meshkin.scene.render import cycles

VIEW, SIZE, SHOWN = 96, 128, (0, 3, 9)
RENDER = """
import sys
from pathlib import Path
import numpy as np, torch
from meshkin.data.snapshot import Snapshot
from meshkin.paint.cameras import rig
from meshkin.paint.layout import texture_layout
from meshkin.paint.view_maps import view_maps
folder = Path(sys.argv[1])
shape, picture = Snapshot.load(folder / "shape.npz"), np.load(folder / "picture.npy")
layout = texture_layout(shape, len(picture))
maps = view_maps(layout, rig(shape, 8, 96), 96)
views = maps.pixels.render(torch.from_numpy(layout.values_of(picture[None])))
np.save(folder / "views.npy", views.permute(0, 2, 3, 1).numpy())
"""


def emitting(obj: bpy.types.Object, picture: np.ndarray) -> None:
    """Let the object send out a picture's values as they are."""
    material = bpy.data.materials.new("light")
    obj.data.materials.append(material)
    tree = compat.node_tree(material)
    tree.nodes.clear()
    output, emission = (tree.nodes.new(f"ShaderNode{kind}") for kind in ("OutputMaterial", "Emission"))
    image = add_image_node(tree, new_image("picture", picture, "Non-Color", float_buffer=True))
    image.extension = "EXTEND"
    tree.links.new(emission.inputs["Color"], image.outputs["Color"])
    tree.links.new(output.inputs["Surface"], emission.outputs["Emission"])


def test_they_are_as_cycles_renders_them(tmp_path: Path) -> None:
    obj = blob("potato")
    y, x = np.mgrid[:SIZE, :SIZE] / SIZE
    waves = [0.5 + 0.4 * np.sin(6.3 * (x * (1 + k) + y * k)) for k in range(3)]
    picture = np.stack([*waves, np.ones_like(x)], axis=-1).astype(np.float32)
    emitting(obj, picture)
    shape = snapshots.take(obj)
    shape.save(tmp_path / "shape.npz")
    np.save(tmp_path / "picture.npy", picture[..., :3])
    environment = {**os.environ, "PYTHONPATH": str(Path(meshkin.__file__).parent.parent)}
    command = [os.environ["MESHKIN_WORKER_PYTHON"], "-c", RENDER, str(tmp_path)]
    subprocess.run(command, check=True, capture_output=True, env=environment)
    ours, views = np.load(tmp_path / "views.npy"), rig(shape, 8, VIEW)
    for view in SHOWN:
        theirs = cycles.colors(obj.data, obj.matrix_world, shape.location, views, view)
        inside = (theirs[..., 3] > 0.999) & (ours[view].max(axis=-1) > 0)
        assert inside.mean() > 0.2
        error = np.mean((theirs[..., :3] - ours[view])[inside].astype(np.float64) ** 2)
        assert -10 * np.log10(error) >= 40
