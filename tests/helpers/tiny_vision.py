"""A small vision model for tests in a Python without PyTorch: the worker's Python makes it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from helpers.places import CORE, TESTS

_CODE = """
import sys, torch
from transformers import Dinov2Config, Dinov2Model
torch.manual_seed(0)
config = Dinov2Config(hidden_size=48, num_hidden_layers=3, num_attention_heads=3, image_size=112)
Dinov2Model(config).save_pretrained(sys.argv[1], safe_serialization=True)
"""


def save(folder: Path) -> str:
    """Save a randomly initialized DINOv2 of the real architecture as transformers saves it; returns the folder."""
    python = os.environ["MESHKIN_WORKER_PYTHON"]
    subprocess.run([python, "-c", _CODE, str(folder)], check=True, capture_output=True)
    return str(folder)


def save_marigold(folder: Path) -> dict[str, str]:
    """Save a small random Marigold model of each kind; their folders by kind."""
    code = (
        "import sys; from pathlib import Path; sys.path[:0] = sys.argv[2:]; from helpers import small_diffusion\n"
        "for kind in small_diffusion.MARIGOLD: small_diffusion.marigold(Path(sys.argv[1]) / kind, kind)"
    )
    python = os.environ["MESHKIN_WORKER_PYTHON"]
    command = [python, "-c", code, str(folder), str(TESTS), str(CORE)]
    subprocess.run(command, check=True, capture_output=True)
    return {path.name: str(path) for path in sorted(folder.iterdir())}
