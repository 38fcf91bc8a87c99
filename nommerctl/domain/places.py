"""What a folder, a file or a disk must be like for a farm to live there, and what is said of one that is not."""

import shlex
from collections.abc import Iterable, Sequence

from msgspec import Struct

from nommerctl.domain.checkup import Finding, Verdict
from nommerctl.domain.text import counted

OTHERS_WRITE, OTHERS_READ = 0o022, 0o055
"""The bits of a mode by which group and others may write; or read, or follow."""

_ALL_READ, _GROUP_READS = 0o004, 0o040

_NETWORK = frozenset({
    "9p", "afs", "ceph", "cifs", "davfs", "fuse.davfs", "fuse.glusterfs", "fuse.rclone", "fuse.s3fs", "fuse.sshfs",
    "glusterfs", "lustre", "ncpfs", "nfs", "nfs4", "smb3", "smbfs",
})  # fmt: skip
"""File systems of other machines. "WAL does not work over a network filesystem": https://sqlite.org/wal.html."""

_MEMORY = frozenset({"ramfs", "tmpfs"})

_FULL = 16_000_000
"""Free bytes below which the next write of SQLite, or of a log, may be the one that fails."""

_FILES_FULL, _FILES_FEW = 64, 1_000


_SHOWN = 3
"""Places on one disk that are named; the others are only counted."""


class FolderLook(Struct, frozen=True, kw_only=True):
    """A folder as it was found. `path` is as given; `link_to` is what it names if it is a symbolic link.

    `mode` is None if there is nothing at `path`. `above` is the nearest folder that there is, upwards from it, and
    `above_writable` whether this user may make something there. `owner` is the name of a user, or a number.
    `barred` are sentences on what is in it and cannot be used by this user.
    """

    path: str
    above: str
    above_writable: bool
    link_to: str | None = None
    mode: int | None = None
    is_folder: bool = False
    owner: str = ""
    is_ours: bool = False
    writable: bool = False
    barred: tuple[str, ...] = ()


class FileLook(Struct, frozen=True, kw_only=True):
    """A file as it was found: its mode, and the name of its owner if that is neither this user nor root."""

    path: str
    mode: int
    stranger: str | None = None


class FileSystem(Struct, frozen=True, kw_only=True):
    """A mounted file system: `kind` as the kernel calls it ('' if it does not say), bytes and files that fit still.

    `free_files` is None where there is no limit to them. `lock_error` is why locks cannot be had on it.
    """

    device: int
    kind: str
    read_only: bool
    free: int
    free_files: int | None
    lock_error: str | None = None


class Place(Struct, frozen=True, kw_only=True):
    """A folder that needs room: what for, and below how many free bytes that is worth a warning."""

    purpose: str
    path: str
    system: FileSystem
    enough: int


def judge_state_folder(look: FolderLook, *, user: str) -> list[Finding]:
    """Judge the state folder for `user`: a finding for everything that is wrong with it, or one that all is well."""
    path = f"'{look.path}'"
    if look.mode is None:
        return [_judge_missing(look, user)]
    if not look.is_folder:
        return [_folder(Verdict.FAILED, f"{path} is not a folder", "name another with --state-dir or farm.state_dir")]
    if not look.is_ours:
        advice = f"run nommerctl as {look.owner}, or name another folder with --state-dir or farm.state_dir"
        return [_folder(Verdict.FAILED, f"{path} belongs to {look.owner}, and you are {user}", advice)]
    found = []
    quoted = shlex.quote(look.path)
    if look.link_to is not None:
        advice = "name that folder itself with --state-dir or farm.state_dir"
        link = f"{path} is a symbolic link to '{look.link_to}': whoever changes it gives the farm another folder"
        found.append(_folder(Verdict.WARNING, link, advice))
    if look.mode & OTHERS_WRITE:
        found.append(_folder(Verdict.FAILED, f"others may write in {path}", f"chmod 700 {quoted}"))
    elif look.mode & OTHERS_READ:
        text = f"others may read in {path}, which names sources, destinations and listeners"
        found.append(_folder(Verdict.WARNING, text, f"chmod 700 {quoted}"))
    if not look.writable:
        found.append(_folder(Verdict.FAILED, f"{path} cannot be written by you", f"chmod u+rwx {quoted}"))
    if look.barred:
        more = f", and {len(look.barred) - 1} more like it" if len(look.barred) > 1 else ""
        found.append(
            _folder(Verdict.FAILED, f"{look.barred[0]}{more}", f"chown -R {user} {quoted}; chmod -R u+rwX {quoted}")
        )
    return found or [_folder(Verdict.OK, f"{path} is yours alone")]


