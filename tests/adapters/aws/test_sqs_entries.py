"""What fits into one request of SQS."""

from hypothesis import given
from hypothesis import strategies as st

from nommerctl.adapters.aws.sqs_entries import BATCH, BATCH_BYTES, batches

SIZES = st.lists(st.sampled_from([1, 50, 30_000, 100_000, BATCH_BYTES, BATCH_BYTES + 1]), max_size=40)


@given(SIZES)
def test_batches_hold_every_text_in_order_and_fit_into_a_request(sizes: list[int]) -> None:
    texts = ["x" * size for size in sizes]

    found = list(batches(texts))

    assert [text for batch in found for text in batch] == texts
    assert all(0 < len(batch) <= BATCH for batch in found)
    assert all(len(batch) == 1 or sum(map(len, batch)) <= BATCH_BYTES for batch in found)


def test_size_is_in_bytes() -> None:
    assert len(list(batches(["\u4e2d" * 50_000] * 2))) == 2


def test_ids_of_jobs_go_ten_to_a_batch() -> None:
    assert [len(batch) for batch in batches(["0" * 50] * 25)] == [10, 10, 5]
