"""Fill, empty, save and bring back the data: ``./run sample``, ``reset``, ``export`` and ``import``."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from expansion import env
from expansion.serve import binaries, servers
from expansion.serve.locks import Ownership
from expansion.serve.supervisor import MANAGE, environment, foreground, sample_nights, tell

_FORMAT = 1
_KEPT_FOLDERS = ("uploads",)


def sample(arguments: list[str]) -> int:
    """Load the sample company and compute its last nights."""
    last = arguments[arguments.index("--as-of") + 1] if "--as-of" in arguments[:-1] else ""
    try:
        nights = sample_nights(last)
    except ValueError:
        tell(f"{last} is no day: write one such as 2026-03-31.")
        return 2
    with environment("./run sample") as given:
        for command in (["prepare"], ["load_sample", *arguments], *nights):
            if code := foreground([*MANAGE, *command], given):
                return code
    return 0


def reset(*, confirmed: bool) -> int:
    """Empty the embedded database, its queue and the uploads."""
    if env.text("DATABASE_URL"):
        tell("DATABASE_URL is set, and ./run reset only empties the embedded database: empty yours with its own tools.")
        return 1
    folder = env.data_dir()
    with _alone(folder, "./run reset"):
        where = servers.places(folder)
        if not confirmed and not _agreed(f"This deletes all data in {where.cluster} and {folder}."):
            return 1
        for gone in (where.cluster, where.valkey, *(folder / name for name in _KEPT_FOLDERS)):
            if gone.exists():
                shutil.rmtree(gone)
        for name in ("demo_logins.json", "sample-is-loading"):
            (folder / name).unlink(missing_ok=True)
    tell("Emptied.  ./run starts anew with the sample company.")
    return 0


def export(file: str) -> int:
    """Write the database and the uploads into one tar file, complete or not at all."""
    target = Path(file).expanduser().resolve()
    if not target.parent.is_dir():
        tell(f"There is no folder {target.parent}: make it first.")
        return 1
    with environment(f"./run export {file}") as given, tempfile.TemporaryDirectory(dir=target.parent, prefix=".kizashi-") as work:
        dump, parcel = Path(work, "database.dump"), Path(work, "parcel.tar")
        programs = binaries.installed().postgres
        if code := _call([programs / "pg_dump", "-Fc", "--no-owner", "--no-privileges", "-f", dump, given["DATABASE_URL"]]):
            return code
        with tarfile.open(parcel, "w") as tar:
            about = json.dumps({"kizashi": _FORMAT, "postgres": servers.MAJOR}).encode()
            entry = tarfile.TarInfo("about.json")
            entry.size = len(about)
            tar.addfile(entry, io.BytesIO(about))
            tar.add(dump, "database.dump")
            for name in _KEPT_FOLDERS:
                if (env.data_dir() / name).is_dir():
                    tar.add(env.data_dir() / name, name)
        parcel.chmod(0o600)
        parcel.replace(target)
    tell(f"Written to {target}.")
    return 0


def restore(file: str, *, confirmed: bool) -> int:
    """Put an exported file in the place of the data; another's database must be empty for it."""
    source = Path(file).expanduser().resolve()
    if not source.is_file() or not tarfile.is_tarfile(source):
        tell(f"{source} was not written by ./run export.")
        return 1
    folder = env.data_dir()
    with contextlib.ExitStack() as stack:
        embedded = not env.text("DATABASE_URL")
        work = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=folder, prefix="import-")))
        _unpack(source, work)
        given = stack.enter_context(environment(f"./run import {file}", alone=embedded))
        url, programs = given["DATABASE_URL"], binaries.installed().postgres
        filled = _asked(programs, url, "select count(*) > 0 from pg_tables where schemaname = 'public'") == "t"
        if filled and not embedded:
            tell("The database that DATABASE_URL names is not empty: name an empty one.")
            return 1
        if filled and not confirmed and not _agreed("This replaces all data that is there now."):
            return 1
        if embedded:
            maintenance = url.removesuffix(f"/{servers.DATABASE}") + "/postgres"
            for argv in (["dropdb", "--if-exists", "--force"], ["createdb"]):
                if code := _call([programs / argv[0], *argv[1:], "--maintenance-db", maintenance, servers.DATABASE]):
                    return code
        if code := _call(
            [programs / "pg_restore", "--no-owner", "--no-privileges", "--exit-on-error", "-d", url, work / "database.dump"]
        ):
            return code
        for name in _KEPT_FOLDERS:
            shutil.rmtree(folder / name, ignore_errors=True)
            if (work / name).is_dir():
                (work / name).replace(folder / name)
        for name in ("demo_logins.json", "sample-is-loading"):
            (folder / name).unlink(missing_ok=True)
        if code := foreground([*MANAGE, "prepare"], given):
            return code
    tell("Imported.")
    return 0


@contextlib.contextmanager
def _alone(folder: Path, command: str) -> Iterator[None]:
    ownership = Ownership(folder)
    if not ownership.take(command=command):
        holder = ownership.holder()
        raise env.BadSetting(f"{holder.command} (process {holder.pid}) uses the data: stop it first.")
    try:
        yield
    finally:
        ownership.release()


def _agreed(consequence: str) -> bool:
    """Ask the person; without a terminal the answer is no."""
    tell(consequence)
    if not sys.stdin.isatty():
        tell("Nothing was done: there is nobody to ask.  Add --yes if you are sure.")
        return False
    tell("Type yes to go on:")
    if sys.stdin.readline().strip().lower() != "yes":
        tell("Nothing was done.")
        return False
    return True


def _unpack(source: Path, work: Path) -> None:
    """Take only what export writes: no links, no names that lead elsewhere."""
    with tarfile.open(source) as tar:
        for member in tar:
            path = PurePosixPath(member.name)
            known = member.name in {"about.json", "database.dump"} or path.parts[0] in _KEPT_FOLDERS
            if not known or ".." in path.parts or path.is_absolute() or not (member.isfile() or member.isdir()):
                raise env.BadSetting(f"{source} was not written by ./run export: it holds {member.name!r}.")
            place = work.joinpath(*path.parts)
            if member.isdir():
                place.mkdir(mode=0o700, parents=True, exist_ok=True)
                continue
            place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            content = tar.extractfile(member)
            if content is not None:
                with place.open("xb") as file:
                    shutil.copyfileobj(content, file)
                place.chmod(0o600)
    about = work / "about.json"
    if not about.exists() or json.loads(about.read_text()).get("kizashi") != _FORMAT or not (work / "database.dump").exists():
        raise env.BadSetting(f"{source} was not written by this release's ./run export.")


def _asked(programs: Path, url: str, sql: str) -> str:
    return subprocess.run([programs / "psql", url, "-tAc", sql], capture_output=True, text=True, check=True).stdout.strip()


def _call(argv: list[str | Path]) -> int:
    return subprocess.run([str(part) for part in argv], check=False, env=os.environ).returncode
