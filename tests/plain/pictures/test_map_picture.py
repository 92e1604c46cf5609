"""The worker's job that reads maps from photographs: large ones, transparent ones, and maps out of the cache."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from helpers import small_diffusion
from meshkin.base.color import srgb_to_linear
from meshkin.base.progress import silent
from meshkin.base.storage import cache_folder
from meshkin.pictures import reading
from meshkin.pictures.models import find_models
from meshkin.worker.jobs.pictures import map_picture
from meshkin.worker.requests.pictures import MapPicture

pytestmark = pytest.mark.usefixtures("home")


@pytest.fixture
def request_of_huge_photo(tmp_path: Path) -> MapPicture:
    """A photo with an opaque disc, larger than what anything looks at."""
    row, column = np.mgrid[:1500, :3000]
    disc = np.hypot(row - 750, column - 1500) < 600
    pixels = np.stack((row // 6, column // 12, 255 - row // 6, 255 * disc), axis=-1)
    Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / "huge.png", compress_level=1)
    folder = small_diffusion.marigold(tmp_path / "model", "marigold-intrinsics")
    models = tuple(find_models(("albedo", "roughness"), str(folder)))
    (tmp_path / "maps").mkdir()
    return MapPicture(tmp_path / "huge.png", None, None, None, models, 0, 1, 256, "cpu", tmp_path / "maps")


def test_a_huge_photo_is_read_as_it_is_matched(
    request_of_huge_photo: MapPicture, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = map_picture(request_of_huge_photo, silent)
    assert set(result.maps) == {"albedo", "roughness"}
    assert result.fit is None
    albedo, roughness = (np.load(result.maps[name]) for name in ("albedo", "roughness"))
    assert albedo.shape == (1024, 2048, 3)
    assert roughness.shape == (1024, 2048)
    row, column = np.mgrid[:1024, :2048]
    inside = np.hypot(row - 512, column - 1024) < 409
    shown = np.array(Image.open(request_of_huge_photo.photo).convert("RGB").resize((2048, 1024)))  # type: ignore[arg-type]
    wanted = srgb_to_linear(shown[inside] / 255.0).mean(axis=0)
    np.testing.assert_allclose(srgb_to_linear(albedo[inside].astype(np.float64)).mean(axis=0), wanted, rtol=0.05)

    with monkeypatch.context() as patch:
        patch.setattr(reading, "read_maps", lambda *_: pytest.fail("it was read again"))
        again = map_picture(request_of_huge_photo, silent)
    np.testing.assert_array_equal(np.load(again.maps["albedo"]), albedo)

    for file in (cache_folder() / "maps").iterdir():
        file.write_bytes(file.read_bytes()[:1000])
    anew = map_picture(request_of_huge_photo, silent)
    np.testing.assert_array_equal(np.load(anew.maps["roughness"]), roughness)
    other = map_picture(replace(request_of_huge_photo, seed=1), silent)
    assert np.abs(np.load(other.maps["roughness"]) - roughness).max() > 1e-3