def _judge_missing(look: FolderLook, user: str) -> Finding:
    path, quoted = f"'{look.path}'", shlex.quote(look.path)
    if look.link_to is not None:
        return _folder(
            Verdict.FAILED, f"{path} is a symbolic link to '{look.link_to}', where nothing is", f"rm {quoted}"
        )
    if not look.above_writable:
        advice = f"as root, 'install -d -m 700 -o {user} {quoted}', or name another with --state-dir or farm.state_dir"
        return _folder(
            Verdict.FAILED, f"{path} cannot be made: '{look.above}' is nothing that you may write in", advice
        )
    return _folder(Verdict.OK, f"{path} is not made yet: the first submit makes it")


def _folder(verdict: Verdict, found: str, advice: str = "") -> Finding:
    return Finding("state folder", verdict, found, advice)


def judge_settings_file(look: FileLook | None, variables: Sequence[str]) -> Finding:
    """Judge the settings file, None if there is none; `variables` are those whose settings are in force besides.

    Whoever can write it names the program that workers run (ffmpeg.path).
    """
    besides = f"; besides {', '.join(variables)}" if variables else ""
    advice = "cron gets no variable that its crontab does not set: settings belong in the file" if variables else ""
    if look is None:
        return Finding("settings", Verdict.OK, f"no settings file: defaults{besides}", advice)
    found, quoted = f"'{look.path}'", shlex.quote(look.path)
    if look.mode & OTHERS_WRITE:
        text = f"others may write in {found}, and so choose what workers run"
        return Finding("settings", Verdict.FAILED, text, f"chmod go-w {quoted}")
    if look.stranger is not None:
        text = f"{found} belongs to {look.stranger}, who so chooses what workers run"
        return Finding("settings", Verdict.WARNING, text, f"as root, 'chown root {quoted}'")
    readers = "everybody" if look.mode & _ALL_READ else "its group" if look.mode & _GROUP_READS else "its owner alone"
    return Finding("settings", Verdict.OK, f"{found}, readable by {readers}{besides}", advice)


def judge_file_system(path: str, system: FileSystem) -> Finding:
    """Judge what the state folder stands on: locks and SQLite's log must work there, and what is written must last."""

    def finding(verdict: Verdict, found: str) -> Finding:
        advice = "" if verdict is Verdict.OK else "name a folder on a local disk with --state-dir or farm.state_dir"
        return Finding("file system", verdict, found, advice)

    kind = system.kind or "a file system of unknown kind"
    if system.read_only:
        return finding(Verdict.FAILED, f"'{path}' is on a read-only file system ({kind})")
    if system.kind in _NETWORK:
        return finding(
            Verdict.FAILED, f"'{path}' is on a network file system ({kind}), where SQLite's log does not work"
        )
    if system.lock_error is not None:
        return finding(Verdict.FAILED, f"files on '{path}' ({kind}) cannot be locked: {system.lock_error}")
    if system.kind in _MEMORY:
        return finding(Verdict.WARNING, f"'{path}' is in memory ({kind}): a restart of the machine loses all jobs")
    return finding(Verdict.OK, f"{kind}, and locks work")


def judge_room(places: Iterable[Place]) -> list[Finding]:
    """Judge the room on each file system, once for all the places on it, by the place that needs most."""
    sharing: dict[int, list[Place]] = {}
    for place in places:
        sharing.setdefault(place.system.device, []).append(place)
    return [_judge_room_of(group) for group in sharing.values()]


def _judge_room_of(places: Sequence[Place]) -> Finding:
    system = places[0].system
    files = system.free_files
    room = size_text(system.free) if files is None else f"{size_text(system.free)} and {counted(files, 'file')}"
    named = ", ".join(f"{place.purpose} '{place.path}'" for place in places[:_SHOWN])
    more = f" and {len(places) - _SHOWN} more" if len(places) > _SHOWN else ""
    found = f"{room} free for {named}{more}"
    if system.free < _FULL or (files is not None and files < _FILES_FULL):
        return Finding("disk room", Verdict.FAILED, found, "remove what is not needed: the next write may fail")
    if system.free < max(place.enough for place in places) or (files is not None and files < _FILES_FEW):
        return Finding("disk room", Verdict.WARNING, found, "remove what is not needed before it is full")
    return Finding("disk room", Verdict.OK, found)


def size_text(size: int) -> str:
    """Return a number of bytes as a person says it: `512 kB`, `3.2 GB`, `12 GB`."""
    for unit, name in ((10**12, "TB"), (10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if size >= unit:
            value = size / unit
            return f"{value:.1f} {name}" if value < 10 else f"{value:.0f} {name}"  # noqa: PLR2004 - two digits are enough
    return f"{size} B"
