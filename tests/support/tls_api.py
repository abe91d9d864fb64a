"""An API behind real TLS: OpenSSL's own blocking sockets, which send an alert for what they refuse, as fronts do.

asyncio's server closes the connection instead.
"""

from __future__ import annotations

import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread

OK = b'HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n{"region": 1}'


def certificate(folder: Path, name: str, *, for_name: str = "IP:127.0.0.1", may_sign: bool = True) -> Path:
    """Make a certificate that signed itself and its key, in one file.

    Rust's TLS takes one that may sign others for nobody's own.
    """
    made = folder / f"{name}.pem"
    command = ["openssl", "req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    subject = ["-subj", f"/CN={name}", "-addext", f"subjectAltName={for_name}", "-days", "1"]
    subject += [] if may_sign else ["-addext", "basicConstraints=critical,CA:FALSE"]
    subprocess.run([*command, *subject, "-keyout", str(made), "-out", str(made)], check=True, capture_output=True)
    return made


def expired(pem: Path) -> Path:
    """Make the certificate in `pem` one that expired in 2020. OpenSSL sets such dates in its small authority only."""
    folder, name = pem.with_suffix(""), pem.stem
    folder.mkdir()
    (folder / "index").touch()
    settings = folder / "settings"
    settings.write_text(
        f"[ca]\ndefault_ca=own\n[own]\ndatabase={folder}/index\nnew_certs_dir={folder}\nrand_serial=yes\n"
        "default_md=sha256\npolicy=any\ncopy_extensions=copy\n[any]\ncommonName=supplied\n"
    )
    wanted = ["openssl", "req", "-new", "-key", str(pem), "-subj", f"/CN={name}", "-out", str(folder / "wanted")]
    subprocess.run([*wanted, "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
    signed = ["openssl", "ca", "-batch", "-notext", "-selfsign", "-config", str(settings), "-keyfile", str(pem)]
    dates = ["-startdate", "20200101000000Z", "-enddate", "20200102000000Z"]
    old = subprocess.run([*signed, *dates, "-in", str(folder / "wanted")], check=True, capture_output=True).stdout
    key = pem.read_bytes().partition(b"-----BEGIN CERTIFICATE")[0]
    pem.write_bytes(key + old)
    return pem


def front(pem: Path) -> ssl.SSLContext:
    """Return what a server needs to show the certificate in `pem`."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pem)
    return context


class TlsApi:
    """`handshakes` counts the connections that were begun."""

    def __init__(self, context_of: Callable[[int], ssl.SSLContext]) -> None:
        self.handshakes = 0
        self._context_of = context_of
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"https://127.0.0.1:{self._listening.getsockname()[1]}/enrich"
        self._current: socket.socket | None = None
        self._thread = Thread(target=self._serve)
        self._thread.start()

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        if self._current is not None:
            with suppress(OSError):  # it is over, or never began
                self._current.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listening.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listening.accept()
                self.handshakes += 1
                with connection, suppress(OSError):
                    self._answer(connection)

    def _answer(self, connection: socket.socket) -> None:
        connection.settimeout(5)
        under = self._current = connection.dup()
        session = self._context_of(self.handshakes).wrap_socket(connection, True, do_handshake_on_connect=False)
        with under, session:
            try:
                session.do_handshake()
                while session.recv(65_536):
                    session.sendall(OK)
            except ssl.SSLError:
                under.shutdown(socket.SHUT_WR)
                while under.recv(65_536):  # closed with bytes unread, it would reset the connection and lose the alert
                    pass


@contextmanager
def tls_api(context_of: Callable[[int], ssl.SSLContext]) -> Iterator[TlsApi]:
    """Serve connections one after the other; the nth one, from 1, with the context that `context_of` returns for n."""
    api = TlsApi(context_of)
    try:
        yield api
    finally:
        api.close()
