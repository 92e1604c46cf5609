"""Every payload onto exact copies of real characters, through the matcher as it is: what is certain must stay certain.

    python tests/benchmarks/copies.py [NAME …]

Runs where ``bpy`` is, with a worker; reads characters from ``MESHKIN_TEST_DATA`` (default: a folder ``shared/data``
beside the checkout). A row for each character and kind of copy: one stands beside the character, the other is turned,
1.7 times as large, and has its vertices and faces in another order.
"""

# ruff: noqa: E402
from __future__ import annotations

import os
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "core"), str(ROOT / "tests")]

from helpers.exact_copies import (
    WHAT,
    copied,
    images_of,
    imported,
    joints_error,
    keys_error,
    texture_psnr,
    weights_error,
    wrong_values,
)
from meshkin import workflow
from meshkin.base.progress import finish
from meshkin.worker import client

DATA = Path(os.environ.get("MESHKIN_TEST_DATA", ROOT.parent / "shared" / "data")) / "characters"
NAMES = (
    *("quaternius/men_Casual", "quaternius/women_Medieval", "quaternius/dino_Stegosaurus", "kaykit/Knight"),
    *("kaykit/Mage", "mesh2motion/human-male", "mesh2motion/human-zombie", "mesh2motion/fox-horse"),
    *("mesh2motion/human-sophia", "quadrupeds/Cow-v3", "quadrupeds/Wolf-v12"),
)


def main() -> None:
    """Print the table."""
    print(f"{'':30}{'copy':>10}{'weights':>9}{'keys %':>9}{'joints %':>10}{'values %':>9}{'texture dB':>12}{'s':>6}")
    for name in sys.argv[1:] or NAMES:
        source = imported(DATA / f"{name}.glb")
        images = images_of(source)
        size = max(image.size[0] for image in images.values())
        for title, shuffled in (("beside", False), ("shuffled", True)):
            copy = copied(source, shuffled)
            start = time.monotonic()
            options = workflow.Options(workflow.FeatureOptions("geometric"), texture=workflow.TextureOptions(size=size))
            finish(workflow.transfer(source, copy.obj, WHAT, options))
            taken = time.monotonic() - start
            figures = (
                f"{weights_error(source, copy):9.4f}{keys_error(source, copy):9.4f}{joints_error(source, copy):10.4f}"
            )
            figures += f"{wrong_values(source, copy):9.4f}{texture_psnr(source, copy, images):12.1f}{taken:6.0f}"
            print(f"{name:30}{title:>10}{figures}", flush=True)
    client.stop()
    os._exit(0)


if __name__ == "__main__":
    main()
