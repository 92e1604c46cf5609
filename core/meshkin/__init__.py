"""MeshKin finds, for every point of one shape, the corresponding point of another, and transfers data between them."""

from __future__ import annotations

TYPE_CHECKING = False  # as in typing, which is not imported: see __main__
if TYPE_CHECKING:
    from typing import Any

    from .data.snapshot import Snapshot
    from .matching.shapes import match_shapes as match

__version__ = "0.1.0"
__all__ = ["Snapshot", "__version__", "match"]


def __getattr__(name: str) -> Any:
    """Import what scripts use on first access, so that importing the package stays fast."""
    if name == "Snapshot":
        from .data.snapshot import Snapshot

        return Snapshot
    if name == "match":
        from .matching.shapes import match_shapes

        return match_shapes
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
