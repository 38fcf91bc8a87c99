"""From what a command found to text: tables, TSV and JSON. Everything here returns strings and prints nothing."""
