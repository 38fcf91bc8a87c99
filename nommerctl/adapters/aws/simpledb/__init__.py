"""Media-nommer's jobs and heartbeats in SimpleDB, and what of them is ours, in domains beside them."""
