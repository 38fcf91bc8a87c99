"""The composition root: the only place that picks adapters, reads the clock and reads the environment."""
