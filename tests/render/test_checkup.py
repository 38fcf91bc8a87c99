import json
import re

from nommerctl.domain.checkup import Checkup, Finding, Verdict
from nommerctl.errors import TimeLimitError
from nommerctl.render.checkup import checkup_json, checkup_text, checkup_tsv
from tests.render.farm import NOW

CHECKUP = Checkup(
    at=NOW,
    findings=(
        Finding("settings", Verdict.OK, "'/etc/nommerctl/config.toml', readable by everybody"),
        Finding(
            "state folder",
            Verdict.FAILED,
            "'/var/lib/nommerctl' belongs to ann, and you are root",
            "run nommerctl as ann, or name another folder with --state-dir or farm.state_dir",
        ),
        Finding("disk room", Verdict.WARNING, "512 MB and 16291975 files free for the state folder '/srv/新年晚会'"),
        Finding("preset web-1080p", Verdict.OK, "a second encoded and decoded (aac, libx264)"),
        Finding("store", Verdict.FAILED, "\x1b[2J[red]gone[/red]\n", "mend it"),
    ),
)

AT_80 = """\
ok       settings          '/etc/nommerctl/config.toml', readable by everybody
failed   state folder      '/var/lib/nommerctl' belongs to ann, and you are root
                           └ run nommerctl as ann, or name another folder with
                             --state-dir or farm.state_dir
warning  disk room         512 MB and 16291975 files free for the state folder
                           '/srv/新年晚会'
ok       preset web-1080p  a second encoded and decoded (aac, libx264)
failed   store             \\x1b[2J[red]gone[/red]\\n
                           └ mend it

5 checks: 2 ok, 1 warning, 2 failed
"""

AT_120 = """\
ok       settings          '/etc/nommerctl/config.toml', readable by everybody
failed   state folder      '/var/lib/nommerctl' belongs to ann, and you are root
                           └ run nommerctl as ann, or name another folder with --state-dir or farm.state_dir
warning  disk room         512 MB and 16291975 files free for the state folder '/srv/新年晚会'
ok       preset web-1080p  a second encoded and decoded (aac, libx264)
failed   store             \\x1b[2J[red]gone[/red]\\n
                           └ mend it

5 checks: 2 ok, 1 warning, 2 failed
"""

TSV = """\
check\tverdict\tfound\tadvice
settings\tok\t'/etc/nommerctl/config.toml', readable by everybody\t
state folder\tfailed\t'/var/lib/nommerctl' belongs to ann, and you are root\t\
run nommerctl as ann, or name another folder with --state-dir or farm.state_dir
disk room\twarning\t512 MB and 16291975 files free for the state folder '/srv/新年晚会'\t
preset web-1080p\tok\ta second encoded and decoded (aac, libx264)\t
store\tfailed\t\\x1b[2J[red]gone[/red]\\n\tmend it
"""


def test_text_at_80_columns() -> None:
    assert checkup_text(CHECKUP, width=80, color=False) == AT_80


def test_text_at_120_columns() -> None:
    assert checkup_text(CHECKUP, width=120, color=False) == AT_120


def test_only_verdicts_are_coloured() -> None:
    text = checkup_text(CHECKUP, width=80, color=True)
    assert re.findall(r"\x1b\[[0-9;]+m(.*?)\x1b\[0m", text) == ["ok", "failed", "warning", "ok", "failed"]
    assert re.sub(r"\x1b\[[0-9;]+m", "", text) == AT_80


def test_a_terminal_may_be_too_narrow_for_anything() -> None:
    assert "belongs to ann, and\n" in checkup_text(CHECKUP, width=10, color=False)


def test_tsv() -> None:
    assert checkup_tsv(CHECKUP) == TSV


def test_json() -> None:
    document = json.loads(checkup_json(CHECKUP))
    assert list(document) == ["schema", "command", "as_of", "checks"]
    assert (document["schema"], document["command"], document["as_of"]) == (1, "doctor", "2026-01-01T10:00:00.000000Z")
    assert document["checks"][1] == {
        "check": "state folder",
        "verdict": "failed",
        "found": "'/var/lib/nommerctl' belongs to ann, and you are root",
        "advice": "run nommerctl as ann, or name another folder with --state-dir or farm.state_dir",
    }
    assert document["checks"][0]["advice"] == ""


def test_json_says_what_ended_it_before_its_time() -> None:
    ended = Checkup(at=NOW, findings=(), ended_by=TimeLimitError("over after 0 of 16 checks"))
    document = json.loads(checkup_json(ended))
    assert document["error"] == {"code": 124, "kind": "time_limit", "message": "over after 0 of 16 checks"}
    assert checkup_text(ended, width=80, color=False) == "\n0 checks\n"
