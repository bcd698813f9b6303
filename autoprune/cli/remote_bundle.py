"""The bundle of a server's job, into a folder of this machine."""

from __future__ import annotations

import base64
import hashlib
import shutil
import tempfile
import zipfile
from pathlib import Path

from autoprune.cli.remote import RemoteServer
from autoprune.errors import VerificationError
from autoprune.export.bundle import check_free


def fetch_bundle(server: RemoteServer, job: str, out: Path, overwrite: bool) -> None:
    """Write a finished job's bundle, whole or not at all.

    Raises:
        InputError: the folder is in use, or the job has no bundle yet.
        VerificationError: what came is not what the server sent.
    """
    check_free(out, overwrite)
    out.absolute().parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.absolute().parent, prefix=f".{out.name}.") as room:
        archive, unpacked = Path(room) / "bundle.zip", Path(room) / "bundle"
        _download(server, job, archive)
        _unpack(archive, unpacked)
        if out.exists():
            shutil.rmtree(out)
        unpacked.replace(out)


def _download(server: RemoteServer, job: str, archive: Path) -> None:
    hashed = hashlib.sha256()
    with (
        server.opened("GET", f"/v1/jobs/{server.job(job)}/export") as answer,
        archive.open("wb") as file,
    ):
        while piece := answer.read(2**18):
            file.write(piece)
            hashed.update(piece)
    digest = f"sha-256=:{base64.b64encode(hashed.digest()).decode()}:"
    if answer.headers.get("Repr-Digest") != digest:
        raise VerificationError(f"the bundle of job {job} was damaged on its way: fetch it again")


def _unpack(archive: Path, folder: Path) -> None:
    folder.mkdir()
    with zipfile.ZipFile(archive) as bundle:
        for name in bundle.namelist():
            if name != Path(name).name or name.startswith("."):
                raise VerificationError(f"the bundle holds {name!r}: expected plain files alone")
            (folder / name).write_bytes(bundle.read(name))
