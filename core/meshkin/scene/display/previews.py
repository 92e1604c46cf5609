"""What is only shown while a job runs, and how it is taken away.

It has to go before an undo, which knows nothing of it: Blender would remove the materials that are shown, but keep the
meshes that use them, because no undo step says that these have changed. And it has to go after an undo, if a step that
was made in the middle of the job brought it back; also long after the job's end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

_take_away: list[Callable[[], None]] = []
"""Of the last job that showed something; each does nothing where nothing is shown."""


def shown(take_away: Sequence[Callable[[], None]]) -> None:
    """Note what takes away what is shown now; it is called more than once and must leave alone what is not there."""
    _take_away[:] = take_away


def remove() -> None:
    """Take away what is shown, if it is."""
    for each in _take_away:
        each()
