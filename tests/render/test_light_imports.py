import subprocess
import sys

PIPED = """
import sys
from nommerctl.domain.config import ScaleSettings
from nommerctl.domain.outcome import Change, Outcome
from nommerctl.errors import UsageError
from nommerctl.render import decisions, errors, job_detail, jobs, nodes, outcome
from tests.render.farm import JOBS, NODES, NOW

limits = ScaleSettings()
text = jobs.jobs_tsv(JOBS, now=NOW, as_of=NOW) + jobs.jobs_json(JOBS, command="list", as_of=NOW, now=NOW)
text += nodes.nodes_tsv(NODES, now=NOW, limits=limits) + nodes.nodes_json(NODES, now=NOW, limits=limits)
text += job_detail.job_detail_text(JOBS[0], now=NOW, color=False) + job_detail.job_detail_json(JOBS[0], now=NOW)
done = Outcome(command="prune", changed=(Change("remove", "1f00"),))
text += outcome.outcome_text(done, color=False) + outcome.outcome_json(done)
text += decisions.decisions_text([], now=NOW, color=False) + decisions.decisions_json([], now=NOW)
text += errors.error_line(UsageError("no")) + errors.error_json(UsageError("no"))
print(len(text) > 1000, sorted(name for name in sys.modules if name.split(".")[0] in {"rich", "boto3", "diskcache"}))
"""


def test_a_pipe_does_not_load_rich() -> None:
    # given, when
    answer = subprocess.run([sys.executable, "-c", PIPED], capture_output=True, text=True, check=True)

    # then
    assert answer.stdout == "True []\n"
