"""The folder for bulk data, which goes to the worker and comes back as files."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from ..base.errors import InputError
from ..base.temporary import temporary_folder


@contextlib.contextmanager
def work_folder() -> Iterator[Path]:
    """A new folder, which is deleted at the end.

    Raises InputError ``object-gone`` if what is done meanwhile meets data of Blender's that was deleted.
    """
    with temporary_folder() as folder:
        try:
            yield folder
        except ReferenceError as error:
            what = "An object, material or image of this job was deleted while it ran."
            raise InputError("object-gone", what, "Start the job again.") from error
