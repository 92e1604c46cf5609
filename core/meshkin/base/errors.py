"""MeshKin's errors. Each has a code for scripts, a sentence for people, and a fix."""

from __future__ import annotations


class MeshKinError(Exception):
    """An expected failure, the base of all of MeshKin's errors.

    Attributes:
        code: kebab-case name, stable between releases (``mesh-empty``).
        message: one sentence for people.
        fix: what the user can do about it; may be empty.
        exit_code: exit code of the command line.
    """

    exit_code = 1

    def __init__(self, code: str, message: str, fix: str = "") -> None:
        super().__init__(f"{message} {fix}".strip())
        self.code = code
        self.message = message
        self.fix = fix

    def to_dict(self) -> dict[str, str]:
        """Return the error as JSON data; :func:`from_dict` is the inverse."""
        return {"kind": type(self).__name__, "code": self.code, "message": self.message, "fix": self.fix}


class InputError(MeshKinError):
    """A mesh, image, file or option cannot be used as it is."""

    exit_code = 3


class OptionError(InputError):
    """An option has a value that no mesh, image or file could make right."""


class ModelError(MeshKinError):
    """A model is missing or damaged, or has another architecture than expected."""

    exit_code = 4


class WorkerError(MeshKinError):
    """The worker is missing, could not start, crashed, or does not answer."""

    exit_code = 5


class StorageError(MeshKinError):
    """A file or folder cannot be read or written: no space, no permission, or damaged."""

    exit_code = 6


class Cancelled(MeshKinError):
    """The user stopped the job."""

    exit_code = 130

    def __init__(self, code: str = "cancelled", message: str = "The job was cancelled.", fix: str = "") -> None:
        super().__init__(code, message, fix)


class Enough(Cancelled):
    """Thrown into a job: the user wants no more than is there. A job that does not finish that is stopped."""


_CLASSES = {
    cls.__name__: cls
    for cls in (MeshKinError, InputError, OptionError, ModelError, WorkerError, StorageError, Cancelled)
}
"""The error classes by name."""


def from_dict(data: dict[str, str]) -> MeshKinError:
    """Return the error, of the same class, from which :meth:`MeshKinError.to_dict` made ``data``."""
    cls = _CLASSES.get(data.get("kind", ""), MeshKinError)
    return cls(data["code"], data["message"], data.get("fix", ""))


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether a library raised this error because main memory or the graphics card's memory is full."""
    if isinstance(error, MemoryError) or any(cls.__name__ == "OutOfMemoryError" for cls in type(error).__mro__):
        return True
    # PyTorch raises a plain RuntimeError for main memory, for Apple's graphics, and from inside CUDA's libraries.
    message = str(error).lower()
    return isinstance(error, RuntimeError) and any(
        phrase in message for phrase in ("can't allocate memory", "not enough memory", "out of memory", "alloc_failed")
    )
