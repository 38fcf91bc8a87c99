"""The lock of what nodes install: made anew by this script, and by `--check` proved to be what pyproject.toml asks for.

It has the wheels for Debian 12's Python 3.11 on x86_64 and aarch64, by pip's own resolution, from PyPI and from nowhere
else: what a machine's pip is configured to may be another index.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import tomllib
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
LOCK = ROOT / "nommerctl" / "adapters" / "aws" / "node" / "requirements.txt"
MACHINES = ("x86_64", "aarch64")
GLIBC = range(17, 37)
"""Minor versions of glibc 2 that a wheel may ask for: Debian 12 has 2.36."""

HEAD = "# What nodes install. Made by tests/node_lock.py; do not edit.\n"
NODE = {"python_version": "3.11", "python_full_version": "3.11.2", "sys_platform": "linux", "extra": ""}
_LINE = re.compile(r"([a-z0-9-]+)==([0-9A-Za-z.+!]+)((?: --hash=sha256:[0-9a-f]{64})+)")


def wanted() -> list[Requirement]:
    """Return what nommerctl depends on."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return [Requirement(each) for each in project["dependencies"]]


def locked(text: str) -> dict[str, str]:
    """Return the version of each package of a lock; ValueError for a line that pins nothing or has no hash."""
    found = {}
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        if match is None:
            msg = f"no pinned package with its hashes: {line}"
            raise ValueError(msg)
        found[match[1]] = match[2]
    return found


def faults(versions: dict[str, str]) -> list[str]:
    """Say what keeps a lock from being what pyproject.toml asks for, with all that this asks for in its turn.

    What a package asks for is read from those that are installed here.
    """
    found = []
    ahead, seen = wanted(), set[str]()
    while ahead:
        requirement = ahead.pop()
        name = canonicalize_name(requirement.name)
        if requirement.marker and not requirement.marker.evaluate(NODE):
            continue
        if name not in versions:
            found.append(f"{name} is not in the lock")
        elif requirement in wanted() and not requirement.specifier.contains(versions[name]):
            found.append(f"{name} {versions[name]} is not {requirement.specifier}")
        if name not in seen:
            seen.add(name)
            ahead += _asked_by(name)
    return sorted(found) + sorted(f"nothing asks for {name}" for name in versions.keys() - seen)


def _asked_by(name: str) -> list[Requirement]:
    try:
        return [Requirement(each) for each in requires(name) or []]
    except PackageNotFoundError:
        return []


def resolved(machine: str) -> list[dict[str, Any]]:
    """Return what pip would install on a node."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed"]
        command += ["--target", folder, "--report", str(report), "--index-url", "https://pypi.org/simple"]
        command += ["--only-binary", ":all:", "--python-version", "3.11", "--implementation", "cp", "--abi", "cp311"]
        command += ["--abi", "abi3", "--abi", "none", "--platform", f"manylinux2014_{machine}"]
        for minor in GLIBC:
            command += ["--platform", f"manylinux_2_{minor}_{machine}"]
        kept = {name: value for name, value in os.environ.items() if name == "PIP_CERT" or not name.startswith("PIP_")}
        command += [str(each) for each in wanted()]
        subprocess.run(command, check=True, env=kept | {"PIP_CONFIG_FILE": os.devnull})
        install: list[dict[str, Any]] = json.loads(report.read_text())["install"]
        return install


def made() -> str:
    """Return the lock as it is made now."""
    hashes: dict[str, set[str]] = {}
    for machine in MACHINES:
        for each in resolved(machine):
            pin = f"{canonicalize_name(each['metadata']['name'])}=={each['metadata']['version']}"
            hashes.setdefault(pin, set()).add(each["download_info"]["archive_info"]["hashes"]["sha256"])
    lines = (" ".join([pin, *(f"--hash=sha256:{each}" for each in sorted(hashes[pin]))]) for pin in sorted(hashes))
    return HEAD + "".join(f"{line}\n" for line in lines)


def main() -> int:
    """Make the lock; with --check, say what is wrong with the one that is there."""
    if "--check" not in sys.argv[1:]:
        LOCK.write_text(made())
    found = faults(locked(LOCK.read_text()))
    for fault in found:
        sys.stderr.write(f"{LOCK.relative_to(ROOT)}: {fault}: run tests/node_lock.py\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
