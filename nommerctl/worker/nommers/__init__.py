"""What encodes: one folder for each nommer."""
