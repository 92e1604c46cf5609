"""``python -m meshkin``: the command line."""

import os
import sys

if __name__ == "__main__" and not sys.flags.safe_path:
    del sys.path[0]  # the current folder: modules that happen to lie there must not take the place of others

_INTERRUPTED = 130
"""Exit code after Ctrl-C: 128 and the signal's number, as shells count."""


def run() -> None:
    """Run the command line, which ends the process.

    Ctrl-C ends it at once until that can be handled: before there is nothing to clean up.
    """
    import signal

    signal.signal(signal.SIGINT, lambda *_: os._exit(_INTERRUPTED))
    from .cli import entry

    entry()


if __name__ == "__main__":
    run()
