"""Loading the settings: defaults < file < environment < flags. Every fault is told with the name of what holds it."""
