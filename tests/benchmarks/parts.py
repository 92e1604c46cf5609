"""Parts: carried from one character to another, found on one, and found on two at once, with bones as truth.

    python tests/benchmarks/parts.py --work FOLDER --blender BLENDER_PYTHON [--only TEXT …]

Runs in the worker's environment on what ``characters.py`` left in its folder ``--work``: characters, and the maps
between them; BLENDER_PYTHON, a Python with ``bpy``, renders views for the features. Prints results/parts.txt.

The truth of a face is its strongest bone, bones being grouped to 7 to 12 parts: head, trunk with neck, tail, and of
each side upper and lower arm, upper and lower leg, hands and feet with the lower ones. Where two artists put a joint is
part of that truth.

"carried": the source's parts as *Carry Parts* brings them over; "map": through the map alone, as attributes are
carried. "features": by features alone, each face taking the part that it is most like, with borders straightened; sides
are one part there. "IoU" is the mean over the parts that both characters have; "border" the mean distance of the
carried borders from the true ones and the other way round, along the surface, per cent of the square root of the area.
"own": as many parts as there are in truth, found on the target alone, beside plain k-means of the same features
("k-means"): the mean IoU by the best assignment. How far labels of two members agree where the true map is known:
parts_agreement.py.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from sklearn.cluster import KMeans

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "packaging" / "demo"), str(ROOT / "tests")]

import measures
from characters import PAIRS
from characters_data import Character, read
from meshkin.cache import store as cache
from meshkin.data.snapshot import Snapshot
from meshkin.data.surface_map import Match
from meshkin.geometry.mesh import edges
from meshkin.parts.borders import straightened
from meshkin.parts.clustering import face_rows, labeled_prototypes, soft_labels
from meshkin.parts.face_graph import FaceGraph
from meshkin.parts.finding import own_parts
from meshkin.parts.prepared import PreparedShape
from meshkin.transfer.attributes.lookup import MeshWithEdges
from meshkin.transfer.attributes.transfer import AttributeValues, transfer_attributes
from meshkin.worker.jobs.parts import find_shape_parts
from meshkin.worker.requests.arrays import save_array
from meshkin.worker.requests.parts import FindParts, PartArrays, ShapeToCut

Array = NDArray[Any]
LIMBS = (
    ("head", r"head|ear|chin|mouth"),
    ("tail", r"tail"),
    ("upper arm", r"upperarm|front_?(leg_)?(up|shoulder)|(?<!ik)frontleg|wing_[12]_"),
    ("lower arm", r"lowerarm|hand|wrist|index|middle|ring|pinky|thumb|finger|front|ff\b|ff\.|wing"),
    ("upper leg", r"upperleg|thigh|back_?(leg_)?(up|pelvis|shoulder)|(?<!ik)backleg"),
    ("lower leg", r"lowerleg|calf|foot|toes|ball|ankle|back_|back[A-Z]|backlow|backfoot|ffb|ikback"),
    ("trunk", ""),
)
"""Parts by the names of their bones, the first that fits."""


def parts_of(character: Character, sides: bool = True) -> tuple[Array, list[str]]:
    """The part of each face, int (F,), and the parts' names; -1 for faces whose vertices have no weights.

    Args:
        character: with its true weights.
        sides: whether left and right are parts of their own.
    """
    names = [_part_of(column, sides) for column in character.columns]
    known = sorted(set(names))
    shares = np.zeros((len(character.vertices), len(known)))
    for column, name in enumerate(names):
        shares[:, known.index(name)] += character.weights[:, column]
    faces = shares[character.faces].sum(axis=1)
    return np.where(faces.any(axis=1), faces.argmax(axis=1), -1), known


def _part_of(bone: str, sides: bool) -> str:
    side = re.search(r"[._]([lr])$", bone, re.IGNORECASE)
    name = next(part for part, pattern in LIMBS if re.search(pattern, bone, re.IGNORECASE))
    return f"{name} {side[1].lower()}" if side and sides and name not in ("head", "trunk", "tail") else name


def iou(found: Array, true: Array, areas: Array) -> Array:
    """The intersection over the union of each pair of labels, (K, L), of faces with areas (F,)."""
    table = np.zeros((found.max() + 1, true.max() + 1))
    np.add.at(table, (found, true), areas)
    return table / (table.sum(axis=1, keepdims=True) + table.sum(axis=0) - table + 1e-12)


def named_iou(found: Array, found_names: list[str], true: Array, true_names: list[str], areas: Array) -> float:
    """The mean over the parts that both have of the intersection over the union."""
    known = (true >= 0) & (found >= 0)
    table = iou(found[known], true[known], areas[known])
    common = [name for name in true_names if name in found_names]
    pairs = [(found_names.index(name), true_names.index(name)) for name in common]
    return float(np.mean([table[one, two] if one < len(table) and two < table.shape[1] else 0.0 for one, two in pairs]))


def assigned_iou(found: Array, true: Array, areas: Array) -> float:
    """The mean over the true parts by the best assignment."""
    known = true >= 0
    table = iou(found[known], true[known], areas[known])
    return float(table[linear_sum_assignment(-table)].sum() / table.shape[1])


def border_error(found: Array, true: Array, character: Character, graph: FaceGraph) -> float:
    """The mean distance of one labeling's borders from the other's, both ways."""
    ends = []
    for labels in (found, true):
        one, other = graph.links[labels[graph.links[:, 0]] != labels[graph.links[:, 1]]].T
        ends.append(np.unique(character.faces[np.concatenate((one, other)), 0]))
    if not all(len(vertices) for vertices in ends):
        return float("nan")
    distances = measures.geodesics(character.vertices, character.faces, ends[0])[:, ends[1]]
    return float((distances.min(axis=0).mean() + distances.min(axis=1).mean()) / 2)


def carried(source: Snapshot, target: Snapshot, match: Match, labels: Array) -> Array:
    """Labels of the source's faces, through the map alone."""
    one, other = (MeshWithEdges(end, edges(end.faces).astype(np.int32)) for end in (source, target))
    values = AttributeValues("FACE", "labels", labels[:, None])
    return np.asarray(transfer_attributes(one, other, match.to_source, [values])[0])[:, 0].astype(int)


