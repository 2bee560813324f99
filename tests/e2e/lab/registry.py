"""A registry on loopback (Debian's docker-registry), and keys to sign what is pushed to it."""

import json
import re
import time
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat, PublicFormat

from .processes import Process

START_PATIENCE = 30.0
"""Seconds."""


class Registry:
    """A registry on a port of its own choice, with its data in a directory."""

    def __init__(self, directory: Path):
        directory.mkdir(parents=True, exist_ok=True)
        self.data = directory / "data"
        config = {
            "version": 0.1,
            "log": {"accesslog": {"disabled": True}},
            "storage": {"filesystem": {"rootdirectory": str(self.data)}, "delete": {"enabled": True}},
            "http": {"addr": "127.0.0.1:0"},
        }
        path = directory / "registry.yml"
        path.write_text(json.dumps(config))
        log = directory / "registry.log"
        # Left to itself it would ask a collector for traces.
        env = {"OTEL_TRACES_EXPORTER": "none"}
        self._process = Process(["docker-registry", "serve", str(path)], out=log, err=log, env=env)
        deadline = time.monotonic() + START_PATIENCE
        while not (found := re.search(r"listening on 127\.0\.0\.1:(\d+)", log.read_text())):
            if self._process.exit_code() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"docker-registry does not listen:\n{log.read_text()[-2000:]}")
            time.sleep(0.05)
        self.host = f"127.0.0.1:{found[1]}"

    def blob(self, digest: str) -> Path:
        """The file in which it keeps a blob."""
        kind, value = digest.split(":")
        return self.data / "docker/registry/v2/blobs" / kind / value[:2] / value / "data"

    def stop(self) -> None:
        self._process.stop()


def signing_key(directory: Path, name: str, passphrase: str) -> tuple[Path, Path, Path]:
    """Writes a key to sign images with: the private half (encrypted), its passphrase, the public half."""
    key = ec.generate_private_key(ec.SECP256R1())
    private, secret, public = (directory / f"{name}.{kind}" for kind in ("key", "pass", "pub"))
    private.touch(mode=0o600)
    encryption = BestAvailableEncryption(passphrase.encode())
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption))
    public.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    secret.write_text(passphrase)
    return private, secret, public
