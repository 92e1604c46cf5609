"""Characters with their true weights, as characters_scene.py has written them."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "packaging" / "demo"), str(ROOT / "tests")]

import skeleton
from weights_cases import normalized

Array = NDArray[Any]
A_POSE = {"UpperArm.L": ("y", 45.0), "UpperArm.R": ("y", -45.0)}
"""Turns of bones about world axes that bring the arms of a T pose down."""


@dataclass(frozen=True)
class Character:
    """A character with its true weights.

    Attributes:
        name: of its file, and how it was changed.
        vertices, faces: (V, 3) and (F, 3), world axes.
        weights: (V, C), rows sum to 1 or are all zero; a column for each bone that rigs share.
        columns: names of the columns.
        bones: of each bone its name among the columns.
        parents: (B,), -1 for none.
        matrices: (B, 4, 4), rest pose.
        lengths: (B,).
    """

    name: str
    vertices: Array
    faces: Array
    weights: Array
    columns: list[str]
    bones: list[str]
    parents: Array
    matrices: Array
    lengths: Array

    @property
    def height(self) -> float:
        return float(np.ptp(self.vertices[:, 2]))

    @property
    def diagonal(self) -> float:
        return float(np.linalg.norm(np.ptp(self.vertices, axis=0)))

    def bone_weights(self) -> Array:
        """(V, B), each bone's own weight; bones that share a column share it evenly."""
        column = [self.columns.index(bone) for bone in self.bones]
        share = np.bincount(column, minlength=len(self.columns))[column]
        return self.weights[:, column] / share


def shared_name(bone: str, character: str) -> str:
    """The bone's name on all rigs of a family.

    The men's fingers are numbered one higher, thumbs have unlike numbers.
    """
    if match := re.fullmatch(r"(Index|Middle|Ring|Pinky)(\d)\.(.)", bone):
        return f"{match[1]}{int(match[2]) - character.startswith('men')}.{match[3]}"
    if match := re.fullmatch(r"Thumb\d\.(.)", bone):
        return f"Thumb.{match[1]}"
    return {"Nose": "Head"}.get(bone, bone)


def read(folder: Path, name: str) -> Character:
    """The character of FOLDER/NAME.npz."""
    with np.load(folder / f"{name}.npz") as arrays:
        bones = [shared_name(str(bone), name) for bone in arrays["names"]]
        columns = sorted(set(bones))
        weights = np.zeros((len(arrays["vertices"]), len(columns)))
        for index, bone in enumerate(bones):
            weights[:, columns.index(bone)] += arrays["weights"][:, index]
        return Character(
            name, arrays["vertices"].astype(np.float64), arrays["faces"], normalized(weights), columns, bones,
            arrays["parents"], skeleton.without_scale(arrays["matrices"])[0], arrays["lengths"],
        )  # fmt: skip


def write_rig(folder: Path, name: str) -> None:
    """Write FOLDER/NAME.rig.npz: the bones as an armature can have them, and the weights of each."""
    character = read(folder, name)
    seen: dict[str, int] = {}
    names = []
    for bone in character.bones:  # bones that share a column get numbers, so that the rest are called alike
        seen[bone] = seen.get(bone, 0) + 1
        names.append(bone if seen[bone] == 1 else f"{bone} {seen[bone]}")
    heads = character.matrices[:, :3, 3]
    tails = heads + character.matrices[:, :3, 1] * character.lengths[:, None]
    arrays = {"heads": heads, "tails": tails, "parents": character.parents, "weights": character.bone_weights()}
    np.savez(folder / f"{name}.rig.npz", names=np.array(names), **arrays)


def write_variant(folder: Path, name: str) -> None:
    """Write FOLDER/NAME.npz of a character whose arms are lowered (``…@A``), or that is turned around (``…@back``)."""
    original, change = name.split("@")
    with np.load(folder / f"{original}.npz") as data:
        arrays = dict(data)
    rest, parents = arrays["matrices"], arrays["parents"]
    if change == "back":
        turn = np.diag([-1.0, -1.0, 1.0, 1.0])
        posed = turn @ rest
    else:
        posed = rest.copy()
        for bone, bone_name in enumerate(arrays["names"].tolist()):
            if bone_name in A_POSE:
                axis, angle = A_POSE[bone_name]
                head = posed[bone, :3, 3].copy()
                turn = np.eye(4)
                turn[:3, :3] = Rotation.from_euler(axis, angle, degrees=True).as_matrix()
                turn[:3, 3] = head - turn[:3, :3] @ head
                below = [bone]
                for other in range(len(parents)):
                    if parents[other] in below:
                        below.append(other)
                posed[below] = turn @ posed[below]
    weights = normalized(arrays["weights"].astype(np.float64))
    loose = weights.sum(axis=1) == 0
    weights[loose, 0] = 1
    arrays["vertices"] = skeleton.skin(arrays["vertices"].astype(np.float64), weights, rest, posed).astype(np.float32)
    arrays["matrices"] = posed
    np.savez(folder / f"{name}.npz", **arrays)
