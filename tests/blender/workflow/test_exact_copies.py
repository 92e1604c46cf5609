"""A copy of a character, turned, scaled and shuffled, through the matcher as it is: everything arrives as it was."""

from __future__ import annotations

import pytest

from helpers import exact_copies
from helpers.places import DATA
from meshkin import workflow
from meshkin.base.progress import finish

CHARACTER = DATA / "characters" / "kaykit" / "Knight.glb"


@pytest.mark.slow
@pytest.mark.skipif(not CHARACTER.is_file(), reason=f"no {CHARACTER}")
def test_everything_arrives_as_it_was() -> None:
    source = exact_copies.imported(CHARACTER)
    images = exact_copies.images_of(source)
    copy = exact_copies.copied(source, shuffled=True)
    options = workflow.Options(
        workflow.FeatureOptions("geometric"),
        texture=workflow.TextureOptions(size=max(image.size[0] for image in images.values())),
    )
    finish(workflow.transfer(source, copy.obj, exact_copies.WHAT, options))
    assert exact_copies.weights_error(source, copy) < 0.005
    assert exact_copies.keys_error(source, copy) < 0.1
    assert exact_copies.joints_error(source, copy) < 0.1
    assert exact_copies.wrong_values(source, copy) == 0
    assert exact_copies.texture_psnr(source, copy, images) > 100
