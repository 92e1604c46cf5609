"""Diff3F on small random models of the real architecture: its pictures, and its features against themselves in other
batches, orders and runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional

from helpers.painting import PIXELS, Array, Resolve, all_maps, images_of, painter, relative
from meshkin.base.errors import Cancelled
from meshkin.base.progress import silent
from meshkin.data.snapshot import Snapshot
from meshkin.features import resuming
from meshkin.features.building import build
from meshkin.features.compute import KeptViews, compute
from meshkin.features.diffusion import stable_diffusion
from meshkin.features.diffusion.noise import Noise
from meshkin.features.diffusion.stable_diffusion import StableDiffusion
from meshkin.features.extractors.diff3f.painting import Diff3fReader, depth_picture, normal_picture
from meshkin.features.lifting import view_weights
from meshkin.features.view_data import ViewImages
from meshkin.features.vision_transformer import VisionTransformer
from meshkin.models import devices

pytestmark = pytest.mark.usefixtures("home")


def test_calibrated_pictures(potato: Snapshot, resolve: Resolve) -> None:
    images, _ = images_of(potato, resolve())
    seen = np.isfinite(images.depth)
    depth, normal = depth_picture(images)[:, 0].numpy(), normal_picture(images).permute(0, 2, 3, 1).numpy()
    assert depth[seen].min() == pytest.approx(0.2)
    assert depth[seen].max() == 1
    assert (depth[~seen] == 0).all()
    assert np.allclose(normal[~seen], (0.5, 0.5, 1))
    for view in range(len(seen)):  # blue is front, red is left, green is top
        columns = np.nonzero(seen[view].any(axis=0))[0]
        rows = np.nonzero(seen[view].any(axis=1))[0]
        middle_row, middle = (rows[0] + rows[-1]) // 2, (columns[0] + columns[-1]) // 2
        line = np.flatnonzero(seen[view][middle_row])
        assert normal[view][middle_row, line[0], 0] > 0.7 > 0.3 > normal[view][middle_row, line[-1], 0]
        column = np.flatnonzero(seen[view][:, middle])
        assert normal[view][column[0], middle, 1] > 0.7 > 0.3 > normal[view][column[-1], middle, 1]
        assert normal[view][middle_row, middle, 2] > 0.8


@pytest.mark.parametrize("profile", ["fast", "reference"])
def test_neither_batch_nor_order_nor_run_matters(profile: str, resolve: Resolve, potato: Snapshot) -> None:
    chosen = resolve(profile, views=4 if profile == "fast" else 9, steps=3)
    images, _ = images_of(potato, chosen)
    images = images.take([0, 1, 2])
    one = all_maps(painter(chosen, 1).extract(images, silent))
    again = all_maps(painter(chosen, 1).extract(images, silent))
    together = all_maps(painter(chosen, 8).extract(images, silent))
    turned = all_maps(painter(chosen, 2).extract(images.take([2, 0, 1]), silent))
    for single, repeated, batched, other in zip(one, again, together, turned, strict=True):
        np.testing.assert_array_equal(repeated, single)
        assert relative(batched, single) < 1e-3
        assert relative(other[[1, 2, 0]], single) < 1e-3


def test_views_differ_by_their_noise_where_each_has_its_own(resolve: Resolve, potato: Snapshot) -> None:
    for noise, same in (("shared", True), ("view", False)):
        images, _ = images_of(potato, resolve())
        drawn = painter(resolve(noise=noise)).noise(images)
        assert bool((drawn.start[0] == drawn.start[1]).all()) is same


def test_guidance_of_one_runs_one_branch_and_what_nothing_reads_is_not_made(
    resolve: Resolve, potato: Snapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    images, _ = images_of(potato, resolve())
    rows, decoded = [], []
    evaluate, decode = StableDiffusion.evaluate, StableDiffusion.decode

    def counted(engine: StableDiffusion, latents: torch.Tensor, *arguments: Any) -> Any:
        rows.append((len(latents), arguments[-1]))
        return evaluate(engine, latents, *arguments)

    def noted(engine: StableDiffusion, latents: torch.Tensor) -> Any:
        decoded.append(len(latents))
        return decode(engine, latents)

    monkeypatch.setattr(StableDiffusion, "evaluate", counted)
    monkeypatch.setattr(StableDiffusion, "decode", noted)
    next(painter(resolve(steps=5), 1).extract(images, silent))
    assert rows == [(1, True)] * 3 + [(1, False)]
    assert decoded == [1]
    rows.clear()
    decoded.clear()
    chosen = resolve(fusion=0.0, steps=2)
    assert "dinov2" not in chosen.parts[0].models
    found = next(painter(chosen, 1).extract(images, silent))
    assert (len(found.maps), found.painted, decoded) == (1, None, [])
    rows.clear()
    next(painter(resolve("reference", steps=3), 2).extract(images, silent))
    assert rows == [(2, True)] * 2


def test_hyper_features(resolve: Resolve, potato: Snapshot) -> None:
    images, seen = images_of(potato, resolve(views=2))
    more = {"taps": {"s3": 1.0, "s5": 0.5}, "fusion": 0.2, "controls": [0.0, 1.0], "share": 0.2, "layers": [1, 3]}
    chosen = resolve(views=2, steps=4, **more)
    assert set(chosen.parts[0].models) == {"base", "normal", "dinov2"}
    extractor = painter(chosen)
    found = next(extractor.extract(images, silent))
    assert [one.shape[1] for one in found.maps] == list(extractor.channels) == [64, 96, 48, 48]
    assert np.allclose(np.array(extractor.map_weights) / extractor.map_weights[0], (1, 0.5, 0.25, 0.25))
    lengths = found.maps[0].norm(dim=1)
    torch.testing.assert_close(lengths, torch.ones_like(lengths))  # one step of three, with the last weight
    features = compute(potato, chosen, seen, "cpu").features.astype(np.float32)
    assert features.shape == (len(potato.vertices), 64 + 96 + 48 + 48)
    np.testing.assert_allclose(np.linalg.norm(features[:, :64], axis=1), extractor.map_weights[0], rtol=2e-3)


def test_the_prompt_and_the_seed_change_the_painting(resolve: Resolve, potato: Snapshot) -> None:
    images, _ = images_of(potato, resolve())
    images = images.take([0])

    def maps(**settings: Any) -> list[Array]:
        return all_maps(painter(resolve(steps=2, fusion=0.0, **settings)).extract(images, silent))

    plain = maps()
    for other in (maps(prompt="zebra"), maps(seed=61), maps(template="{}")):
        assert relative(other[0], plain[0]) > 1e-3


def test_progress_at_each_step_and_cancel_in_the_middle(resolve: Resolve, potato: Snapshot) -> None:
    images, _ = images_of(potato, resolve())
    told = []
    list(painter(resolve(steps=4)).extract(images, lambda stage, part: told.append(part)))
    assert len(set(told)) >= 2 * 3  # two views at a time, three steps each
    assert told == sorted(told)

    def stop(stage: str, fraction: float) -> None:
        if fraction > 0.3:
            raise Cancelled

    with pytest.raises(Cancelled):
        list(painter(resolve(steps=4)).extract(images, stop))


def test_a_stopped_job_takes_up_the_views_it_had_done(
    resolve: Resolve, potato: Snapshot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = resolve(steps=3)
    _, seen = images_of(potato, chosen)
    whole = compute(potato, chosen, seen, "cpu", kept=KeptViews(tmp_path / "whole", tmp_path / "painted"))
    pictures = sorted(path.name for path in (tmp_path / "painted").iterdir())
    assert pictures == ["000.png", "001.png", "002.png", "003.png"]
    assert Image.open(tmp_path / "painted" / "002.png").size == (PIXELS, PIXELS)

    def stop(stage: str, fraction: float) -> None:
        if fraction > 0.6:
            raise Cancelled

    with pytest.raises(Cancelled):
        compute(potato, chosen, seen, "cpu", stop, KeptViews(tmp_path / "partial", tmp_path / "resumed"))
    done = sorted(path.name for path in (tmp_path / "partial").iterdir())
    assert done == ["000.safetensors", "001.safetensors"]
    (tmp_path / "partial" / "001.safetensors").write_bytes(b"cut short")
    computed: list[int] = []
    noise = Diff3fReader.noise

    def counted(reader: Diff3fReader, images: ViewImages) -> Noise:
        computed.append(len(images.normal))
        return noise(reader, images)

    monkeypatch.setattr(Diff3fReader, "noise", counted)
    resumed = compute(potato, chosen, seen, "cpu", silent, KeptViews(tmp_path / "partial", tmp_path / "resumed"))
    assert sum(computed) == 3
    assert relative(resumed.features.astype(np.float32), whole.features.astype(np.float32)) < 1e-3
    for name in pictures:
        one, two = (np.asarray(Image.open(tmp_path / run / name), int) for run in ("painted", "resumed"))
        assert np.abs(one - two).max() <= 1


def test_a_full_disk_ends_the_keeping_not_the_job(resolve: Resolve, potato: Snapshot, tmp_path: Path) -> None:
    chosen = resolve(steps=2)
    images, _ = images_of(potato, chosen)
    (tmp_path / "partial").write_text("a file where the folder should be")
    extractor = painter(chosen)
    found = all_maps(resuming.extract(extractor, images, tmp_path / "partial", silent))
    assert len(found[0]) == 4


def test_fast_features_are_lifted_where_they_are_seen(resolve: Resolve, potato: Snapshot) -> None:
    chosen = resolve(views=4, steps=2)
    images, seen = images_of(potato, chosen)
    assert images.views is not None
    found = compute(potato, chosen, seen, "cpu")
    weights = view_weights(potato.vertices, potato.faces, potato.parts, images.views, seen.depth)
    np.testing.assert_array_equal(found.seen, (weights > 0).sum(axis=0))
    np.testing.assert_allclose(np.linalg.norm(found.features.astype(np.float32), axis=1), 1, rtol=2e-3)


def test_two_prompts_share_one_set_of_networks(resolve: Resolve) -> None:
    one, two = (build(resolve(prompt=prompt).parts[0], "cpu") for prompt in ("cat", "lion"))
    assert isinstance(one, Diff3fReader)
    assert isinstance(two, Diff3fReader)
    assert one is not two
    assert one._sd is two._sd


@pytest.mark.parametrize(("capability", "least"), [((7, 5), 0.999), ((9, 0), 0.99)])
def test_half_precision_gives_the_features_of_single(
    capability: tuple[int, int], least: float, resolve: Resolve, potato: Snapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = resolve(views=1, steps=3)
    images, _ = images_of(potato, chosen)
    exact = all_maps(painter(chosen).extract(images, silent))
    stable_diffusion.load.cache_clear()
    monkeypatch.setattr(devices, "capability", lambda device: capability)
    half = painter(chosen)
    assert next(half._sd._unet.parameters()).dtype == devices.diffusion_precision(capability)[0] != torch.float32
    assert next(half._sd._vae.parameters()).dtype == devices.diffusion_precision(capability)[1]
    grids = list(half.extract(images, silent))
    stable_diffusion.load.cache_clear()
    assert {one.dtype for batch in grids for one in batch.maps} == {torch.float32}
    for one, two in zip(exact, all_maps(iter(grids)), strict=True):
        similarity = functional.cosine_similarity(torch.from_numpy(one), torch.from_numpy(two), dim=1)
        assert similarity.min() > least


def test_dinov2_takes_fewer_pictures_where_memory_runs_out(
    resolve: Resolve, potato: Snapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    extractor = painter(resolve(steps=3))
    painted = torch.randint(0, 256, (3, 3, PIXELS, PIXELS), generator=torch.Generator().manual_seed(1)).byte()
    (expected,) = extractor._seen(painted)
    maps, sizes = VisionTransformer.maps, []

    def short(network: VisionTransformer, pictures: torch.Tensor) -> list[torch.Tensor]:
        sizes.append(len(pictures))
        if len(pictures) > 1:
            raise torch.OutOfMemoryError("no memory")
        return maps(network, pictures)

    monkeypatch.setattr(VisionTransformer, "maps", short)
    (found,) = extractor._seen(painted)
    assert sizes == [3, 1, 1, 1]
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("profile", ["fast", "reference"])
def test_cuda_agrees_with_the_cpu(profile: str, resolve: Resolve, potato: Snapshot) -> None:
    chosen = resolve(profile, views=4, steps=5)
    images, _ = images_of(potato, chosen)
    exact = all_maps(painter(chosen).extract(images, silent))
    found = all_maps(painter(chosen, device="cuda").extract(images, silent))
    for one, two in zip(exact, found, strict=True):
        similarity = functional.cosine_similarity(torch.from_numpy(one), torch.from_numpy(two), dim=1)
        assert similarity.min() > 0.99
