"""The policy directory: which file tells what, and how all of them make one snapshot.

Reading the disk and building are apart: a snapshot is a function of the files' bytes and the time.
"""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from denyproxy.policies import accounts, buckets, endpoints, iam, kms, organization
from denyproxy.policies.facts import FileFacts
from denyproxy.policies.merge import combine
from denyproxy.policies.tree import Documents, Node, Report, parse
from denyproxy.s3.snapshot import PolicyProblem, PolicySnapshot


@dataclass(frozen=True, slots=True)
class FileKind:
    """What the files of one place tell."""

    read: Callable[[Node, str], FileFacts]
    """From the root of the file and its name without directory and suffix."""
    remedy: str


KINDS: Mapping[str, FileKind] = {
    "iam/": FileKind(iam.read_account_authorization_details, iam.REMEDY),
    "buckets/": FileKind(buckets.read_bucket, buckets.BUCKET_REMEDY),
    "accounts/": FileKind(accounts.read_account, accounts.ACCOUNT_REMEDY),
    "organization.json": FileKind(organization.read_organization, organization.REMEDY),
    "access-points/": FileKind(buckets.read_access_point, buckets.ACCESS_POINT_REMEDY),
    "vpc-endpoints/": FileKind(endpoints.read_vpc_endpoints, endpoints.REMEDY),
    "kms-keys/": FileKind(kms.read_kms_key, kms.REMEDY),
    "access-keys.json": FileKind(accounts.read_access_keys, accounts.ACCESS_KEYS_REMEDY),
}
"""Directories end in a slash; any `*.json` in them is read."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """In place of a file's bytes: why there are none."""

    reason: str


Content = bytes | Unreadable

Fingerprint = tuple[tuple[int, int], tuple[tuple[str, int, int, int], ...]]
"""(device, inode) of the directory; (path, inode, mtime in ns, size) of each file."""


@dataclass(frozen=True, slots=True)
class Version:
    """One content of a file, and what it tells."""

    content: Content
    facts: FileFacts
    read: datetime


@dataclass(frozen=True, slots=True)
class LoadedFile:
    """A file of the directory."""

    current: Version
    good: Version | None
    """The last version that was not broken; the current one, if that is not."""

    @property
    def used(self) -> Version:
        """The version that contributes to the snapshot: a bad edit does not undo a good one."""
        return self.good or self.current

    @property
    def problems(self) -> tuple[PolicyProblem, ...]:
        """What is wrong with the current version, and since when an older one stands in for it."""
        problems = self.current.facts.problems
        if self.used is self.current:
            return problems
        instead = f"; since {moment(self.current.read)} the content of {moment(self.used.read)} is used instead"
        return tuple(replace(problem, message=problem.message + instead) for problem in problems)


def holds_nothing(snapshot: PolicySnapshot) -> str | None:
    """What belongs into a directory in which there is nothing; None: there is something."""
    found = (snapshot.principals, snapshot.buckets, snapshot.accounts, snapshot.access_points, snapshot.vpc_endpoints)
    if any((*found, snapshot.kms_keys, snapshot.access_keys, snapshot.problems)):
        return None
    return f"nothing was found; a policy directory consists of {', '.join(KINDS)}"


def load_directory(path: Path, now: datetime | None = None) -> PolicySnapshot:
    """Read and build. Raises OSError if the directory itself cannot be read."""
    return build_snapshot(read_directory(path), now or datetime.now(UTC))


def build_snapshot(files: Mapping[str, Content], now: datetime) -> PolicySnapshot:
    """The snapshot of a directory given as relative name (`iam/studio.json`) -> bytes; `now` is aware UTC.

    Raises nothing: what cannot be used is among the problems."""
    return snapshot_of(load_files(files, now), now)


def load_files(
    files: Mapping[str, Content], now: datetime, last: Mapping[str, LoadedFile] | None = None
) -> dict[str, LoadedFile]:
    """Read all files but those that have not changed since `last`."""
    last = last or {}
    documents = Documents()
    loaded: dict[str, LoadedFile] = {}
    for name in sorted(files):
        content, before = files[name], last.get(name)
        if name.endswith("/"):
            loaded |= {kept: file for kept, file in last.items() if kept.startswith(name)}
        if before is not None and before.current.content == content:
            loaded[name] = before
        else:
            current = Version(content, read_file(name, content, documents), now)
            last_good = before.good if before is not None else None
            loaded[name] = LoadedFile(current, last_good if current.facts.broken else current)
    return loaded


