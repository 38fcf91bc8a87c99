"""What an old worker does while a listener is down: nothing of it is in the item later, and all of it is told."""

import pytest

from tests.taking_over.takeover import HOUR, Takeover, told
from tests.web import Exchange, reply, serving


@pytest.mark.slow
def test_each_state_is_told_in_order_when_the_listener_is_up_again(takeover: Takeover) -> None:
    answers = [500]
    with serving({"/told": lambda exchange: answer(exchange, answers[-1])}) as listener:
        job = takeover.producer().submit(notify_url=listener.url("/told"))
        takeover.minute(code=3)
        worker = takeover.worker()
        worker.take()
        for state in ("ENCODING", "UPLOADING", "FINISHED"):
            takeover.minute(code=None)
            worker.set_state(job, state)
        takeover.minute(code=None)
        assert set(told(listener)) == {"PENDING"}

        answers.append(200)
        listener.asked.clear()
        takeover.clock.advance(6 * HOUR)
        takeover.minute(2)

        assert told(listener, job) == ["PENDING", "DOWNLOADING", "ENCODING", "UPLOADING", "FINISHED"]
    assert takeover.state(job) == "FINISHED"
    assert worker.load(job)["job_state"] == "FINISHED"


def answer(exchange: Exchange, status: int) -> None:
    """Answer with this status."""
    reply(status)(exchange)
