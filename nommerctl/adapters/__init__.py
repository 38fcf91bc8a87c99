"""The world behind the ports. Errors of vendors stop here."""
