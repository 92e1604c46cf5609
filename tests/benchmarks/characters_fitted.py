"""How far the joints that MeshKin fits lie from those an artist has placed, through the maps kept by characters.py.

    python tests/benchmarks/characters_fitted.py --work FOLDER [--only TEXT …]

Runs in the worker's environment, after ``characters.py`` with the same ``--work``, of whose matches this prints the
joints: mean distance of the bones' heads, per cent of the target's height and of its diagonal, over the bones that both
rigs have and that move vertices on both; "all" counts bones that move nothing, too (IK targets, which artists put where
they like).
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np

from characters import PAIRS, rest_skeleton, title_of
from characters_data import Array, Character, read
from meshkin.data.snapshot import Snapshot
from meshkin.data.surface_map import Match
from meshkin.transfer.rig.joints import fit_joints
from meshkin.transfer.rig.limbs import check_joints

LEAST_WEIGHT = 1e-3
"""Sum of weights from which a bone moves something. Chosen: rounding errors."""


def fitted_heads(source: Character, target: Character, match: Match) -> Array:
    """Where the heads of the source's bones come to lie in the target, (B, 3)."""
    shape, other = (
        Snapshot.from_arrays(end.vertices.astype(np.float32), end.faces, end.name) for end in (source, target)
    )
    skeleton = rest_skeleton(source)
    skeleton = replace(skeleton, heads=skeleton.heads - shape.location, tails=skeleton.tails - shape.location)
    weights = source.bone_weights()
    fitted = fit_joints(skeleton, weights, shape, other, match.to_target)
    checked = check_joints(skeleton, fitted, weights, (shape, other), (match.to_source, match.to_target))
    return np.asarray(checked.fitted.heads + other.location)


def distances(source: Character, target: Character, match: Match) -> tuple[Array, Array]:
    """How far the joints lie from the artist's, (N,), and which of their bones move vertices of both, bool (N,)."""
    heads = fitted_heads(source, target, match)
    own, there = ({name: bone for bone, name in reversed(list(enumerate(end.bones)))} for end in (source, target))
    both = [name for name in own if name in there]
    moving = [
        all(end.weights[:, end.columns.index(name)].sum() > LEAST_WEIGHT for end in (source, target)) for name in both
    ]
    right = target.matrices[[there[name] for name in both], :3, 3]
    return np.linalg.norm(heads[[own[name] for name in both]] - right, axis=1), np.array(moving)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path("/tmp/meshkin-characters"))
    parser.add_argument("--only", nargs="*", default=[], help="pairs whose names contain one of these")
    arguments = parser.parse_args()
    print(f"{'':40}{'height':>10}{'diagonal':>10}{'all':>10}")
    rows = []
    for pair in PAIRS.split():
        if arguments.only and not any(text in pair for text in arguments.only):
            continue
        source, target = (read(arguments.work, name) for name in pair.split(":"))
        match = Match.load(arguments.work / f"{' to '.join(pair.split(':'))}.map.npz")
        away, moving = distances(source, target, match)
        rows.append([
            away[moving].mean() / target.height, away[moving].mean() / target.diagonal, away.mean() / target.height
        ])  # fmt: skip
        print(f"{title_of(pair):40}" + "".join(f"{100 * value:10.2f}" for value in rows[-1]), flush=True)
    print(f"{'mean':40}" + "".join(f"{100 * value:10.2f}" for value in np.mean(rows, axis=0)))


if __name__ == "__main__":
    main()
