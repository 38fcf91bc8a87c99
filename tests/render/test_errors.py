from nommerctl.errors import SettingsError, TransferError
from nommerctl.render.errors import error_json, error_line


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
