"""MeshKin tried out with two characters that are made for it, in a scene of their own."""

from __future__ import annotations

from collections.abc import Callable

from ..base.progress import Progress
from ..scene.example import characters
from ..scene.objects import BlenderObject
from .options import Options, Report, Steps
from .transferring import transfer

WHAT = ("texture", "weights", "armature", "motion")
"""What one character gives to the other."""
OPTIONS = Options().changed(features="geometric", texture_size=1024)
"""Light enough for a result within a minute on a processor."""


def try_it(
    options: Options = OPTIONS, when_made: Callable[[BlenderObject, BlenderObject], object] = lambda *_: None
) -> Steps:
    """Make two characters in a new scene and give one the texture, the rig and the motion of the other.

    The new scene is shown in the window. If the job fails or is cancelled, it is removed with all that is in it.
    ``when_made`` is called with source and target as soon as they are there.
    ``data`` is that of :func:`transfer`, with ``scene``, ``source`` and ``target``, their names.
    """
    yield Progress("Making two characters", 0)
    before = characters.shown_scene()
    example = characters.make()
    done = False
    try:
        source, target = example.source, example.target
        when_made(source.get(), target.get())
        report = yield from transfer(source.get(), target.get(), WHAT, options)
        done = True
    finally:
        if not done:
            characters.remove(example, before)
    names = {"scene": example.scene, "source": source.name, "target": target.name}
    return Report(
        f"“{target.name}” has the texture, the rig and the motion of “{source.name}”.",
        ["Press Space over the 3D view to see both wave.", *report.details],
        {**report.data, **names},
        report.warnings,
    )
