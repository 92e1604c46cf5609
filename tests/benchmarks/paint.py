"""How fast painting and refining run, with networks of full size and random weights: speed does not depend on them.

Ten views of 768 px in 30 steps, and steps of refining; on CUDA also the peak of the memory, and the share of the
device's own matrix rate that the loop reaches, whose operations are counted. Without CUDA only ``--small`` is
practical: narrow networks, 64 px. Its times tell that everything runs, and nothing of a graphics card.

    python tests/benchmarks/paint.py [--small] [--refine STEPS]
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import torch
from torch.utils.flop_counter import FlopCounterMode

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from diffusion import full_size, matrix_rate, seconds
from helpers import shapes, small_diffusion
from meshkin.features.diffusion.joint import JointDiffusion
from meshkin.paint.painting import paint
from meshkin.paint.settings import PaintSettings

ROLES = ("depth", "normal")
TARGETS = (10.0, 60.0)
"""Seconds on one H100: of painting, and of a thousand steps of refining."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--small", action="store_true", help="narrow networks, 64 px")
    parser.add_argument("--refine", type=int, default=100, help="steps of refining that are timed")
    arguments = parser.parse_args()
    cuda = torch.cuda.is_available()
    device = torch.device("cuda" if cuda else "cpu")
    if not cuda and not arguments.small:
        raise SystemExit("There is no CUDA device: run with --small.")
    name = torch.cuda.get_device_name() if cuda else f"{os.cpu_count()} cores ({platform.machine()}), no GPU"
    print(f"{name}; torch {torch.__version__}; {'SMALL networks, 64 px' if arguments.small else 'full size, 768 px'}")
    shape = shapes.bumpy(shapes.sphere(32, 16) if arguments.small else shapes.sphere(160, 80))
    settings = PaintSettings("a potato")
    if arguments.small:
        settings = replace(settings, resolution=64, size=128)
    with tempfile.TemporaryDirectory() as folder:
        small_diffusion.quiet()
        folders = (small_diffusion.everything if arguments.small else full_size)(Path(folder))
        networks = JointDiffusion(Path(folders["base"]), [Path(folders[role]) for role in ROLES], str(device))
        paint(shape, networks, ROLES, replace(settings, steps=2))
        if cuda:
            torch.cuda.reset_peak_memory_stats(device)
        taken = seconds(device, paint, shape, networks, ROLES, settings)
        peak = f", peak {torch.cuda.max_memory_allocated(device) / 1e9:.1f} GB" if cuda else ""
        print(f"paint, {settings.views + 2} views, {settings.steps} steps: {taken:.1f} s{peak}")
        if cuda:
            with FlopCounterMode(display=False) as counter:
                paint(shape, networks, ROLES, settings)
            share = counter.get_total_flops() / taken / matrix_rate(device)
            print(f"  {share:.0%} of the matrix rate; target {TARGETS[0]:.0f} s on one H100")
        refining = seconds(device, paint, shape, networks, ROLES, replace(settings, refine=arguments.refine)) - taken
        print(
            f"refine: {refining / arguments.refine * 1000:.1f} s for 1,000 steps; target {TARGETS[1]:.0f} s on one H100"
        )


if __name__ == "__main__":
    main()
