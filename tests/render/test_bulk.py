from nommerctl.domain.job_lines import StoredLines
from nommerctl.render.bulk import stored_sentence


def test_what_came_of_a_file() -> None:
    assert stored_sentence(StoredLines(0)) == "0 jobs stored"
    assert stored_sentence(StoredLines(1)) == "1 job stored"
    assert stored_sentence(StoredLines(10_000, 37)) == "10000 jobs stored, 37 of them were there before"
    assert stored_sentence(StoredLines(3, 1)) == "3 jobs stored, 1 of them was there before"


def test_jobs_that_were_there_for_something_else_are_counted_and_the_first_is_named() -> None:
    assert stored_sentence(StoredLines(9, 3, 2, 7)) == (
        "9 jobs stored, 3 of them were there before, 2 of those for something else, and left so (line 7 is the first)"
    )
