"""JSON that people and other programs hand in: what it says, or what is wrong with it, in a sentence."""

import msgspec

from nommerctl.errors import UsageError


def json_in(text: bytes, named: str) -> object:
    """Return what a text of JSON says, in plain values; UsageError, which begins with what it is `named`, if none."""
    try:
        return msgspec.json.decode(text)
    except UnicodeDecodeError as error:
        msg = f"{named} is not UTF-8"
        raise UsageError(msg) from error
    except RecursionError as error:
        msg = f"{named} is nested too deep to be read"
        raise UsageError(msg) from error
    except msgspec.DecodeError as error:
        msg = f"{named} is not JSON: {error}"
        raise UsageError(msg) from error
