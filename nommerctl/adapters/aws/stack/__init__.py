"""The parts of a farm in an AWS account: how each kind is found, made, changed and deleted."""
