"""What is said of media-nommer's queues, which it made without any for dead letters."""

from collections.abc import Iterator

from nommerctl.domain.aws_parts import QueueForm
from nommerctl.domain.checkup import Finding, Verdict

MAX_RECEIVES = 50
"""What the queues of a farm of backend aws have: attempts are counted on the job, and this is for what is no job's."""


def no_old_queue(check: str, setting: str, name: str) -> Finding:
    """Return what is said of a queue that is not there."""
    found = f"queue '{name}' is not there in this account and region"
    return Finding(check, Verdict.FAILED, found, f"put {setting} or aws.region right")


def old_queue_troubles(check: str, name: str, found: QueueForm, dead_letters: str) -> Iterator[Finding]:
    """Yield what is wrong with a queue that is there; `dead_letters` is where its dead letters should go."""
    redrive = f"a redrive policy to it, with maxReceiveCount {MAX_RECEIVES}"
    if not found.dead_letters:
        found_so = f"queue '{name}' has no queue of dead letters: what nobody can take comes back for days"
        advice = f"make a queue '{dead_letters}' in SQS, and give '{name}' {redrive}"
        yield Finding(check, Verdict.WARNING, found_so, advice)
    elif found.dead_letters != dead_letters:
        found_so = f"the dead letters of queue '{name}' go to '{found.dead_letters}', where nommerctl does not look"
        yield Finding(
            check, Verdict.WARNING, found_so, f"make a queue '{dead_letters}' in SQS, and give '{name}' {redrive}"
        )
    elif found.dead is None:
        found_so = f"the queue of its dead letters, '{dead_letters}', is not there"
        yield Finding(check, Verdict.FAILED, found_so, f"make a queue '{dead_letters}' in SQS")
