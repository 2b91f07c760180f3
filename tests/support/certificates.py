"""A certificate for 127.0.0.1 that its maker alone trusts."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest


def certificate(folder: Path) -> tuple[Path, Path]:
    """The files of the certificate and of its key. Skips where there is no openssl that can make them."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl makes the certificate")
    asked = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"]
    asked += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", "key.pem", "-out", "cert.pem"]
    made = subprocess.run([openssl, *asked], cwd=folder, capture_output=True, check=False)
    if made.returncode != 0:
        pytest.skip("this openssl cannot make the certificate")
    return folder / "cert.pem", folder / "key.pem"
