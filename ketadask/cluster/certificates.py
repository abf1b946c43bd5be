"""Certificates for one run: only their owner can connect to scheduler and workers."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from ketadask.schema.errors import InputError

if TYPE_CHECKING:
    from distributed.security import Security

FILES = ("ca.pem", "cert.pem", "key.pem")
_VALID = timedelta(days=60)
_SKEW = timedelta(days=1)


@contextmanager
def temporary(folder: Path) -> Iterator[Security]:
    """Write certificates into ``folder``, readable by their owner only; remove them at the end."""
    certificate, key = _create()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.chmod(0o700)
    for name, content in zip(FILES, (certificate, certificate, key), strict=True):
        write_private(folder / name, content)
    try:
        yield security(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def security(folder: Path) -> Security:
    """Return the certificates of a folder; raise where others may read the key."""
    from distributed.security import Security

    files = [folder / name for name in FILES]
    for path in files:
        if not path.is_file():
            raise InputError(
                "no such certificate", file=path, remedy=f"the folder needs {', '.join(FILES)}"
            )
    if files[2].stat().st_mode & 0o077:
        raise InputError(
            "other users may read the key", file=files[2], remedy=f"chmod 600 {files[2]}"
        )
    ca, certificate, key = map(str, files)
    roles = {
        f"tls_{role}_{kind}": path
        for role in ("client", "scheduler", "worker")
        for kind, path in (("cert", certificate), ("key", key))
    }
    return Security(  # type: ignore[no-untyped-call]
        tls_ca_file=ca, require_encryption=True, **roles
    )


def write_private(path: Path, content: bytes) -> None:
    """Write a file that only its owner can read."""
    path.unlink(missing_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _create() -> tuple[bytes, bytes]:
    """Return a self-signed certificate and its key; its validity begins a day early (clocks)."""
    try:
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.x509.oid import NameOID
    except ImportError:
        raise InputError(
            "a library for encryption is not installed",
            value="cryptography",
            remedy="pip install cryptography",
        ) from None
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ketadask")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("ketadask")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(now + _VALID)
        .sign(key, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    form = serialization.PrivateFormat.PKCS8
    pem = serialization.Encoding.PEM
    return certificate.public_bytes(pem), key.private_bytes(pem, form, plain)
