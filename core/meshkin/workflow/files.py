"""The folder for bulk data, which goes to the worker and comes back as files."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ..base.errors import InputError
from ..base.storage import readable_failure


@contextlib.contextmanager
def work_folder() -> Iterator[Path]:
    """A new folder, which is deleted at the end.

    Raises InputError ``object-gone`` if what is done meanwhile meets data of Blender's that was deleted.
    """
    with readable_failure(Path(tempfile.gettempdir()), "making a folder in"):
        folder = Path(tempfile.mkdtemp(prefix="meshkin-"))
    try:
        yield folder
    except ReferenceError as error:
        what = "An object, material or image of this job was deleted while it ran."
        raise InputError("object-gone", what, "Start the job again.") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
