"""Setting up over networks as they are: connections that break, proxies, a company's certificates, and none at all."""

from __future__ import annotations

import shutil
import ssl
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from helpers.wheels import wheel
from meshkin.base import network
from meshkin.base.errors import MeshKinError, StorageError
from meshkin.base.progress import Progress, finish
from meshkin.worker import environment


class Index(ThreadingHTTPServer):
    """A package index with one library, “kinlet”, which may break its first answers off."""

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), Page)
        self.file = Path(wheel(folder, "kinlet"))
        self.breaks = 0
        self.asked: list[str] = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"


class Page(BaseHTTPRequestHandler):
    server: Index

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        path = urlsplit(self.path).path  # to a proxy a whole address is sent
        if path == "/simple/kinlet/":
            content = f'<a href="/{self.server.file.name}">{self.server.file.name}</a>'.encode()
            self.answer(content, "text/html")
        elif path == f"/{self.server.file.name}":
            content = self.server.file.read_bytes()
            broken = self.server.breaks > 0
            self.server.breaks -= broken
            self.answer(content, "application/octet-stream", len(content) // 2 if broken else len(content))
        else:
            self.send_error(404)

    def answer(self, content: bytes, kind: str, sent: int | None = None) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[:sent])

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Index]:
    """The index; pip looks nowhere else, and keeps nothing."""
    for name in (
        "PIP_FIND_LINKS",
        "PIP_EXTRA_INDEX_URL",
        "PIP_CERT",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        "PIP_CONSTRAINT",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.setattr(network, "RETRY_WAITS", (0.0, 0.0))
    server = Index(tmp_path / "served")
    monkeypatch.setenv("PIP_INDEX_URL", f"http://{server.address}/simple")
    yield server
    server.shutdown()
    server.server_close()


def set_up(tmp_path: Path) -> list[Progress]:
    told: list[Progress] = []
    finish(environment.create(tmp_path / "worker", ["kinlet"]), told.append)
    assert environment.is_complete(tmp_path / "worker", ["kinlet"])
    return told


def failure(tmp_path: Path) -> MeshKinError:
    with pytest.raises(MeshKinError) as caught:
        set_up(tmp_path)
    assert not environment.is_complete(tmp_path / "worker", ["kinlet"])
    return caught.value


def test_a_lost_connection_is_survived(tmp_path: Path, index: Index) -> None:
    index.breaks = 2
    stages = [progress.stage for progress in set_up(tmp_path)]
    assert any(stage.startswith("The connection was lost") for stage in stages)
    assert len([path for path in index.asked if path.endswith(".whl")]) == 3


def test_a_connection_that_stays_lost_is_told(tmp_path: Path, index: Index) -> None:
    index.breaks = 99
    error = failure(tmp_path)
    assert error.code == "pip-failed"
    assert error.fix.startswith("Check the connection to the internet")
    assert len([path for path in index.asked if path.endswith(".whl")]) == 3


def test_the_proxy_of_the_preferences_is_used(tmp_path: Path, index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    """The index's name means nothing here: only the proxy knows it."""
    monkeypatch.setenv("PIP_INDEX_URL", "http://packages.invalid/simple")
    monkeypatch.setenv("MESHKIN_PROXY", index.address)
    monkeypatch.setenv("PIP_TRUSTED_HOST", "packages.invalid")
    monkeypatch.setenv("no_proxy", "")
    set_up(tmp_path)
    assert "http://packages.invalid/simple/kinlet/" in index.asked


def test_a_companys_certificate_is_named_as_the_cause_and_can_be_chosen(
    tmp_path: Path, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not shutil.which("openssl"):
        pytest.skip("makes its certificate with openssl")
    certificate, key = tmp_path / "company.pem", tmp_path / "key.pem"
    subprocess.run(
        f"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout {key} -out {certificate}"
        " -days 2 -subj /CN=Company -addext subjectAltName=IP:127.0.0.1",
        shell=True,
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    index.socket = context.wrap_socket(index.socket, server_side=True)
    monkeypatch.setenv("PIP_INDEX_URL", f"https://{index.address}/simple")
    error = failure(tmp_path)
    assert error.code == "pip-failed"
    for word in ("certificate is not trusted", "company's certificates", "SSL_CERT_FILE", "PIP_CERT"):
        assert word in error.fix
    monkeypatch.setenv("MESHKIN_CERTIFICATES", str(certificate))
    set_up(tmp_path)
    monkeypatch.setenv("MESHKIN_CERTIFICATES", str(tmp_path / "gone.pem"))
    with pytest.raises(StorageError, match="gone"):
        network.variables()


def test_a_folder_of_downloads_needs_no_internet(tmp_path: Path, index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "stick"
    folder.mkdir()
    monkeypatch.setenv("MESHKIN_OFFLINE", str(folder))
    error = failure(tmp_path)
    assert f"{folder} lacks kinlet" in error.fix
    shutil.copy(index.file, folder)
    set_up(tmp_path)
    assert index.asked == []
    monkeypatch.setenv("MESHKIN_OFFLINE", str(tmp_path / "pulled out"))
    with pytest.raises(StorageError, match="pulled out"):
        network.offline_folder()


def test_progress_within_a_file() -> None:
    told = network.PipProgress(0.0, 1.0)
    lines = (
        "Collecting torch",
        "  Downloading torch-2.13.0-cp311.whl (900.0 MB)",
        *(f"Progress {done} of 900000000" for done in (0, 450000000, 900000000)),
    )
    progress = [one for line in lines if (one := told.read(line))]
    assert progress[-2].stage == "Downloading torch (450 of 900 MB)"
    assert [one.fraction for one in progress] == sorted(one.fraction for one in progress)
    assert "Progress" not in told.output


@pytest.mark.parametrize(
    ("output", "words"),
    [
        ("SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED]')", "certificates"),
        ("ProxyError('Cannot connect to proxy.', OSError('Tunnel connection failed: 407'))", "USER:PASSWORD"),
        ("ReadTimeoutError: Read timed out.", "connection"),
        ("ERROR: No matching distribution found for torch", ""),
    ],
)
def test_causes(output: str, words: str) -> None:
    assert words in network.advice(output)
    assert words or not network.advice(output)
