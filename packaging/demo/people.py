"""Make the demo's people with Anny (https://github.com/naver/anny, Apache-2.0; MakeHuman data, CC0).

    python people.py OUTPUT

writes ``source.npz`` and ``texture.png`` (a dressed woman with rig, weights and UVs) to OUTPUT/.cache/people, and one
``NAME.npz`` for each target: a person of another build, pose and topology, with the true correspondence of each vertex.
Runs in the worker's environment with Anny added. Blender is not needed.
"""

from __future__ import annotations

import colorsys
import hashlib
import shutil
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

import outfit
import skeleton
from bodies import TOPOLOGIES, Anny, Array, Look, nearest_vertex
from skeleton import mirrored
from surface import blend

SOURCE = Look(
    "Woman",
    {"gender": 1, "age": 0.66, "muscle": 0.55, "weight": 0.42, "height": 0.62, "proportions": 0.85},
    "anny",
    mirrored({"upperarm01.L": (0, 14, 0), "upperleg01.L": (0, -4, 0)})
    | {"head": (0, 0, 12), "spine03": (0, 0, 5), "upperarm01.R": (-10, -20, 0), "lowerarm01.R": (-35, 0, 0)},
)
TARGETS = (
    Look(
        "Grandfather",
        {"gender": 0, "age": 0.95, "muscle": 0.55, "weight": 1.15, "height": 0.5, "proportions": 0.2},
        "soma",
        mirrored({"upperarm01.L": (0, -10, 0), "lowerarm01.L": (-25, 0, 0), "upperleg01.L": (0, -4, 0)})
        | {
            "spine03": (5, 0, 0),
            "head": (-2, 0, 8),
            "upperleg01.L": (-10, -4, 0),
            "foot.L": (10, 0, 0),
            "upperleg01.R": (7, 4, 0),
            "foot.R": (-7, 0, 0),
        },
        {
            "upperarm01.R": (0, 72, 0),
            "lowerarm01.R": (0, 48, 0),
            "upperarm01.L": (0, 22, 0),
            "lowerarm01.L": (-30, 0, 0),
            "upperleg01.L": (-26, 0, 0),
            "lowerleg01.L": (14, 0, 0),
            "upperleg01.R": (16, 0, 0),
            "lowerleg01.R": (18, 0, 0),
            "foot.L": (12, 0, 0),
            "foot.R": (-12, 0, 0),
            "head": (0, -8, 14),
            "spine03": (0, 0, -8),
        },
        {
            "stomach-pregnant-incr": 0.55,
            "stomach-tone-incr": -0.6,
            "neck-double-incr": 0.6,
            "head-fat-incr": 0.5,
            "nose-volume-incr": 0.5,
            "torso-scale-horiz-incr": 0.3,
            "buttocks-volume-incr": 0.3,
        },
    ),
    Look(
        "Dwarf",
        {"gender": 0, "age": 0.78, "muscle": 1.0, "weight": 1.05, "height": 0.05, "proportions": 0.2},
        "decimated",
        mirrored({"upperarm01.L": (0, -30, 0), "upperleg01.L": (0, -9, 0)})
        | {"lowerarm01.L": (0, -35, 0), "head": (-4, 0, -10)},
        mirrored({"upperarm01.L": (0, -75, 0), "lowerarm01.L": (-20, -45, 0), "upperleg01.L": (0, -14, 0)})
        | {"spine03": (-6, 0, 6), "head": (-8, 6, -6), "upperleg01.R": (-50, 22, 0), "lowerleg01.R": (70, 0, 0)},
        {"nose-volume-incr": 0.8, "nose-hump-incr": 0.5, "chin-width-incr": 0.6, "stomach-pregnant-incr": 0.15},
        {
            "upperleg01.L": 0.72,
            "upperleg01.R": 0.72,
            "foot.L": 1.55,
            "foot.R": 1.55,
            "upperarm01.L": 0.9,
            "upperarm01.R": 0.9,
            "wrist.L": 1.4,
            "wrist.R": 1.4,
            "neck02": 1.35,
        },
    ),
)
SOURCE_FILES = ("bodies.py", "outfit.py", "people.py", "skeleton.py", "surface.py")
"""The modules that determine how the people look."""


def main(output: Path) -> None:
    """Make the people, unless they exist and nothing that they depend on has changed."""
    folder = output / ".cache" / "people"
    key = people_key()
    key_file = folder / "key.txt"
    if key_file.exists() and key_file.read_text() == key:
        say("The people exist already.")
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    say("Loading Anny")
    anny = Anny()
    say(f"Making the source: {SOURCE.name}")
    source = anny.body(SOURCE)
    rig = {"names": np.array(anny.names), "parents": anny.parents}
    save(
        folder / "source.npz",
        name=SOURCE.name, vertices=source.rest, faces=anny.quads, uvs=anny.uvs, weights=anny.weights, **rig,
        bones=source.bones, lengths=source.lengths, posed=source.posed,
        local=skeleton.between(anny.parents, source.bones, source.posed_bones), shift=source.shift,
        palette=palette(anny.names), mirror=nearest_vertex(source.rest * (-1, 1, 1), source.rest),
    )  # fmt: skip
    say("Painting her clothes")
    outfit.paint(source, anny).save(folder / "texture.png")
    for look in TARGETS:
        say(f"Making a target: {look.name}")
        body, acting = anny.body(look), anny.body(look, look.act)
        faces, uvs, corners, shares = TOPOLOGIES[look.topology](anny, body)
        vertices, weights = blend(body.posed, corners, shares), blend(anny.weights, corners, shares)
        save(
            folder / f"{look.name}.npz",
            name=look.name, vertices=vertices, faces=faces, uvs=uvs, weights=weights, **rig,
            bones=body.posed_bones, lengths=body.lengths,
            acting=skeleton.skin(vertices, weights, body.posed_bones, acting.posed_bones),
            local=skeleton.between(anny.parents, body.posed_bones, acting.posed_bones),
            shift=acting.posed_bones[0, :3, 3] - body.posed_bones[0, :3, 3],
            truth_vertices=corners, truth_shares=shares,
        )  # fmt: skip
    (folder / "targets.txt").write_text("\n".join(look.name for look in TARGETS))
    key_file.write_text(key)


def people_key() -> str:
    """Return a hash of everything that the people depend on."""
    sources = [path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py")) if path.name in SOURCE_FILES]
    return hashlib.sha256(b"\0".join([version("anny").encode(), *sources])).hexdigest()


def palette(names: Sequence[str]) -> Array:
    """Return a color for each bone, (B, 3): hue by limb and side, lightness alternating between neighbors."""
    hues = {"root": 0.12, "pelvis": 0.12, "spine": 0.14, "neck": 0.04, "head": 0.0, "eye": 0.55}
    sided = {"clavicle": 0.3, "shoulder": 0.3, "upperarm": 0.36, "lowerarm": 0.44, "wrist": 0.5, "metacarpal": 0.52}
    sided |= {"finger": 0.54, "upperleg": 0.6, "lowerleg": 0.68, "foot": 0.76, "toe": 0.8}
    colors = []
    for index, name in enumerate(names):
        part = name.split(".")[0].rstrip("0123456789-")
        hue = hues[part] if part in hues else sided[part] + (0.5 if name.endswith(".R") else 0)
        colors.append(colorsys.hls_to_rgb(hue % 1, 0.42 + 0.16 * (index % 2), 0.75))
    return np.array(colors)


def save(path: Path, **arrays: Any) -> None:
    np.savez_compressed(path, **arrays)


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
