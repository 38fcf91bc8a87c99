"""The small files of the state folder: locks and records of passes, logs of workers, the archive."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from nommerctl.adapters.local.archive import JsonlArchive
from nommerctl.adapters.local.pass_files import PassRecords, pass_lock
from nommerctl.adapters.local.worker_log import drop_old_logs
from nommerctl.domain.schedule import PassRecord
from nommerctl.errors import AlreadyRunningError, UnreachableError
from tests.builders import job_id, make_job
from tests.fakes.clock import START


def test_a_verb_runs_once_at_a_time_and_other_verbs_run_beside_it(tmp_path: Path) -> None:
    with pass_lock(tmp_path, "scale", now=START):
        with pytest.raises(AlreadyRunningError) as refusal, pass_lock(tmp_path, "scale", now=START):
            pass
        with pass_lock(tmp_path, "refresh", now=START):
            pass
    assert str(refusal.value) == (
        f"another scale is running (process {os.getpid()}, since 2026-01-01T09:00:00.000000Z):"
        " this run leaves the work to it"
    )
    with pass_lock(tmp_path, "scale", now=START):
        pass


def test_a_lock_falls_with_the_process_that_held_it(tmp_path: Path) -> None:
    script = (
        "import time\nfrom pathlib import Path\nfrom nommerctl.adapters.local.pass_files import pass_lock\n"
        f"with pass_lock(Path({str(tmp_path)!r}), 'scale', now=0):\n    print('held', flush=True)\n    time.sleep(30)\n"
    )
    holder = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
    assert holder.stdout is not None
    holder.stdout.readline()
    with pytest.raises(AlreadyRunningError), pass_lock(tmp_path, "scale", now=START):
        pass
    holder.kill()
    holder.wait()
    holder.stdout.close()
    with pass_lock(tmp_path, "scale", now=START):
        pass


@pytest.mark.parametrize("damage", [b"{half a rec", b'{"name":"refresh\xff","started":0}'], ids=["half", "not UTF-8"])
def test_records_are_kept_by_name_and_a_damaged_one_is_as_good_as_none(tmp_path: Path, damage: bytes) -> None:
    records = PassRecords(tmp_path)
    assert records.read() == []
    written = PassRecord(name="scale", started=1, code=0, succeeded=2)
    records.write(PassRecord(name="scale", started=0))
    records.write(written)
    (tmp_path / "refresh.json").write_bytes(damage)
    assert records.read() == [written]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["refresh.json", "scale.json"]


KILLED_WHILE_IT_WRITES = """
import os, signal, sys
from pathlib import Path
from nommerctl.adapters.local.pass_files import PassRecords
from nommerctl.domain.schedule import PassRecord
Path.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
PassRecords(Path(sys.argv[1])).write(PassRecord(name="scale", started=1))
"""


def test_what_a_killed_run_left_of_its_record_is_gone_after_the_next_run(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", KILLED_WHILE_IT_WRITES, tmp_path], check=False)
    assert len(list(tmp_path.iterdir())) == 1
    PassRecords(tmp_path).write(PassRecord(name="scale", started=2))
    assert [path.name for path in tmp_path.iterdir()] == ["scale.json"]


def test_a_worker_begins_a_new_log_when_the_old_one_is_large(tmp_path: Path) -> None:
    script = (
        "import sys\nfrom pathlib import Path\nfrom nommerctl.adapters.local.worker_log import rotate\n"
        f"folder = Path({str(tmp_path)!r})\n"
        "for number in range(30):\n"
        "    print('line', number, file=sys.stderr, flush=True)\n"
        "    rotate(folder, 'n1', max_bytes=100)\n"
    )
    with (tmp_path / "n1.log").open("ab") as log:
        subprocess.run([sys.executable, "-c", script], stderr=log, check=True)
    both = (tmp_path / "n1.log.1").read_text() + (tmp_path / "n1.log").read_text()
    assert both.endswith("line 29\n")
    assert len(both) < 300


def test_output_that_goes_elsewhere_is_left_alone(tmp_path: Path) -> None:
    script = (
        "import sys\nfrom pathlib import Path\nfrom nommerctl.adapters.local.worker_log import rotate\n"
        f"rotate(Path({str(tmp_path)!r}), 'n1', max_bytes=1)\nprint('here', file=sys.stderr)\n"
    )
    (tmp_path / "n1.log").write_text("of another worker")
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stderr == "here\n"
    assert not (tmp_path / "n1.log.1").exists()


def test_the_oldest_logs_go_but_for_those_of_living_nodes(tmp_path: Path) -> None:
    for number in range(5):
        path = tmp_path / f"n{number}.log"
        path.touch()
        os.utime(path, (number, number))
    drop_old_logs(tmp_path, keep=2, living={"n0"})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["n0.log", "n3.log", "n4.log"]


def test_the_archive_has_a_line_for_each_job_and_is_its_owners_alone(tmp_path: Path) -> None:
    archive = JsonlArchive(tmp_path / "jobs.jsonl")
    archive.append([make_job(1), make_job(2)])
    archive.append([make_job(3)])
    lines = (tmp_path / "jobs.jsonl").read_text().splitlines()
    assert [json.loads(line)["id"] for line in lines] == [job_id(1), job_id(2), job_id(3)]
    assert (tmp_path / "jobs.jsonl").stat().st_mode & 0o777 == 0o600


def test_half_a_line_that_a_killed_prune_left_in_the_archive_spoils_no_other(tmp_path: Path) -> None:
    path = tmp_path / "jobs.jsonl"
    archive = JsonlArchive(path)
    archive.append([make_job(1), make_job(2)])
    os.truncate(path, path.stat().st_size - 20)
    archive.append([make_job(2), make_job(3)])
    first, half, *others = path.read_text().splitlines()
    assert [json.loads(line)["id"] for line in (first, *others)] == [job_id(1), job_id(2), job_id(3)]
    with pytest.raises(json.JSONDecodeError):
        json.loads(half)


def test_an_archive_that_cannot_be_written_says_which_setting_names_it(tmp_path: Path) -> None:
    with pytest.raises(UnreachableError, match=r"upkeep\.archive .*: there is no such file"):
        JsonlArchive(tmp_path / "no" / "jobs.jsonl").append([make_job(1)])
