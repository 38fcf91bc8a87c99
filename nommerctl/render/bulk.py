"""What came of a file of jobs, in a sentence."""

from nommerctl.domain.job_lines import StoredLines
from nommerctl.domain.text import counted


def stored_sentence(stored: StoredLines) -> str:
    """Return `10000 jobs stored`, and how many of them were there before, if any were."""
    parts = [f"{counted(stored.jobs, 'job')} stored"]
    if stored.before:
        parts.append(f"{stored.before} of them {'was' if stored.before == 1 else 'were'} there before")
    if stored.others:
        parts.append(
            f"{stored.others} of those for something else, and left so (line {stored.first_other} is the first)"
        )
    return ", ".join(parts)
