import json

from msgspec import structs

from nommerctl.domain.job import HistoryEntry
from nommerctl.domain.states import JobState
from nommerctl.render.job_detail import job_detail_json, job_detail_text
from tests.builders import make_job, make_lease
from tests.render.farm import DONE, ENCODING, FAILED, NOW, ORPHANED, ago

FAILED_IN_FULL = """\
Job 5b0824eddf6500000000000000000000000000000000000000
  state       ERROR
  source      /srv/in/broken.avi
  dest        /srv/out/broken.mp4
  preset      web-720p
  nommer      ffmpeg
  node        node-7f3a01
  attempt     1
  created     2026-01-01T07:46:40Z (2 h ago)
  changed     2026-01-01T07:58:20Z (2 h ago)
  client id   order-1881
  notify url  https://***@example.org/hook (2 still to be told)

Details
  ffmpeg ended with 183: Invalid data found when processing input
  moov atom not found

History
    1  2026-01-01T07:46:40Z      2 h ago  PENDING      by submit
    2  2026-01-01T07:58:10Z      2 h ago  DOWNLOADING  by node-7f3a01
    3  2026-01-01T07:58:15Z      2 h ago  ENCODING     by node-7f3a01
    4  2026-01-01T07:58:20Z      2 h ago  ERROR        by node-7f3a01: ffmpeg ended with 183: Invalid data found when processing input

Command
  ffmpeg -nostdin -i broken.avi -c:v libx264 out.mp4

End of the log
  [mov,mp4] moov atom not found
  broken.avi: Invalid data found when processing input
"""  # noqa: E501 - as long as it is shown

ENCODING_IN_FULL = """\
Job 39e602cbbd4300000000000000000000000000000000000000
  state     ENCODING
  progress  42.7%, 54 frames/s, 1.8x, 3 min left
  source    s3://studio-incoming/2024/holiday-in-lisbon-part-04.mov
  dest      s3://studio-done/2024/holiday-in-lisbon-part-04.mp4
  preset    web-720p
  nommer    ffmpeg
  node      i-0a1b2c3d4e5f67890, its lease lasts until 2026-01-01T10:01:00Z (in 60 s)
  attempt   2
  created   2026-01-01T09:00:01Z (60 min ago)
  changed   2026-01-01T09:45:00Z (15 min ago)
"""


def test_a_failed_job_shows_its_details_history_command_and_log() -> None:
    assert job_detail_text(FAILED, now=NOW, color=False) == FAILED_IN_FULL


def test_a_job_that_others_wrote_badly_says_what_is_wrong_beside_its_details() -> None:
    # given
    job = structs.replace(ENCODING, fault="its nommer '\x1b[2J' is unknown", details="as the old worker had it")

    # when
    text = job_detail_text(job, now=NOW, color=False)

    # then
    assert "  reason    its nommer '\\x1b[2J' is unknown\n" in text
    assert "as the old worker had it" in text


def test_a_job_in_work_shows_its_progress_and_its_lease() -> None:
    assert job_detail_text(ENCODING, now=NOW, color=False) == ENCODING_IN_FULL


def test_a_finished_job_shows_what_was_measured_of_its_output() -> None:
    assert "  output   12.50 s, 1280x720\n" in job_detail_text(DONE, now=NOW, color=False)


def test_a_job_in_an_old_workers_hands_has_no_lease_that_could_end() -> None:
    job = structs.replace(ORPHANED, lease=structs.replace(make_lease(""), owner="an old worker"))

    text = job_detail_text(job, now=NOW, color=False)

    assert "  node      an old worker, which takes no leases\n" in text
    assert "reason" not in text


def test_a_job_whose_worker_is_gone_says_why_it_stands_still() -> None:
    # given, when
    text = job_detail_text(ORPHANED, now=NOW, color=False)

    # then
    assert "  reason    its worker is gone: waits to be taken over\n" in text
    assert "  node      node-7f3a01, its lease ended at 2026-01-01T09:59:10Z (50 s ago)\n" in text


def test_interruptions_are_counted_apart_from_attempts() -> None:
    # given
    job = make_job(attempt=3, interruptions=2)

    # when, then
    assert "  attempt  3 (2 interruptions)\n" in job_detail_text(job, now=NOW, color=False)


def test_a_listener_that_knows_everything_is_said_to() -> None:
    # given
    job = make_job(
        notify_url="https://example.org/hook",
        told=1,
        history=(HistoryEntry(1, JobState.PENDING, ago(5), "submit"),),
    )

    # when, then
    assert "https://example.org/hook (told everything)\n" in job_detail_text(job, now=NOW, color=False)


def test_json_holds_the_whole_record_after_the_keys_of_list() -> None:
    # given, when
    document = json.loads(job_detail_json(ENCODING, now=NOW))

    # then
    assert list(document) == ["schema", "command", "as_of", "job"]
    assert document["command"] == "show"
    job = document["job"]
    assert list(job) == [
        *("id", "state", "source", "dest", "preset", "attempt", "progress", "eta_s", "node"),
        *(
            "created",
            "changed",
            "details",
            "reason",
            "usd_per_hour",
            "cost_usd",
            "nommer",
            "options",
            "notify_url",
            "told",
            "delivery",
            "client_id",
        ),
        *("queued_at", "interruptions", "lease", "fps", "speed", "media", "command", "log", "history", "version"),
    ]
    assert job["lease"] == {"id": "lease-1", "owner": "i-0a1b2c3d4e5f67890", "until": "2026-01-01T10:01:00.000000Z"}
    assert (job["fps"], job["speed"], job["queued_at"]) == (54.2, 1.83, None)


def test_json_has_history_media_and_masked_credentials() -> None:
    # given, when
    failed = json.loads(job_detail_json(FAILED, now=NOW))["job"]
    done = json.loads(job_detail_json(DONE, now=NOW))["job"]

    # then
    assert failed["notify_url"] == "https://***@example.org/hook"
    assert failed["history"][0] == {
        "seq": 1,
        "state": "PENDING",
        "at": "2026-01-01T07:46:40.000000Z",
        "by": "submit",
        "details": None,
    }
    assert done["media"] == {"seconds": 12.5, "width": 1280, "height": 720}
