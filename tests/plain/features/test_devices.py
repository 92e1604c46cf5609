"""Where diffusion models run: precision, room in memory, a processor only where it is named."""

from __future__ import annotations

from functools import partial

import pytest
import torch

from helpers.painting import Resolve
from meshkin.base.errors import InputError, MeshKinError
from meshkin.features import building
from meshkin.models import devices

pytestmark = pytest.mark.usefixtures("home")


def test_half_precision_as_the_card_prefers() -> None:
    single, half, brain = torch.float32, torch.float16, torch.bfloat16
    for capability in ((8, 0), (8, 9), (9, 0), (12, 0)):
        assert devices.diffusion_precision(capability) == (brain, brain)
    for capability in ((6, 1), (7, 0), (7, 5)):
        assert devices.diffusion_precision(capability) == (half, single)
    assert devices.diffusion_precision(None) == (single, single)
    assert devices.capability(torch.device("cpu")) is None


def test_sums_leave_a_small_card_its_room(monkeypatch: pytest.MonkeyPatch) -> None:
    card, computer = torch.device("cuda"), torch.device("cpu")
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (2**30, 2**33))
    assert devices.sums_device(card, 2**29) == card
    assert devices.sums_device(card, 2**29 + 1) == computer
    assert devices.sums_device(computer, 2**40) == computer


def test_a_card_that_is_too_small(resolve: Resolve, monkeypatch: pytest.MonkeyPatch) -> None:
    building.prepare(resolve(), "cpu")
    monkeypatch.setattr(devices, "choose", lambda name: torch.device("cuda"))
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (2**29, 2**31))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: 0)
    with pytest.raises(MeshKinError, match="GiB") as caught:
        building.prepare(resolve(), "auto")
    assert caught.value.code == "memory-low"


def test_a_card_is_chosen_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert devices.choose("auto") == devices.choose("cuda") == torch.device("cuda")
    assert devices.choose("cuda:1") == torch.device("cuda:1")
    with pytest.raises(InputError) as caught:
        devices.choose("cuda:2")
    assert caught.value.code == "device-missing"


def test_large_networks_are_left_to_a_processor_only_where_it_is_named(
    resolve: Resolve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a machine without CUDA says; the tests' own networks are small."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    devices.check_room("auto", 10**7)
    devices.check_room("cpu", 10**9)
    for refused in (partial(devices.check_room, "auto", 10**9), partial(building.prepare, resolve(), "cuda")):
        with pytest.raises(InputError, match="CUDA") as caught:
            refused()
        assert caught.value.code == "device-missing"
        assert "“cpu”" in caught.value.fix
