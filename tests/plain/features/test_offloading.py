"""Networks that are not in use leave the device where its memory is small.

The device is PyTorch's "meta", which computes no values: where networks and what they read are is as on a card. On the
way back from it networks lose their values, which nothing here asks for.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from meshkin.features.diffusion.joint import JointDiffusion

pytestmark = pytest.mark.usefixtures("home")

CARD = torch.device("meta")
TEXT, VAE, UNET, CONTROLS = "_text_encoder", "_vae", "_unet", "_controls"


@pytest.fixture
def networks(folders: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> JointDiffusion:
    loaded = JointDiffusion(Path(folders["base"]), [Path(folders[role]) for role in ("depth", "normal")], "cpu")
    loaded.device, loaded.batch = CARD, 2

    def to(network: torch.nn.Module, place: torch.device) -> torch.nn.Module:
        return torch.nn.Module.to(network, place) if place == CARD else network.to_empty(device=place)

    for kind in {type(network) for own in loaded._networks().values() for network in own}:
        monkeypatch.setattr(kind, "to", to)
    return loaded


def on_card(networks: JointDiffusion) -> set[str]:
    """The names of the networks of which something is on the card."""
    found = networks._networks().items()
    return {name for name, own in found for one in own if any(weight.device == CARD for weight in one.parameters())}


def jobs(networks: JointDiffusion) -> dict[str, Callable[[], object]]:
    """What painting asks for, by the networks that do it."""
    pictures = torch.empty((2, 3, 64, 64), device=CARD)
    latents = torch.empty((2, 4, 8, 8), device=CARD)
    text = torch.empty((2, 77, 32), device=CARD)
    more = {"controls": [pictures, pictures], "scales": [0.8, 0.8], "attended": [(0, 1), (1, 0)]}
    return {
        TEXT: lambda: networks.encode_text("a potato"),
        VAE: lambda: networks.encode(pictures),
        UNET: lambda: networks.evaluate_together(latents, 500, text, **more),  # type: ignore[arg-type]
        "decoded": lambda: networks.decode(latents),
    }


def test_where_all_fit_they_stay(networks: JointDiffusion) -> None:
    for job in jobs(networks).values():
        job()
    assert on_card(networks) == {TEXT, VAE, UNET, CONTROLS}
    networks.rest()
    assert on_card(networks) == set()


def test_where_not_all_fit_only_those_in_use_are_on_the_device(networks: JointDiffusion) -> None:
    networks._together = False
    used = {TEXT: {TEXT}, VAE: {VAE}, UNET: {UNET, CONTROLS}, "decoded": {VAE}}
    for name, job in jobs(networks).items():
        job()
        assert on_card(networks) == used[name]


def test_what_is_idle_leaves_before_fewer_rows_are_looked_at(
    networks: JointDiffusion, monkeypatch: pytest.MonkeyPatch
) -> None:
    todo = jobs(networks)
    todo[VAE]()
    forward = type(networks._unet).forward
    tries = []

    def short(network: Any, *arguments: Any, **more: Any) -> Any:
        tries.append((on_card(networks), networks.rows_at_a_time))
        if len(tries) < 3:
            raise torch.OutOfMemoryError("no memory")
        return forward(network, *arguments, **more)

    monkeypatch.setattr(type(networks._unet), "forward", short)
    todo[UNET]()
    assert tries == [({VAE, UNET, CONTROLS}, 2), ({UNET, CONTROLS}, 2), ({UNET, CONTROLS}, 1)]
