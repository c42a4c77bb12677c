"""Certificates for one test run, made by openssl: an authority and what it has signed."""

import shutil
import ssl
import subprocess
from pathlib import Path

import pytest

needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="needs the program openssl")


class Authority:
    """An authority of its own. Its files stand in `folder`."""

    def __init__(self, folder: Path, name: str = "ca", extensions: str = "") -> None:
        self.folder = folder
        self.certificate = folder / f"{name}.crt"
        self._key = folder / f"{name}.key"
        config: tuple[str, ...] = ()
        if extensions:  # these and no others
            file = folder / f"{name}.cnf"
            file.write_text(f"[req]\ndistinguished_name=name\nx509_extensions=own\n[name]\n[own]\n{extensions}\n")
            config = ("-config", str(file))
        new = self._new(self._key, self.certificate)
        self._openssl("req", "-x509", "-days", "2", "-subj", f"/CN={name}", *config, *new)

    def sign(self, name: str) -> tuple[Path, Path]:
        """A certificate for `name`, as a server and as a client, and its key."""
        certificate, key, signing_request = (self.folder / f"{name}.{kind}" for kind in ("crt", "key", "csr"))
        self._openssl("req", "-subj", f"/CN={name}", *self._new(key, signing_request))
        extensions = self.folder / f"{name}.ext"
        extensions.write_text(f"subjectAltName=DNS:{name}\nextendedKeyUsage=serverAuth,clientAuth\n")
        by = ("-CA", str(self.certificate), "-CAkey", str(self._key), "-CAcreateserial")
        self._openssl("x509", "-req", "-days", "2", "-in", str(signing_request), "-out", str(certificate), *by,
                      "-extfile", str(extensions))  # fmt: skip
        return certificate, key

    def server(self, name: str = "server.test") -> ssl.SSLContext:
        """What a server of that name needs; it refuses clients without a certificate of this authority."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(self.certificate))
        context.load_cert_chain(*self.sign(name))
        return context

    def _new(self, key: Path, out: Path) -> tuple[str, ...]:
        kind = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
        return (*kind, "-keyout", str(key), "-out", str(out))

    def _openssl(self, *args: str) -> None:
        subprocess.run(["openssl", *args], check=True, capture_output=True)
