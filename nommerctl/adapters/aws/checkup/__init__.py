"""An AWS account, and the parts of a farm in it, looked at for doctor."""
