"""What the parts of a farm are called in its AWS account; several farms live in one account."""

FARM_TAG = "nommerctl:farm"
"""The tag, with the farm's name as its value, of all that is the farm's."""

ORDER_TAG = "nommerctl:order"
"""The tag of a node that says which order it came of."""


FAILURE_TAG = "nommerctl:failure"
"""The tag in which a node that did not come up says why."""


def jobs_table(farm: str) -> str:
    """Return the name of the table of jobs."""
    return f"nommerctl-{farm}-jobs"


def ledger_table(farm: str) -> str:
    """Return the name of the table of the ledger."""
    return f"nommerctl-{farm}-ledger"


def new_jobs_queue(farm: str) -> str:
    """Return the name of the queue of new jobs."""
    return f"nommerctl-{farm}-new-jobs"


def changes_queue(farm: str) -> str:
    """Return the name of the queue of changes of state."""
    return f"nommerctl-{farm}-state-changes"


def dead_letters(queue: str) -> str:
    """Return the name of the queue that has the dead letters of another one."""
    return f"{queue}-dead"


def launch_template(farm: str) -> str:
    """Return the name of the launch template of nodes, if the settings name no other."""
    return f"nommerctl-{farm}"


def node_role(farm: str) -> str:
    """Return the name of the role of nodes, and of the instance profile that has it."""
    return f"nommerctl-{farm}-node"


def security_group(farm: str) -> str:
    """Return the name of the security group of nodes."""
    return f"nommerctl-{farm}"
