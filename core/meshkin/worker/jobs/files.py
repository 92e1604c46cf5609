"""Where jobs keep maps."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from ...base.json_data import Json
from ...base.storage import map_path


def keyed_map_path(*parts: Json) -> Path:
    """The cache file of the map that is made from these JSON values."""
    return map_path(hashlib.blake2b(json.dumps(parts).encode(), digest_size=16).hexdigest())
