"""Wheels of nommerctl with nothing in them, for tests that install none."""

import zipfile
from pathlib import Path


def empty_wheel(folder: Path, version: str) -> Path:
    """Write a wheel of this version."""
    wheel = folder / f"nommerctl-{version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(f"nommerctl-{version}.dist-info/METADATA", f"Name: nommerctl\nVersion: {version}\n")
    return wheel
