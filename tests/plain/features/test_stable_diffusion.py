"""One look of Stable Diffusion, on small random models of the real architecture: taps, batches, noise, encoding."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from helpers.painting import PIXELS
from meshkin.base.errors import MeshKinError
from meshkin.features.diffusion.noise import Noise, view_seed
from meshkin.features.diffusion.stable_diffusion import StableDiffusion
from meshkin.features.diffusion.taps import TAPS

pytestmark = pytest.mark.usefixtures("home")


@pytest.fixture(scope="module")
def loaded(folders: dict[str, str]) -> StableDiffusion:
    controls = [Path(folders["depth"]), Path(folders["normal"])]
    return StableDiffusion(Path(folders["base"]), controls, device="cpu", batch=4)


@pytest.fixture
def engine(loaded: StableDiffusion) -> StableDiffusion:
    """As if just loaded."""
    loaded._sizes.clear()
    loaded._texts.clear()
    return loaded


def a_look(engine: StableDiffusion, rows: int = 3) -> dict[str, Any]:
    pictures = torch.rand((rows, 3, PIXELS, PIXELS), generator=torch.Generator().manual_seed(1))
    latents = engine.add_noise(engine.encode(pictures), Noise.draw(range(rows), (8, 8)).start, 500)
    text = engine.encode_text("a potato")
    return {"latents": latents, "step": 500, "text": text, "controls": [pictures, 1 - pictures], "scales": [0.8, 0.8]}


@pytest.fixture(scope="module")
def looked(loaded: StableDiffusion) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """One look to the end, every tap read on the way."""
    look = a_look(loaded, rows=1)
    noise, maps = loaded.evaluate(**look, taps=list(TAPS))
    assert noise is not None
    assert noise.shape == look["latents"].shape
    return look, dict(zip(TAPS, maps, strict=True))


@pytest.mark.parametrize(
    ("tap", "shape"),
    [
        ("s5", (96, 1, 1)), ("up0", (96, 2, 2)), ("s4", (96, 2, 2)), ("up1", (96, 4, 4)),
        ("s3", (64, 4, 4)), ("up2", (64, 8, 8)), ("s2", (32, 8, 8)), ("up3", (32, 8, 8)),
    ],
)  # fmt: skip
def test_every_tap_has_its_shape_and_the_decoder_may_stop_after_it(
    engine: StableDiffusion, looked: tuple[dict[str, Any], dict[str, torch.Tensor]], tap: str, shape: tuple[int, ...]
) -> None:
    look, maps = looked
    whole = maps[tap]
    assert whole.shape == (1, *shape)
    assert engine.channels(tap) == shape[0]
    reached: list[str] = []
    handles = [
        engine._unet.get_submodule(module).register_forward_hook(lambda *_, name=name: reached.append(name))
        for name, module in TAPS.items()
    ]
    nothing, (stopped,) = engine.evaluate(**look, taps=[tap], predict=False)
    for handle in handles:
        handle.remove()
    assert nothing is None
    assert set(reached) == set(list(TAPS)[: list(TAPS).index(tap) + 1])
    torch.testing.assert_close(stopped, whole, rtol=0, atol=0)


def test_taps_come_in_the_order_asked_for(engine: StableDiffusion) -> None:
    look = a_look(engine)
    _, (one, two) = engine.evaluate(**look, taps=["s3", "s5"], predict=False)
    assert (one.shape[1], two.shape[1]) == (64, 96)


def test_the_controlnets_have_their_say(engine: StableDiffusion) -> None:
    look = a_look(engine)
    steered, _ = engine.evaluate(**look)
    free, _ = engine.evaluate(**{**look, "scales": [0.0, 0.0]})
    other, _ = engine.evaluate(**{**look, "controls": look["controls"][::-1]})
    assert steered is not None
    assert free is not None
    assert other is not None
    assert (steered - free).abs().max() > 1e-3
    assert (steered - other).abs().max() > 1e-3


@pytest.mark.parametrize("failure", [torch.OutOfMemoryError("no memory"), RuntimeError("CUDA error: out of memory")])
def test_batches_halve_where_memory_runs_out_and_stay_so(
    failure: RuntimeError, engine: StableDiffusion, monkeypatch: pytest.MonkeyPatch
) -> None:
    look = a_look(engine, rows=7)
    expected, (map_expected,) = engine.evaluate(**look, taps=["up1"])
    sizes = []
    forward = type(engine._unet).forward

    def short(network: Any, sample: torch.Tensor, *arguments: Any, **more: Any) -> Any:
        sizes.append(len(sample))
        if len(sample) > 2:
            raise failure
        return forward(network, sample, *arguments, **more)

    monkeypatch.setattr(type(engine._unet), "forward", short)
    noise, (found,) = engine.evaluate(**look, taps=["up1"])
    assert sizes == [4, 2, 2, 2, 1]
    sizes.clear()
    engine.evaluate(**look)
    assert sizes == [2, 2, 2, 1]
    assert noise is not None
    assert expected is not None
    torch.testing.assert_close(noise, expected, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(found, map_expected, rtol=1e-3, atol=1e-4)


def test_not_even_one_row_fits(engine: StableDiffusion, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*arguments: Any, **more: Any) -> Any:
        raise torch.OutOfMemoryError("no memory")

    monkeypatch.setattr(type(engine._vae), "decode", none)
    with pytest.raises(MeshKinError) as caught:
        engine.decode(torch.zeros((2, 4, 8, 8)))
    assert caught.value.code == "memory-low"

    def broken(*arguments: Any, **more: Any) -> Any:
        raise RuntimeError("another failure")

    monkeypatch.setattr(type(engine._vae), "decode", broken)
    with pytest.raises(RuntimeError, match="another failure"):
        engine.decode(torch.zeros((2, 4, 8, 8)))


def test_a_text_is_encoded_once(engine: StableDiffusion, monkeypatch: pytest.MonkeyPatch) -> None:
    one = engine.encode_text("a potato")
    monkeypatch.delattr(engine, "_text_encoder")
    assert engine.encode_text("a potato") is one


def test_encoding_samples_the_distribution_it_is_told_to(engine: StableDiffusion) -> None:
    pictures = torch.rand((2, 3, PIXELS, PIXELS), generator=torch.Generator().manual_seed(1))
    noise = Noise.draw([5, 6], (8, 8)).start
    with torch.no_grad():
        told = engine._vae.encode(pictures * 2 - 1).latent_dist
    factor = engine._vae.config.scaling_factor
    torch.testing.assert_close(engine.encode(pictures), told.mean * factor, rtol=1e-4, atol=1e-5)
    sampled = (told.mean + told.std * noise) * factor
    torch.testing.assert_close(engine.encode(pictures, noise), sampled, rtol=1e-4, atol=1e-5)


def test_noise_belongs_to_the_view() -> None:
    rotation = np.eye(3)
    seeds = [view_seed(60, direction) for direction in rotation]
    assert len({*seeds, view_seed(61, rotation[0])}) == 4
    assert view_seed(60, rotation[0] + 1e-9) == view_seed(60, rotation[0] * (1, -1, -1))
    one, all_ = Noise.draw(seeds[1:2], (4, 4), 3, True), Noise.draw(seeds, (4, 4), 3, True)
    for name in ("posterior", "start", "steps"):
        torch.testing.assert_close(getattr(one, name)[0], getattr(all_, name)[1], rtol=0, atol=0)
    assert Noise.draw(seeds, (4, 4)).posterior is None
