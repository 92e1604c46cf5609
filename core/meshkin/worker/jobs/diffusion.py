"""What jobs that paint with Stable Diffusion have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NoReturn

from ...base.errors import InputError
from ...base.progress import ProgressCallback
from ...data.recipe import PartModel


def find_networks(
    known: Mapping[str, str], asked: Mapping[str, object], online: bool, report: ProgressCallback
) -> dict[str, PartModel]:
    """Stable Diffusion and its ControlNets, by their roles.

    Args:
        known: names of the known models by their roles; "base" is Stable Diffusion.
        asked: folders, names or hub ids of others.
        online: whether models that are not there may be fetched.
        report: told about a download; may raise Cancelled.

    Raises InputError ``option-invalid`` for a role that is not known, ModelError.
    """
    from ...features import registry
    from ...features.diffusion.fitting import check_fits
    from ...models import locating

    if unknown := sorted(asked.keys() - known.keys()):
        raise InputError(
            "option-invalid", f"There is no role {', '.join(unknown)} of models.", f"Name {', '.join(known)}."
        )
    models: dict[str, PartModel] = {}
    for role, name in known.items():
        kind = "stable-diffusion" if role == "base" else "controlnet"
        found = locating.locate(
            kind, str(asked.get(role, name)), online=online, report=report, bundles=registry.bundles()
        )
        models[role] = PartModel(found.name, str(found.folder), found.checksum, found.license)
        if role != "base":
            check_fits(models["base"], models[role], "ControlNet", ("cross_attention_dim", "block_out_channels"))
    return models


def refuse_slow(seconds: float, flag: str, instead: str) -> NoReturn:
    """Raise InputError ``paint-slow``, which says how long it would take without a graphics card.

    Args:
        seconds: the estimate.
        flag: of the command line, that allows it.
        instead: how it would be quicker.
    """
    from ...paint import duration

    raise InputError(
        "paint-slow",
        f"Without a GPU, this would take about {duration.in_words(seconds)}.",
        f"Allow it (“Without a GPU”, {flag}), or {instead}.",
    )
