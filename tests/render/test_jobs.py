import json
import re

from rich.cells import cell_len

from nommerctl.domain.job import Progress
from nommerctl.domain.states import JobState
from nommerctl.render.jobs import jobs_json, jobs_table, jobs_tsv
from tests.builders import make_job
from tests.render.farm import DONE, ENCODING, FAILED, JOBS, NOW, ago, an_id

AT_80 = """\
ID            STATE      DONE  SOURCE                     PRESET    TRY  CHANGED
────────────────────────────────────────────────────────────────────────────────
17c4e0a99b21  PENDING          …/lectures/lecture_17.mkv  web-720p         7 min
28d5f1baac32  PENDING          …/in/trailer [final].mov   web-720p          30 s
              └ handed back, waits again: the worker was told to end (SIGTERM)
39e602cbbd43  ENCODING    42%  holiday-in-l…-part-04.mov  web-720p    2   15 min
4af713dcce54  UPLOADING   99%  新年晚会现场…部分高清.mp4  podcast          3 min
              └ its worker is gone: waits to be taken over
5b0824eddf65  ERROR            /srv/in/broken.avi         web-720p           2 h
              └ ffmpeg ended with 183: Invalid data found when processing input
6c1935feea76  FINISHED         /srv/in/cat.webm           web-720p           3 d

6 jobs: 2 PENDING, 1 ENCODING, 1 UPLOADING, 1 FINISHED, 1 ERROR · cache 40 s old
"""

AT_120 = """\
ID            STATE      DONE   LEFT  SOURCE                DEST                  PRESET    NODE            TRY  CHANGED
────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
17c4e0a99b21  PENDING                 …/lecture_17.mkv      …/out/lecture_17.mp4  web-720p                         7 min
28d5f1baac32  PENDING                 trailer [final].mov   trailer [final].mp4   web-720p                          30 s
              └ handed back, waits again: the worker was told to end (SIGTERM)
39e602cbbd43  ENCODING    42%  3 min  holiday-in…rt-04.mov  holiday-in…rt-04.mp4  web-720p  i-0a1b2…f67890    2   15 min
4af713dcce54  UPLOADING   99%         新年晚会现…高清.mp4   …/out/新年晚会.mp4    podcast   node-7f3a01            3 min
              └ its worker is gone: waits to be taken over
5b0824eddf65  ERROR                   /srv/in/broken.avi    /srv/out/broken.mp4   web-720p  node-7f3a01              2 h
              └ ffmpeg ended with 183: Invalid data found when processing input
6c1935feea76  FINISHED                /srv/in/cat.webm      /srv/out/cat.mp4      web-720p                           3 d

6 jobs: 2 PENDING, 1 ENCODING, 1 UPLOADING, 1 FINISHED, 1 ERROR · cache 40 s old
"""

ESCAPE_CODE = re.compile(r"\x1b\[[0-9;]*m")


def lines_of(text: str) -> list[str]:
    return text.splitlines()


def test_table_at_80_columns() -> None:
    assert jobs_table(JOBS, now=NOW, width=80, color=False, as_of=ago(40)) == AT_80


def test_table_at_120_columns() -> None:
    assert jobs_table(JOBS, now=NOW, width=120, color=False, as_of=ago(40)) == AT_120


def test_a_wide_terminal_gets_bar_and_speed() -> None:
    # given, when
    text = jobs_table([ENCODING], now=NOW, width=170, color=False, as_of=ago(40))

    # then
    assert "42%  ━━━─────   1.8x  3 min" in text
    assert "/holiday-in-lisbon-part-04.mov" in text
    assert "i-0a1b2c3d4e5f67890" in text


def test_a_narrow_terminal_gets_what_matters_most_cut_to_its_width() -> None:
    # given, when
    lines = lines_of(jobs_table([ENCODING], now=NOW, width=34, color=False, as_of=ago(40)))

    # then
    assert lines == [
        "ID            STATE     SOURCE",
        "──────────────────────────────────",
        "39e602cbbd43  ENCODING  holiday-i…",
        "",
        "1 job: 1 ENCODING · cache 40 s old",
    ]


def test_colours_change_nothing_but_the_colour() -> None:
    # given, when
    coloured = jobs_table(JOBS, now=NOW, width=80, color=True, as_of=ago(40))

    # then
    assert "\x1b[1;31mERROR\x1b[0m" in coloured
    assert ESCAPE_CODE.sub("", coloured) == AT_80


def test_ids_that_begin_alike_are_shown_as_far_as_they_differ() -> None:
    # given
    jobs = [make_job(id=an_id("aaaaaaaaaaaaaa1")), make_job(id=an_id("aaaaaaaaaaaaaa2")), make_job(id=an_id("b"))]

    # when
    rows = lines_of(jobs_table(jobs, now=NOW, width=100, color=False, as_of=NOW))[2:5]

    # then
    assert [row.split()[0] for row in rows] == ["aaaaaaaaaaaaaa1", "aaaaaaaaaaaaaa2", "b00000000000000"]


