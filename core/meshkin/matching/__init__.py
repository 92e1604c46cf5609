"""Features of two shapes in, a map between their surfaces out."""

from .pipeline import MATCHER_VERSION, match, match_features

__all__ = ["MATCHER_VERSION", "match", "match_features"]
