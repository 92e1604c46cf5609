"""The one family of errors: a code for scripts, a sentence for people, and what mends it."""

from __future__ import annotations


class MeshKinError(Exception):
    """An expected failure.

    Attributes:
        code: kebab-case name, stable between releases (``mesh-empty``).
        message: one sentence a person understands.
        fix: what the person can do about it; may be empty.
        exit_code: what the command line exits with.
    """

    exit_code = 1

    def __init__(self, code: str, message: str, fix: str = "") -> None:
        super().__init__(f"{message} {fix}".strip())
        self.code = code
        self.message = message
        self.fix = fix

    def to_dict(self) -> dict[str, str]:
        """The error as JSON data; :func:`from_dict` gives it back."""
        return {"kind": type(self).__name__, "code": self.code, "message": self.message, "fix": self.fix}


class InputError(MeshKinError):
    """The mesh, image, file or option given cannot be used as it is."""

    exit_code = 3


class ModelError(MeshKinError):
    """A model is missing, damaged, or of another architecture than expected."""

    exit_code = 4


class WorkerError(MeshKinError):
    """The worker is missing, could not start, died, or fell silent."""

    exit_code = 5


class StorageError(MeshKinError):
    """A file or folder cannot be read or written (no space, no rights, damaged)."""

    exit_code = 6


class Cancelled(MeshKinError):
    """The user stopped the job."""

    exit_code = 130

    def __init__(self, code: str = "cancelled", message: str = "The job was cancelled.", fix: str = "") -> None:
        super().__init__(code, message, fix)


_KINDS = {kind.__name__: kind for kind in (MeshKinError, InputError, ModelError, WorkerError, StorageError, Cancelled)}


def from_dict(data: dict[str, str]) -> MeshKinError:
    """The error that :meth:`MeshKinError.to_dict` described, of the same class."""
    kind = _KINDS.get(data.get("kind", ""), MeshKinError)
    return kind(data["code"], data["message"], data.get("fix", ""))


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a library raised this because memory ran out, the processor's or a graphics card's."""
    if isinstance(error, MemoryError) or any(kind.__name__ == "OutOfMemoryError" for kind in type(error).__mro__):
        return True
    said = str(error).lower()  # for the processor's memory, Apple's, and inside CUDA's libraries a plain RuntimeError
    return isinstance(error, RuntimeError) and any(
        words in said for words in ("can't allocate memory", "not enough memory", "out of memory", "alloc_failed")
    )
