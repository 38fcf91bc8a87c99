"""A media-encoding farm run from a crontab, with no daemon."""

__version__ = "0.1.0"
