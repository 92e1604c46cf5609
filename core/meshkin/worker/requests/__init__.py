"""What the worker can be asked for: for every job a request and its result, as dataclasses that both ends use.

A module for each feature. They import only the standard library and NumPy, so that Blender can load them. Bulk data
travel as files: the requests and results hold their paths.

A job's result is named after its request, with "Result" appended. A result that several requests share is named after
what it holds: ``MapFile``, ``CacheState``, ``NoResult``.
"""

from .base import Request, result_type

__all__ = ["Request", "result_type"]
