"""A node: takes jobs from the queue, holds them by leases, has them encoded."""
