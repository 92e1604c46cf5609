"""The source shown beside the target, in the target's pose."""

from __future__ import annotations

import numpy as np

from ..base.errors import InputError
from ..base.progress import Progress
from ..scene.display import comparison
from ..scene.mesh import matches, surfaces
from ..scene.mesh import snapshot as snapshots
from ..scene.objects import BlenderObject, Handle
from ..worker import client
from ..worker.requests.arrays import save_array
from ..worker.requests.rig import PosedArrays, PoseShape
from .files import work_folder
from .matching import check_different
from .options import Options, Report, Steps


def compare(
    source: BlenderObject, target: BlenderObject, look: str = "textures", options: Options = Options()
) -> Steps:
    """Show a stand-in of the source beside the target, as large, and in its pose if the two are matched.

    :func:`meshkin.scene.display.comparison.hide` ends it and restores the scene. ``look`` is one of
    :data:`meshkin.scene.display.comparison.LOOKS`. Raises InputError ``same-object``, bad meshes, and for colors as
    :func:`meshkin.scene.mesh.matches.load`.
    """
    check_different(source, target)
    surfaces.take_checked(target)
    ends = Handle.of(source), Handle.of(target)
    sources: tuple[BlenderObject, ...] = (source,)
    vertices, pose = None, "in its own pose, since the two are not matched"
    try:
        matched = matches.load(source, target, in_any_pose=True)
    except InputError:
        surfaces.take_checked(source)
        yield Progress("Reading the mesh", 0)  # nothing is written in the press of the button
    else:
        with work_folder() as folder:
            matched.match.swapped().save(folder / "map.npz")
            posed = yield from client.shared().run(
                PoseShape(
                    source=matched.target.save(folder / "target.npz"),
                    own=matched.source.save(folder / "source.npz"),
                    original=save_array(folder / "original.npy", np.arange(len(matched.source.vertices))),
                    map=folder / "map.npz",
                    threshold=options.rig.threshold,
                    output=folder / "posed.npz",
                )
            )
            vertices, pose = PosedArrays.load(posed.arrays).vertices, "in its pose"
        sources = tuple(mesh.object for mesh in matched.source_meshes)
        for mesh in matched.source_meshes:
            snapshots.check_unchanged(mesh.object, mesh.snapshot)
    comparison.show(sources, ends[1].get(), vertices, look)
    return Report(f"“{ends[0].name}” is shown beside “{ends[1].name}”, {pose}.")
