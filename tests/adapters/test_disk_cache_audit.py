"""Whatever somebody plants in the job cache: no code of theirs is run, and no file outside of its folder touched."""

import json
import os
import re
import shutil
import subprocess
import sys
from itertools import product
from pathlib import Path

import pytest

from tests.adapters.cache_on_disk import change_entry, make_cache, meddle
from tests.adapters.processes import ROOT
from tests.adapters.test_disk_cache_planted import pickled_canary
from tests.adapters.test_seal import seal
from tests.builders import job_id

MODES = (None, -1, 0, 1, 2, 3, 4, 5, "4", 4.5)
"""What diskcache knows (0 to 4: none, raw, a file of bytes, a file of text, a pickle), and what it does not."""

RAWS = (None, 0, 1, 2, "0")

BOMBS = {
    "nested": b'{"id":"x","source":"a","dest":"b","created":1,"changed":1,"options":[],"more":' + b"[" * 1_000_000,
    "number": b'{"id":"x","source":"a","dest":"b","created":1,"changed":1,"options":[],"more":' + b"9" * 2_000_000,
    "key": b'{"' + b"k" * 2_000_000 + b'":1}',
    "instant": b'{"id":"x","source":"a","dest":"b","created":999999999999999999999,"changed":1,"options":[]}',
}

SQL = {
    "trigger": "CREATE TRIGGER planted AFTER UPDATE ON Cache BEGIN DELETE FROM Cache; END",
    "view": "CREATE VIEW planted AS SELECT load_extension('planted.so')",
    "table": "CREATE TABLE planted (value)",
    "virtual table": "CREATE VIRTUAL TABLE planted USING fts4(tokenize=simple)",
    "attribute": "INSERT INTO Settings VALUES ('_disk', 'planted')",
    "attribute of ours": "INSERT INTO Settings VALUES ('connection', 'planted')",
    "disk setting": "INSERT INTO Settings VALUES ('disk_pickle', 1)",
    "pragma": "INSERT INTO Settings VALUES ('sqlite_temp_store_directory', '/')",
    "statement": "INSERT INTO Settings VALUES ('sqlite_x; ATTACH ''victim'' AS y', 1)",
    "journal": "UPDATE Settings SET value = 'delete' WHERE key = 'sqlite_journal_mode'",
    "huge": "UPDATE Cache SET value = zeroblob(70000000) WHERE rowid = 3",
    "long key": "UPDATE Cache SET key = zeroblob(1000000) WHERE rowid = 3",
}


class Garden:
    """Planted caches, each in a state folder of its own, and what is beside them."""

    def __init__(self, home: Path) -> None:
        self.home = home
        make_cache(home / "sound" / "cache")
        self.folders: list[Path] = []

    def new(self) -> Path:
        """Another cache, to plant something in."""
        folder = self.home / f"state{len(self.folders)}" / "cache"
        shutil.copytree(self.home / "sound" / "cache", folder)
        (folder / "planted.val").write_bytes(pickled_canary(folder))
        (folder.parent.parent / "victim").write_text("still here")
        self.folders.append(folder)
        return folder

    def names(self, folder: Path) -> tuple[object, ...]:
        """What a row may call its file."""
        return (None, "", "planted.val", "../../victim", str(folder.parent.parent / "victim"), "../..", b"../../victim")

    def plant(self) -> None:
        """Plant all there is: modes and file names, pickled keys, bombs, and SQL."""
        for mode, number in product(MODES, range(7)):
            folder = self.new()
            name = self.names(folder)[number]
            value = None if name else pickled_canary(folder)
            change_entry(folder, job_id(1), mode=mode, filename=name, value=value)
        for raw in RAWS:
            folder = self.new()
            change_entry(folder, job_id(1), raw=raw, key=pickled_canary(folder))
        for bomb in BOMBS.values():
            change_entry(self.new(), job_id(1), value=seal(bomb).decode())
            change_entry(self.new(), "head", value=seal(bomb).decode())
        for statement in SQL.values():
            meddle(self.new(), statement)

    def assert_untouched(self) -> None:
        assert (self.home / "victim").read_text() == "still here"
        assert list(self.home.rglob("canary")) == []


@pytest.mark.slow
def test_no_code_is_run_and_no_file_outside_touched(tmp_path: Path) -> None:
    garden = Garden(tmp_path)
    garden.plant()
    command = [
        sys.executable,
        "-m",
        "tests.adapters.audited",
        str(tmp_path / "sound" / "cache"),
        *map(str, garden.folders),
    ]

    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, timeout=100, cwd=ROOT)

    assert json.loads(done.stdout) == []
    garden.assert_untouched()
    assert len(garden.folders) > 90


def test_the_auditor_notices_what_diskcache_itself_would_do(tmp_path: Path) -> None:
    garden = Garden(tmp_path)
    folder = garden.new()
    change_entry(folder, job_id(1), mode=4, value=pickled_canary(folder))
    other = garden.new()
    change_entry(other, job_id(1), mode=3, filename="../../victim", value=None)
    script = f"""
import sys
from tests.adapters.audited import Auditor
import diskcache
auditor = Auditor()
sys.addaudithook(auditor)
for folder in ({str(folder)!r}, {str(other)!r}):
    cache = diskcache.Cache(folder)
    auditor.home = str(folder.removesuffix("/cache"))
    cache.get({job_id(1)!r})
    auditor.home = None
    cache.close()
print(auditor.misdeeds)
"""
    done = subprocess.run([sys.executable, "-c", script], check=True, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert "pickle.find_class" in done.stdout
    assert "victim" in done.stdout
    assert (folder.parent / "canary").exists()


@pytest.mark.slow
def test_the_kernel_is_asked_for_no_planted_file(tmp_path: Path) -> None:
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("strace is not installed")
    garden = Garden(tmp_path)
    garden.plant()
    trace = tmp_path / "trace"
    command = [
        strace,
        "-f",
        "-qq",
        "-s",
        "4096",
        "-e",
        "trace=%file,%process,%network",
        "-o",
        str(trace),
        sys.executable,
    ]
    command += ["-m", "tests.adapters.audited", str(tmp_path / "sound" / "cache"), *map(str, garden.folders)]

    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=110, cwd=ROOT, env={**os.environ})

    calls = [line for line in trace.read_text(errors="replace").splitlines() if "execve" not in line]
    assert len(calls) > 10_000
    assert [
        line
        for line in calls
        if re.search(r"victim|planted\.(val|so)|canary|\b(socket|connect|clone|fork|vfork)\(", line)
    ] == []
    garden.assert_untouched()
