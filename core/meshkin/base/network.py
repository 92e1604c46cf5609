"""Downloads: through which proxy, trusting whose certificates, from which folder instead; and why one failed.

Standard library only: this runs inside Blender, and in a plain Python before anything is installed.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from .errors import StorageError
from .progress import Progress
from .variables import PROXY

CERTIFICATES, OFFLINE = "MESHKIN_CERTIFICATES", "MESHKIN_OFFLINE"
"""Environment variables: a file of certificates to trust; a folder with wheels and models that is used instead of the
internet."""
_PROXY_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "PIP_PROXY")
_CERTIFICATE_VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_CERT")

RETRY_WAITS = (10.0, 30.0, 60.0)
"""Seconds to wait before each new try after the connection was lost. Chosen: a router restarts in a minute."""
WAITING = "The connection was lost; trying again soon"
"""The stage of a job meanwhile."""

LOST = re.compile(
    r"Connect\w*Error|Connection\w* (broken|aborted|reset|refused)|IncompleteRead|Timeout|timed out|ProtocolError"
    r"|NameResolutionError|name resolution|Network is unreachable|RemoteDisconnected"
    r"|DO NOT MATCH THE HASHES|Wheel '.*' located at .* is invalid",
    re.IGNORECASE,
)
"""What pip and the hub's library print when there is no connection, or it breaks (the last two: half a file came)."""
UNTRUSTED = re.compile(r"CERTIFICATE_VERIFY_FAILED|SSLError|SSLCertVerificationError|certificate verify failed")
"""What they print when they do not trust the certificate of a server."""
REFUSED = re.compile(
    r"ProxyError|407 Proxy|Proxy Authentication Required|Tunnel connection failed|Cannot connect to proxy"
)
"""What they print when the proxy does not let them through."""


def offline_folder() -> Path | None:
    """The folder that is used instead of the internet; None to download. Raises StorageError ``not-found``."""
    chosen = os.environ.get(OFFLINE, "")
    folder = Path(chosen).expanduser() if chosen else None
    if folder is not None and not folder.is_dir():
        raise StorageError(
            "not-found", f"There is no Downloads Folder {folder}.", "Choose another one in the preferences, or none."
        )
    return folder


def variables() -> dict[str, str]:
    """Environment variables that tell every program that downloads for MeshKin what was chosen for it.

    Without a choice of certificates, pip gets those of ``SSL_CERT_FILE``, where it does not look by itself. Raises
    StorageError ``not-found`` for a file of certificates that is not there, and OptionError ``variable-invalid`` for a
    proxy that is none.
    """
    own: dict[str, str] = {}
    if proxy := PROXY.value:
        own |= dict.fromkeys(_PROXY_VARIABLES, proxy)
    if chosen := os.environ.get(CERTIFICATES, ""):
        file = Path(chosen).expanduser()
        if not file.is_file():
            raise StorageError("not-found", f"There is no file of certificates {file}.", "Choose another one, or none.")
        own |= dict.fromkeys(_CERTIFICATE_VARIABLES, str(file))
    elif known := os.environ.get("SSL_CERT_FILE"):
        own["PIP_CERT"] = os.environ.get("PIP_CERT", known)
    return own


def pip_sources() -> list[str]:
    """Arguments of pip that name where to look for libraries; [] for the internet. Raises as :func:`offline_folder`."""
    folder = offline_folder()
    return [] if folder is None else ["--no-index", "--find-links", str(folder)]


def advice(output: str) -> str:
    """What a user can do about a download that failed, from what it printed; "" if that does not say."""
    if UNTRUSTED.search(output):
        return (
            "Choose your company's certificates in the preferences (or set SSL_CERT_FILE or PIP_CERT): the server's"
            " certificate is not trusted."
        )
    if REFUSED.search(output):
        return (
            "Enter http://USER:PASSWORD@HOST:PORT as “Proxy” in the preferences (or set HTTPS_PROXY or PIP_PROXY): the"
            " proxy refuses."
        )
    if os.environ.get(OFFLINE) and "No matching distribution" in output:
        missing = re.findall(r"No matching distribution found for (\S+)", output)
        return f"The Downloads Folder {os.environ[OFFLINE]} lacks {', '.join(missing)} for this Python and system."
    if LOST.search(output):
        return "Check the connection to the internet, then try again; what was downloaded stays."
    return ""


class PipProgress:
    """The progress of ``pip install`` or ``pip download``, read from its output."""

    def __init__(self, start: float = 0.0, end: float = 1.0) -> None:
        """``start`` and ``end`` are the progress where pip begins and where it is done."""
        self._start, self._end = start, end
        self._collected = 0
        self._file = ""
        self.lines: list[str] = []

    @property
    def has_downloaded(self) -> bool:
        """Whether a server has answered: pip has chosen a file."""
        return bool(self._file)

    @property
    def output(self) -> str:
        """What pip has printed."""
        return "\n".join(self.lines)

    def read(self, line: str) -> Progress | None:
        """What a line of the output says about the progress; None if it says nothing.

        Until the end pip does not know how many libraries it will need: the fraction only approaches its end.
        """
        if part := re.match(r"Progress (\d+) of (\d+)$", line):
            return self._downloaded(int(part[1]), int(part[2]))
        self.lines.append(line)
        self._collected += line.startswith("Collecting")
        if line.startswith("Installing collected packages"):
            return Progress("Installing the libraries", self._end)
        if file := re.match(r"\s*(?:Downloading|Using cached) \S*?([^/\s]+?)-\d\S*(?: \(([^)]*)\))?", line):
            self._file = file[1]
            size = f" ({file[2]})" if file[2] else ""
            return Progress(f"Downloading {file[1]}{size}", self._fraction(0))
        if library := re.match(r"Collecting ([\w.-]+)", line):
            return Progress(f"Looking for {library[1]}", self._fraction(0))
        return None

    def _downloaded(self, done: int, size: int) -> Progress:
        share = done / max(size, 1)
        return Progress(f"Downloading {self._file} ({done / 1e6:.0f} of {size / 1e6:.0f} MB)", self._fraction(share))

    def _fraction(self, of_file: float) -> float:
        done = self._collected + of_file
        return self._start + (self._end - self._start) * done / (done + _LIBRARIES)


_LIBRARIES = 20
"""Libraries after which pip is taken to have done half. Chosen: the worker needs some 60."""
