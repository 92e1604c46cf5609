"""Heads: what tells the parts of meshes apart in the maps of a model, learnt from renders of the meshes themselves."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from ..base.errors import InputError
from ..base.progress import Progress, in_step
from ..data.recipe import Recipe, ViewPlacement
from ..data.views import of_recipe
from ..scene.mesh import rest, surfaces
from ..scene.objects import BlenderObject, Handle
from ..scene.render import passes, surface_colors
from ..scene.rig import random_poses
from ..worker import client
from ..worker.requests.features import PlanFeatures
from ..worker.requests.heads import CheckHead, HeadMember, LearnHead
from .describing import choice_of, handles_of
from .files import work_folder
from .options import Options, Report, Steps
from .whole_job import whole_job

POSES = 2
"""Random poses of each mesh, beside the one that is shown. Chosen."""
RINGS = ((-10.0, 4), (15.0, 8), (50.0, 4))
"""Cameras around each pose: elevation in degrees and number. Chosen: as people take photographs."""
STEPS = 1500
"""Pairs of pictures that a head is learnt from, by default (tests/benchmarks/results/photo_directions.txt)."""
RENDERING, LEARNING = "render for the head", "learn the head"
HEAD_RENDER_SECONDS, STEP_SECONDS = 10.0, 0.15
"""About how long a mesh takes to render, and a step of the learning, on two cores: widths on the progress bar."""


def learn_head(
    objects: Iterable[BlenderObject],
    name: str,
    options: Options = Options(),
    steps: int = STEPS,
    replace: bool = False,
) -> Steps:
    """Learn a head on DINOv2's maps from renders of meshes in several poses, colors and lights.

    It is kept among the models, and features take it as ``settings={"head": name}``. ``data["losses"]`` tells how the
    learning went.

    Args:
        objects: meshes, best of one kind; those that an armature moves are posed at random.
        name: what to call the head.
        options: of the features: model, layers, resolution, renderer; and of the worker.
        steps: of the learning.
        replace: whether a model of this name is replaced.

    Raises InputError ``nothing-selected``, ``head-steps``, ``model-exists``, ``model-name``, and as :func:`features`.
    """
    if steps < 1:
        raise InputError("head-steps", f"A head cannot be learnt in {steps} steps.", "Take the default.")
    handles = handles_of(objects)
    costs = {RENDERING: HEAD_RENDER_SECONDS * len(handles), LEARNING: STEP_SECONDS * steps}
    return (yield from whole_job(_learn_head(handles, CheckHead(name, replace), options, steps), costs))


def _learn_head(handles: Sequence[Handle], kept: CheckHead, options: Options, steps: int) -> Steps:
    options = options.changed(features="dinov2", style="textured")
    yield from client.shared().run(kept)
    with work_folder() as folder:
        members = []
        recipe: Recipe | None = None
        for number, handle in enumerate(handles):
            shape = rest.take_at_rest(handle.get(), surfaces.take_checked(handle.get()))
            choice = choice_of(handle.name, options, True)
            plan = yield from client.shared().run(PlanFeatures(shape.key, choice, options.worker.device, ""))
            recipe = replace(plan.recipe, views=ViewPlacement("rings", rings=RINGS))
            rendering = _render(handle, recipe, options, folder / f"mesh{number}", number)
            members.append((yield from in_step(RENDERING, rendering)))
        assert recipe is not None
        request = LearnHead(tuple(members), recipe, steps, kept.name, kept.replace, options.worker.device)
        result = yield from in_step(LEARNING, client.shared().run(request))
    first, last = result.losses[0], result.losses[-1]
    names = ", ".join(f"“{handle.name}”" for handle in handles)
    return Report.of(
        f"The head “{kept.name}” is learnt from {names}.",
        [f"The loss went from {first:.2f} to {last:.2f}.", f"DINOv2 takes it with the setting “head={kept.name}”."],
        {"head": str(result.folder), "losses": list(result.losses)},
    )


def _render(
    handle: Handle, recipe: Recipe, options: Options, folder: Path, seed: int
) -> Generator[Progress, None, HeadMember]:
    """A mesh in several poses, rendered."""
    yield Progress("Posing", 0)
    folder.mkdir(parents=True)
    poses = random_poses.take(handle.get(), POSES, seed)
    shape = rest.take_at_rest(handle.get(), poses[0])
    files, folders = [], []
    colors = surface_colors.read(handle.get(), poses[0])
    for number, pose in enumerate(poses):
        # Cycles would render the object in the pose that it is in: in the others, such colors are made up.
        own = colors if number == 0 or not colors.rendered else None
        rendered = yield from passes.render(pose, of_recipe(pose, recipe), options.features.render_path, own)
        folders.append(folder / f"passes{number}")
        rendered.save(folders[-1])
        files.append(pose.save(folder / f"pose{number}.npz"))
    return HeadMember(handle.name, shape.save(folder / "shape.npz"), tuple(files), tuple(folders))