def features_of(names: list[str], work: Path, blender: str) -> dict[str, Path]:
    """The files of the features of characters, "auto", computed where they are not kept."""
    folder = work / "features"
    folder.mkdir(exist_ok=True)
    for name in names:
        if not (folder / f"{name}.json").exists():
            character = read(work, name)
            Snapshot.from_arrays(character.vertices.astype(np.float32), character.faces, name).save(
                folder / f"{name}.npz"
            )
    script = Path(__file__).with_name("describe.py")
    subprocess.run([blender, str(script), str(folder), "--features", "auto"], check=True, stdout=subprocess.DEVNULL)
    return {name: Path(json.loads((folder / f"{name}.json").read_text())["features"]) for name in names}


def by_job(ends: list[Snapshot], features: tuple[Path, Path], match: Path, labels: Array, count: int) -> Array:
    """Labels of the source's faces, as *Carry Parts* brings them over."""
    with tempfile.TemporaryDirectory() as folder:
        shapes = []
        for number, (end, path) in enumerate(zip(ends, features, strict=True)):
            file = end.save(Path(folder) / f"{number}.npz")
            output = Path(folder) / f"parts{number}.npz"
            shapes.append(ShapeToCut(file, file, path, output, match if number else None))
        given = save_array(Path(folder) / "labels.npy", labels)
        answer = find_shape_parts(FindParts(tuple(shapes), count, 1.0, given), lambda *_: None)
        return PartArrays.load(answer.parts[0]).labels


def row(source: Character, target: Character, match: Path, files: tuple[Path, Path]) -> list[float]:
    """A pair's figures, in the order of :data:`HEADINGS`."""
    graphs = [FaceGraph.of(end.vertices, end.faces) for end in (source, target)]
    ends = [Snapshot.from_arrays(end.vertices.astype(np.float32), end.faces, end.name) for end in (source, target)]
    areas = graphs[1].areas
    labels, names = parts_of(source)
    true, true_names = parts_of(target)
    figures = []
    for over in (by_job(ends, files, match, labels, len(names)), carried(ends[0], ends[1], Match.load(match), labels)):
        figures.append(named_iou(over, names, true, true_names, areas))
        renumbered = np.array([true_names.index(names[label]) if names[label] in true_names else -1 for label in over])
        figures.append(border_error(renumbered, true, target, graphs[1]))

    features = [cache.read(path).features.astype(np.float32) for path in files]
    rows = [face_rows(values, end.faces) for values, end in zip(features, (source, target), strict=True)]
    labels, names = parts_of(source, sides=False)
    paired, paired_names = parts_of(target, sides=False)
    like = soft_labels(rows[1], labeled_prototypes(rows[0], graphs[0].areas, labels))
    figures.append(named_iou(straightened(like, graphs[1]), names, paired, paired_names, areas))

    count = len(np.unique(true[true >= 0]))
    own = own_parts(PreparedShape.of(ends[1], features[1], lambda share: None), count, 1.0)
    plain = KMeans(count, n_init=10, random_state=0).fit(rows[1], sample_weight=areas).labels_
    return [*figures, assigned_iou(own.labels, true, areas), assigned_iou(plain, true, areas)]


HEADINGS = ("carried IoU", "border", "map IoU", "border", "features", "own", "k-means")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="the folder of characters.py")
    parser.add_argument("--blender", required=True, help="a Python with bpy")
    parser.add_argument("--only", nargs="*", default=[], help="pairs whose names contain one of these")
    arguments = parser.parse_args()
    pairs = [pair.split(":") for pair in PAIRS.split() if any(text in pair for text in arguments.only or [""])]
    features = features_of(sorted({name for pair in pairs for name in pair}), arguments.work, arguments.blender)
    print(f"{'':44}" + "".join(f"{heading:>13}" for heading in HEADINGS))
    table = []
    for source_name, target_name in pairs:
        source, target = (read(arguments.work, name) for name in (source_name, target_name))
        match = arguments.work / f"{source_name} to {target_name}.map.npz"
        table.append(row(source, target, match, (features[source_name], features[target_name])))
        title = f"{source_name} -> {target_name}"
        print(f"{title:44}" + "".join(f"{value:13.3f}" for value in table[-1]), flush=True)
    print(f"{'mean':44}" + "".join(f"{value:13.3f}" for value in np.nanmean(table, axis=0)))


if __name__ == "__main__":
    main()
