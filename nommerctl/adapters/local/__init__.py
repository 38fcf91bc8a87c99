"""The backend of one machine: SQLite, files and processes."""
