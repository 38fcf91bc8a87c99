from nommerctl.ports import Message
from nommerctl.render.messages import messages_json, messages_tsv
from tests.render.farm import FAILED

MESSAGES = (Message(FAILED.id, "receipt-1", 51), Message("no id\tat all\x1b[31m", "receipt-2", 50))


def test_tsv_has_a_line_for_each_message() -> None:
    assert messages_tsv(MESSAGES) == f"body\treceives\n{FAILED.id}\t51\nno id\\tat all\\x1b[31m\t50\n"


def test_json_keeps_receipts_to_itself() -> None:
    assert messages_json(MESSAGES) == (
        '{"schema":1,"command":"queue dead list","messages":['
        f'{{"body":"{FAILED.id}","receives":51}},'
        '{"body":"no id\\tat all\\u001b[31m","receives":50}]}\n'
    )
