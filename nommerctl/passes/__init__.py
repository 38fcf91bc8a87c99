"""A verb a file: read, decide, act through a Performer, return an Outcome."""
