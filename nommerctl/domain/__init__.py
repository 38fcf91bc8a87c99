"""The rules of the farm: pure data and functions. No I/O, no clock, no randomness."""