def snapshot_of(files: Mapping[str, LoadedFile], now: datetime) -> PolicySnapshot:
    """The snapshot that the files make together. Its revision is a hash of the contents in use."""
    snapshot = combine({name: file.used.facts for name, file in files.items()})
    own = tuple(problem for file in files.values() for problem in file.problems)
    return replace(snapshot, revision=_revision(files), loaded=now, problems=(*own, *snapshot.problems))


def read_file(name: str, content: Content, documents: Documents) -> FileFacts:
    """What one file tells, by its name relative to the directory. What is wrong with it is in its problems."""
    kind = _kind(name)
    if kind is None:
        message = f"is not read; a policy directory consists of {', '.join(KINDS)}"
        return FileFacts(problems=(PolicyProblem(name, "", message),))
    report = Report(name, kind.remedy, documents)
    facts = FileFacts()
    if isinstance(content, Unreadable):
        report.error("", f"cannot be read: {content.reason}")
    elif (root := parse(content, report)) is not None:
        facts = kind.read(root, name.rpartition("/")[2].removesuffix(".json"))
    return replace(facts, problems=report.problems, broken=report.broken)


def read_directory(path: Path) -> dict[str, Content]:
    """Relative name -> content of all `*.json` files of a policy directory, hidden ones apart.

    A subdirectory that cannot be listed is there under its name with a slash. Raises OSError if the directory
    itself cannot be listed."""
    files: dict[str, Content] = {}
    for entry in _visible(path):
        if not entry.is_dir():
            files |= _json_file(entry, entry.name)
            continue
        name = f"{entry.name}/"
        try:
            for inner in _visible(entry):
                files |= _json_file(inner, name + inner.name)
                if inner.is_dir() and any(inner.glob("*.json")):
                    files[f"{name}{inner.name}/"] = b""  # to be named, not to be read
        except OSError as error:
            files[name] = Unreadable(error.strerror or str(error))
    return files


def _kind(name: str) -> FileKind | None:
    directory, slash, _ = name.rpartition("/")
    return KINDS.get(directory + slash if slash else name)


def _visible(path: Path) -> Iterable[Path]:
    return (entry for entry in sorted(path.iterdir()) if not entry.name.startswith("."))


def _json_file(path: Path, name: str) -> dict[str, Content]:
    if path.suffix != ".json":
        return {}
    if _kind(name) is None:
        return {name: b""}  # to be named, not to be read
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return {name: Unreadable("not a regular file")}
        return {name: path.read_bytes()}
    except OSError as error:
        return {name: Unreadable(error.strerror or str(error))}


def _revision(files: Mapping[str, LoadedFile]) -> str:
    digest = hashlib.sha256()
    for name, file in files.items():
        content = file.used.content
        text = content if isinstance(content, bytes) else content.reason.encode(errors="surrogateescape")
        digest.update(f"{name}\0{len(text)}\0".encode(errors="surrogateescape"))
        digest.update(text)
    return digest.hexdigest()[:12]


def fingerprint(path: Path) -> Fingerprint | None:
    """What changes whenever the directory or a file in it does, found without reading; None if it cannot be listed."""
    try:
        own = path.stat()
        entries = list(_visible(path))
        inner = [file for entry in entries if entry.is_dir() for file in _visible(entry)]
        return (own.st_dev, own.st_ino), tuple(_stamp(file) for file in (*entries, *inner) if file.suffix == ".json")
    except OSError:
        return None


def _stamp(path: Path) -> tuple[str, int, int, int]:
    try:
        found = path.stat()
    except OSError:
        return str(path), 0, 0, 0
    return str(path), found.st_ino, found.st_mtime_ns, found.st_size


def moment(time: datetime) -> str:
    """A time as people read it in a message."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


def one_line(problem: PolicyProblem) -> str:
    """A problem as one line of printable ASCII: file, place, what is wrong and what to do."""
    text = ": ".join(part for part in (problem.file, problem.place, problem.message) if part)
    return "".join(
        character if character.isascii() and character.isprintable() else ascii(character)[1:-1] for character in text
    )
