from nommerctl.domain.job_lines import FaultyLinesError
from nommerctl.errors import SettingsError, TransferError
from nommerctl.render.errors import error_json, error_line, error_record


def test_a_line_for_people() -> None:
    # given
    error = TransferError("https://me:hunter2@example.org/a.mov answered\n404")

    # when, then
    assert error_line(error) == "nommerctl: https://***@example.org/a.mov answered\\n404\n"


def test_a_document_for_programs() -> None:
    # given
    error = SettingsError("scale.max_nodes: -1 is below 0")

    # when, then
    assert error_json(error) == (
        '{"schema":1,"error":{"code":78,"kind":"settings","message":"scale.max_nodes: -1 is below 0"}}\n'
    )


def test_the_faults_of_a_file_are_a_line_each_for_people_and_one_text_for_programs() -> None:
    # given
    error = FaultyLinesError("'jobs.jsonl' has 2 faults", ("line 1: 'a\n.mov' is empty", "line 7: it has no source"))

    # when, then
    assert error_line(error) == (
        "nommerctl: 'jobs.jsonl' has 2 faults\nline 1: 'a\\n.mov' is empty\nline 7: it has no source\n"
    )
    assert error_record(error) == {
        "code": 2,
        "kind": "usage",
        "message": "'jobs.jsonl' has 2 faults: line 1: 'a\n.mov' is empty; line 7: it has no source",
    }
