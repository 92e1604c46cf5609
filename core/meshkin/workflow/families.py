"""Families: learned from several objects of one kind, kept among the models."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..base.progress import in_step
from ..families.record import check_count, check_name
from ..scene import family_members
from ..scene.characters import Picked
from ..scene.objects import Handle
from ..worker import client
from ..worker.requests.families import FamilyMember, LearnFamily, LearnFamilyResult
from .characters import listed, read
from .describing import describe
from .files import work_folder
from .options import Options, Report, ResultWarning, Steps
from .steps import LEARN, feature_costs, learn_costs
from .whole_job import whole_job


def learn_family(objects: Iterable[Picked], name: str, options: Options = Options()) -> Steps:
    """Learn a family from objects of one kind: features that tell apart what those of ``options.features`` do not.

    What each object stands for says :func:`meshkin.scene.family_members.shapes`. Nothing in the scene changes. The
    family can then be used as features: ``Options(features=FeatureOptions("family", settings={"family": name}))``.
    A job that was stopped goes on where it was.

    Raises InputError (``family-few``, ``family-many``, ``family-exists``, ``family-base``, ``model-name``, bad meshes),
    ModelError, WorkerError, StorageError.
    """
    groups = [[Handle.of(obj) for obj in group] for group in family_members.shapes(objects)]
    check_count(len(groups))
    check_name(name, options.family.replace)
    costs = {**feature_costs([group[0] for group in groups], options), **learn_costs(len(groups), options)}
    return (yield from whole_job(_learn(groups, name, options), costs))


def _learn(groups: Sequence[Sequence[Handle]], name: str, options: Options) -> Steps:
    chosen = options.family
    with work_folder() as folder:
        members = []
        for index, group in enumerate(groups):
            item = yield from describe((yield from read(group)), options, folder / f"object{index}")
            members.append(FamilyMember(item.of.shape.save(folder / f"shape{index}.npz"), item.features))
        request = LearnFamily(name, tuple(members), chosen.steps, chosen.network, chosen.replace, options.worker.device)
        result = yield from in_step(LEARN, client.shared().run(request))
    title = f"The family “{name}” was learned from {len(groups) - len(result.left_out)} shapes."
    details = [*result.left_out, f"Error of the distances: {result.curve}."]
    data = {"family": name, "folder": str(result.folder), "plateau": result.plateau, "unsided": list(result.unsided)}
    return Report(title, details, data, list(_warnings(result)))


def _warnings(result: LearnFamilyResult) -> Iterable[ResultWarning]:
    """Why the family may be of little use."""
    if result.plateau:
        message = (
            "The features do not tell repeated parts apart: the error stopped falling early. Learn from other features,"
            " or from more shapes."
        )
        yield ResultWarning("family-plateau", message)
    if result.unlike:
        message = f"{_quoted(result.unlike)} may be of another kind than the others. A family of one kind works best."
        yield ResultWarning("family-unlike", message)
    if result.unsided:
        message = f"Left and right of {_quoted(result.unsided)} could not be told apart."
        yield ResultWarning("family-sides", message)


def _quoted(names: Sequence[str]) -> str:
    return listed([f"“{name}”" for name in names])