def test_a_job_is_at_100_percent_only_when_it_is_done() -> None:
    # given
    almost = make_job(state=JobState.ENCODING, progress=Progress(0.9999))

    # when
    text = jobs_table([almost], now=NOW, width=100, color=False, as_of=NOW)

    # then
    assert " 99%" in text


def test_no_jobs_and_a_cold_cache_say_so() -> None:
    assert (
        jobs_table([], now=NOW, width=80, color=False, as_of=None)
        == "no jobs · the cache is cold: run `nommerctl refresh`\n"
    )


def test_jobs_read_this_moment_have_no_age() -> None:
    assert jobs_table([DONE], now=NOW, width=80, color=False, as_of=NOW).endswith("\n\n1 job: 1 FINISHED\n")


def test_a_table_of_some_says_of_how_many_and_how_to_see_them_all() -> None:
    counts = {JobState.PENDING: 99_999, JobState.FINISHED: 1}

    text = jobs_table([DONE], now=NOW, width=120, color=False, as_of=NOW, counts=counts)

    assert text.endswith("\n\n1 shown of 100000 jobs: 99999 PENDING, 1 FINISHED (--limit 0 shows all)\n")


def test_wide_characters_do_not_push_the_columns_apart() -> None:
    # given
    names = ["a.mov", "新年晚会现场录像完整版第一部分高清.mp4", "кино.avi"]
    jobs = [make_job(id=an_id(name[0]), source=f"/in/{name}") for name in names]

    # when
    rows = lines_of(jobs_table(jobs, now=NOW, width=80, color=False, as_of=NOW))[2:5]

    # then
    assert len({cell_len(row) for row in rows}) == 1


def test_tsv_has_a_header_and_nothing_shortened() -> None:
    assert jobs_tsv([ENCODING, FAILED], now=NOW, as_of=NOW) == (
        "id\tstate\tsource\tdest\tpreset\tattempt\tprogress\teta_s\tnode\tcreated\tchanged\tdetails\treason\t"
        "usd_per_hour\tcost_usd\n"
        "39e602cbbd4300000000000000000000000000000000000000\tENCODING\t"
        "s3://studio-incoming/2024/holiday-in-lisbon-part-04.mov\ts3://studio-done/2024/holiday-in-lisbon-part-04.mp4\t"
        "web-720p\t2\t0.427\t193.0\ti-0a1b2c3d4e5f67890\t"
        "2026-01-01T09:00:01.000000Z\t2026-01-01T09:45:00.000000Z\t\t\t\t\n"
        "5b0824eddf6500000000000000000000000000000000000000\tERROR\t"
        "/srv/in/broken.avi\t/srv/out/broken.mp4\t"
        "web-720p\t1\t\t\tnode-7f3a01\t"
        "2026-01-01T07:46:40.000000Z\t2026-01-01T07:58:20.000000Z\t"
        "ffmpeg ended with 183: Invalid data found when processing input\\nmoov atom not found\t"
        "ffmpeg ended with 183: Invalid data found when processing input\t\t\n"
    )


def test_json_is_the_document_that_was_agreed_on() -> None:
    # given, when
    document = jobs_json([ENCODING], command="list", as_of=ago(40), now=NOW)

    # then
    assert document.count("\n") == 1
    assert json.loads(document) == {
        "schema": 1,
        "command": "list",
        "as_of": "2026-01-01T09:59:20.000000Z",
        "jobs": [
            {
                "id": "39e602cbbd4300000000000000000000000000000000000000",
                "state": "ENCODING",
                "source": "s3://studio-incoming/2024/holiday-in-lisbon-part-04.mov",
                "dest": "s3://studio-done/2024/holiday-in-lisbon-part-04.mp4",
                "preset": "web-720p",
                "attempt": 2,
                "progress": 0.427,
                "eta_s": 193.0,
                "node": "i-0a1b2c3d4e5f67890",
                "created": "2026-01-01T09:00:01.000000Z",
                "changed": "2026-01-01T09:45:00.000000Z",
                "details": None,
                "reason": None,
                "usd_per_hour": None,
                "cost_usd": None,
            }
        ],
    }


def test_json_keeps_text_whole_and_masks_credentials() -> None:
    # given
    job = make_job(source="https://me:hunter2@example.org/新年\x1b[31m\u202e.mov")

    # when
    document = jobs_json([job], command="list", as_of=None, now=NOW)

    # then
    assert json.loads(document)["jobs"][0]["source"] == "https://***@example.org/新年\x1b[31m\u202e.mov"
    assert json.loads(document)["as_of"] is None
    assert document.isascii()


def test_a_finished_job_needs_no_reason() -> None:
    assert json.loads(jobs_json([DONE], command="list", as_of=None, now=NOW))["jobs"][0]["reason"] is None
