"""Reading a settings file: what can be wrong with the file itself."""

import stat
from pathlib import Path
from typing import Any

from nommerctl.errors import SettingsError

MOST_BYTES = 1024 * 1024


def read_named(file: Path, named_by: str) -> dict[str, Any]:
    """Read a settings file that somebody asked for, `named_by` a flag or a variable.

    Raises:
        SettingsError: it is missing, not to be read, a folder, not UTF-8 or not TOML.
    """
    content = read_if_there(file)
    if content is None:
        message = f"the settings file {file} (from {named_by}) does not exist"
        raise SettingsError(message)
    return content


def read_if_there(file: Path) -> dict[str, Any] | None:
    """Read a settings file, None if there is none.

    Raises:
        SettingsError: there is one, but it is not to be read, a folder, not UTF-8 or not TOML.
    """
    try:
        return _parse(file, _content(file))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except IsADirectoryError as error:
        message = f"the settings file {file} is a folder, not a file"
        raise SettingsError(message) from error
    except OSError as error:
        message = f"the settings file {file} cannot be read: {error.strerror}"
        raise SettingsError(message) from error


def check_private(file: Path, secret: str) -> None:
    """SettingsError if others may read a settings file; `secret` says what in it is nothing for them."""
    if file.stat().st_mode & stat.S_IROTH:
        message = f"{secret} is secret, and every user of this machine may read that file: chmod o-rwx {file}"
        raise SettingsError(message)


def _content(file: Path) -> bytes:
    with file.open("rb") as opened:
        content = opened.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        message = f"the settings file {file} is larger than any settings: more than {MOST_BYTES // 1024} KB"
        raise SettingsError(message)
    return content


def _parse(file: Path, content: bytes) -> dict[str, Any]:
    import tomllib  # here, so that a farm without a settings file does not pay for it

    try:
        return tomllib.loads(content.decode())
    except UnicodeDecodeError as error:
        message = f"the settings file {file} is not UTF-8 text: see its byte {error.start + 1}"
        raise SettingsError(message) from error
    except ValueError as error:  # TOMLDecodeError, and what Python says of a number of thousands of digits
        message = f"the settings file {file} is not TOML: {error}"
        raise SettingsError(message) from error
    except RecursionError as error:
        message = f"the settings file {file} is nested too deep to be read"
        raise SettingsError(message) from error
