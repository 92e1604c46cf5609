"""Small loose parts (eyes, teeth) that take their weights from the source's parts that they correspond to."""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...base.errors import InputError
from ...base.progress import Progress
from ...data.snapshot import Snapshot
from ...scene.mesh import surfaces
from ...scene.rig import binding
from ...scene.rig import weights as vertex_groups
from ...transfer.weights.groups import WeightedMesh, stack_meshes
from ...worker import client
from ...worker.requests.arrays import save_array
from ...worker.requests.weights import LoosePartArrays, TransferLooseParts, WeightArrays, WeightedSurfaceArrays
from .context import Transfer


@dataclass(frozen=True)
class WeightedTarget:
    """A mesh that weights were carried to.

    Attributes:
        snapshot: of the mesh.
        file: of the snapshot.
        arrays: its weights.
        all_matched: whether all of it corresponds to parts of the source.
    """

    snapshot: Snapshot
    file: Path
    arrays: WeightArrays
    all_matched: bool = False


def transfer_loose_parts(
    transfer: Transfer, surface_map: Path, names: list[str], weights: NDArray[np.float32], targets: list[WeightedTarget]
) -> Generator[Progress, None, tuple[list[str], list[WeightedTarget]]]:
    """Give small loose parts the weights of the source's: eyes that are meshes of their own keep their own bones.

    Args:
        transfer: the transfer.
        surface_map: file of the map that weights were carried through.
        names: the groups that were carried.
        weights: (U, B), their weights on the source.
        targets: the target first, then what lies on it.

    Returns:
        the names of all groups, those carried first; and the targets with their new weights.
    """
    others = _other_meshes(transfer)
    # The target itself consists of the source's body alone, unless the source has other meshes.
    looked_up = targets if others or len(transfer.pieces) > 1 else targets[1:]
    if not looked_up:
        return names, targets
    surface, all_names = stack_meshes([WeightedMesh(transfer.source.snapshot, names, weights), *others])
    arrays = WeightedSurfaceArrays(surface.vertices, surface.faces.astype(np.int32), surface.weights)
    meshes = arrays.save(transfer.folder / "source-meshes.npz")
    changed = []
    for weighted in looked_up:
        answer = yield from client.shared().run(
            TransferLooseParts(
                shape=weighted.file,
                weights=save_array(transfer.folder / "weights-so-far.npy", weighted.arrays.weights),
                source=transfer.source_file,
                target=transfer.target_file,
                map=surface_map,
                meshes=meshes,
                limit=transfer.options.weights.limit,
                output=transfer.folder / "loose-parts.npz",
            )
        )
        parts = LoosePartArrays.load(answer.arrays, V=len(weighted.snapshot.vertices), B=len(all_names))
        new = WeightArrays(
            parts.weights,
            weighted.arrays.inpainted & ~parts.matched,
            weighted.arrays.unsolved & ~parts.matched,
        )
        changed.append(replace(weighted, arrays=new, all_matched=bool(parts.matched.all())))
    return all_names, targets[: len(targets) - len(looked_up)] + changed


def _other_meshes(transfer: Transfer) -> list[WeightedMesh]:
    """The other meshes that the source's armature poses, with those of their groups that are chosen."""
    options = transfer.options.weights
    left_out = {handle.uid for handle in (*transfer.target.handles, *transfer.also, *transfer.pieces)}
    meshes = []
    for obj in binding.meshes_posed_with(transfer.source.handle.get()):
        if obj.session_uid not in left_out:
            with contextlib.suppress(InputError):  # none of its groups is chosen, or it has no surface
                snapshot = surfaces.take_checked(obj)
                groups = vertex_groups.chosen_groups(obj, options.groups, options.pattern)
                meshes.append(WeightedMesh(snapshot, *vertex_groups.read(obj, snapshot, groups)))
    return meshes
