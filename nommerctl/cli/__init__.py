"""The command line: parse, run one thing, render, exit. A module for each panel of the help."""
