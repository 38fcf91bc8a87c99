"""What a node does when it comes up: installs nommerctl, if its image has none, and starts the worker as a unit.

This file is the user data of nodes: user_data.py fills in CONFIGURATION and LOCK, and leaves comments out. cloud-init
runs it as root, with Debian 12's Python and nothing but its standard library. With the argument `worker-ended` it runs
again when the worker has ended. A failure is told in a tag of the instance, and then the machine is shut down.
"""

import hashlib
import hmac
import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote, urlsplit

CONFIGURATION = "{}"
LOCK = ""

BOOT_LIMIT = 480.0
"""Seconds for all of it: less than the usual scale.boot_limit, which runs from the launch."""

METADATA = "http://169.254.169.254"
FAILURE_TAG = "nommerctl:failure"
LONGEST_FAILURE = 256
"""Characters of a tag's value (EC2 User Guide, "Tag restrictions")."""

TRIES = 3
PAUSE = 2.0
"""Seconds between two of them."""

WHERE = "/opt/nommerctl"
PROGRAM = f"{WHERE}/bin/nommerctl"
PYTHON = f"{WHERE}/bin/python"
AGAIN = "/usr/local/sbin/nommerctl-boot"
"""Where the unit finds this program."""

USER = "nommerctl"
HOME = "/var/lib/nommerctl"
UNIT = "nommerctl-worker.service"

# What is not taken away has its reason: ffmpeg is cut off from the network by namespaces of its own (user and net),
# and its scaler makes code at run time, which MemoryDenyWriteExecute would forbid. Only the worker is told to end, it
# sees to ffmpeg itself; and an ffmpeg that takes too much memory costs its job an attempt, not the node.
UNIT_TEXT = f"""\
[Unit]
Description=Worker of the nommerctl farm {{farm}}
Wants=network-online.target
After=network-online.target
SuccessAction=poweroff
FailureAction=poweroff

[Service]
Type=exec
ExecStart={PROGRAM} worker --ledger {{ledger_table}}
ExecStopPost=+/usr/bin/python3 {AGAIN} worker-ended
Environment=AWS_REGION={{region}} AWS_DEFAULT_REGION={{region}}
Environment=HOME={HOME} NOMMERCTL_STATE_DIR={HOME}
WorkingDirectory={HOME}
StandardOutput=journal+console
StandardError=journal+console
User={USER}
Group={USER}
StateDirectory=nommerctl
StateDirectoryMode=0700
UMask=0077
KillMode=mixed
OOMPolicy=continue
SuccessExitStatus=143
TimeoutStopSec=60
NoNewPrivileges=yes
CapabilityBoundingSet=
AmbientCapabilities=
ProtectSystem=strict
ProtectHome=yes
ProtectProc=invisible
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
PrivateDevices=yes
PrivateTmp=yes
LockPersonality=yes
RemoveIPC=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=user net
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallErrorNumber=EPERM
SystemCallFilter=@system-service

[Install]
WantedBy=multi-user.target
"""

DOWNLOAD = "import boto3, sys; boto3.client('s3').download_file(*sys.argv[1:])"


class BootError(Exception):
    """A step that failed: its text is one sentence, which ends as the step's own output does."""


def say(text: str) -> None:
    """Write a line to the console, which EC2 keeps."""
    sys.stdout.write(f"nommerctl boot: {text}\n")
    sys.stdout.flush()


class Steps:
    """Runs commands, each within its own time and that of the boot. `now` tells seconds that only grow."""

    def __init__(self, now: Callable[[], float], environment: Mapping[str, str], limit: float = BOOT_LIMIT) -> None:
        self._now = now
        self._ends = now() + limit
        self._environment = dict(environment)

    def run(self, what: str, *command: str, seconds: float = 120.0) -> None:
        """Run a command; `what` says what it is for, as in "to install ffmpeg".

        Raises:
            BootError: it fails, cannot be started or takes too long.
        """
        say(what)
        limit = min(seconds, self._ends - self._now())
        if limit <= 0:
            msg = f"{what}: no time left, the boot takes longer than {BOOT_LIMIT:.0f} s"
            raise BootError(msg)
        try:
            code, lines, late = _run(command, self._environment, limit)
        except OSError as error:
            msg = f"{what}: {command[0]} cannot be started: {error.strerror}"
            raise BootError(msg) from error
        if late:
            msg = f"{what}: not done within {limit:.0f} s: {reason(lines)}"
            raise BootError(msg)
        if code:
            msg = f"{what}: {Path(command[0]).name} ended with {code}: {reason(lines)}"
            raise BootError(msg)


def _run(command: Sequence[str], environment: Mapping[str, str], limit: float) -> tuple[int, list[str], bool]:
    """Return how a command ended, the end of what it said, and whether it was killed for taking too long."""
    late = threading.Event()
    process = subprocess.Popen(
        command,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )

    def kill() -> None:
        late.set()
        os.killpg(process.pid, signal.SIGKILL)

    timer = threading.Timer(limit, kill)
    timer.start()
    lines: deque[str] = deque(maxlen=50)
    with process:
        for line in process.stdout or ():
            sys.stdout.write(line)
            lines.append(line)
        sys.stdout.flush()
        code = process.wait()
        timer.cancel()
    return code, list(lines), late.is_set()


def reason(lines: Sequence[str]) -> str:
    """Return the line that says why: the last that pip (ERROR:) or apt (E:) marked, else the last with any text."""
    said = [line.strip() for line in lines if line.strip()]
    marked = [line.partition(":")[2].strip() for line in said if line.startswith(("ERROR:", "E:"))]
    return (marked or said or ["it said nothing"])[-1]


def install(boot: Mapping[str, str], lock: str, steps: Steps) -> None:
    """Install nommerctl into a venv, each file by its hash, and from Debian what it needs."""
    wanted = [] if find_spec("ensurepip") else ["python3-venv"]
    wanted += [] if shutil.which("ffmpeg") else ["ffmpeg"]
    if wanted:
        apt = ("apt-get", "-q", "-y", "-o", "Acquire::Retries=3", "-o", "DPkg::Lock::Timeout=120")
        patiently(lambda: steps.run("to read Debian's package lists", *apt, "update"))
        steps.run(
            f"to install {' and '.join(wanted)}", *apt, "install", "--no-install-recommends", *wanted, seconds=300
        )
    steps.run(f"to make the venv {WHERE}", "/usr/bin/python3", "-m", "venv", "--clear", WHERE)
    folder = Path(WHERE)
    pip = [PYTHON, "-m", "pip", "install", "--no-cache-dir", "--disable-pip-version-check", "--no-input"]
    pip += ["--require-hashes", "--only-binary", ":all:"]
    pip += ["--index-url", boot["index_url"]] if boot["index_url"] else []
    requirements = folder / "requirements.txt"
    requirements.write_text(lock)
    steps.run("to install what nommerctl needs", *pip, "-r", str(requirements), seconds=240)
    if boot["bucket"]:
        wheel = str(folder / boot["file_name"])
        fetch = (PYTHON, "-c", DOWNLOAD, boot["bucket"], boot["key"], wheel)
        steps.run(f"to fetch s3://{boot['bucket']}/{boot['key']}", *fetch)
        requirements.write_text(f"{wheel} {boot['hashes']}\n")
    else:
        requirements.write_text(f"nommerctl=={boot['version']} {boot['hashes']}\n")
    steps.run("to install nommerctl", *pip, "--no-deps", "-r", str(requirements))


def patiently(step: Callable[[], None]) -> None:
    """Run a step up to TRIES times: Debian's timer may hold the lists just then, and apt does not wait for these."""
    for _ in range(TRIES - 1):
        try:
            return step()
        except BootError as error:
            say(f"tried again {error}")
            time.sleep(10 * PAUSE)
    return step()


def start(boot: Mapping[str, str], steps: Steps) -> None:
    """Start the worker, as a user of its own; it is not waited for. It starts by itself when the machine reboots."""
    try:
        pwd.getpwnam(USER)
    except KeyError:
        made = ("--system", "--user-group", "--home-dir", HOME, "--shell", "/usr/sbin/nologin", USER)
        steps.run(f"to make the user {USER}", "useradd", *made)
    Path(f"/etc/systemd/system/{UNIT}").write_text(UNIT_TEXT.format(**boot))
    if Path(__file__).resolve() != Path(AGAIN):
        shutil.copyfile(__file__, AGAIN)
    steps.run("to have systemd read the unit", "systemctl", "daemon-reload")
    steps.run("to enable the worker", "systemctl", "enable", UNIT)
    steps.run("to start the worker", "systemctl", "start", "--no-block", UNIT)


def booted(boot: Mapping[str, str], lock: str, steps: Steps, metadata: "Metadata") -> str:
    """Bring the node up; return why that failed, '' if it did not."""
    try:
        say(f"this is {persistently(metadata.instance)}, a node of {boot['farm']}")
        if Path(PROGRAM).exists():
            say(f"{PROGRAM} is there: nothing is installed")
        else:
            install(boot, lock, steps)
        start(boot, steps)
    except BootError as error:
        return f"boot failed {error}"
    except urllib.error.URLError as error:
        return f"boot failed: EC2's metadata service does not answer: {error.reason}"
    except Exception as error:  # noqa: BLE001 - whatever it is, a machine that nobody uses must not stay
        return f"boot failed: {type(error).__name__}: {error}"
    return ""


def why_worker_failed(environment: Mapping[str, str], said: Callable[[], str]) -> str:
    """Return why the worker failed, and what it `said` last, '' if it did not; the variables are of systemd.exec(5)."""
    result = environment.get("SERVICE_RESULT", "success")
    if result == "success":
        return ""
    status = environment.get("EXIT_STATUS", "")
    return f"the worker failed ({' '.join(filter(None, (result, status)))}): {said()}"


def last_words() -> str:
    """Return the last line that the worker itself wrote."""
    command = ("journalctl", "-q", f"_SYSTEMD_UNIT={UNIT}", "-b", "-n", "20", "-o", "cat", "--no-pager")
    try:
        return reason(_run(command, {"PATH": "/usr/bin:/bin"}, 20.0)[1])
    except OSError as error:
        return f"its log cannot be read: {error.strerror}"


def signed(
    form: Mapping[str, str], url: str, region: str, credentials: Mapping[str, str], at: str
) -> tuple[bytes, dict[str, str]]:
    """Return the body and the headers of a request to EC2, by Signature Version 4; `at` is `20260101T090000Z`.

    Source: IAM User Guide, "Create a signed AWS API request".
    """
    body = "&".join(f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}" for name, value in sorted(form.items()))
    parts = urlsplit(url)
    headers = {
        "content-type": "application/x-www-form-urlencoded; charset=utf-8",
        "host": parts.netloc,
        "x-amz-date": at,
        "x-amz-security-token": credentials["Token"],
    }
    names = ";".join(headers)
    lines = "".join(f"{name}:{value}\n" for name, value in headers.items())
    request = f"POST\n{parts.path or '/'}\n\n{lines}\n{names}\n{hashlib.sha256(body.encode()).hexdigest()}"
    scope = f"{at[:8]}/{region}/ec2/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{at}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    key = f"AWS4{credentials['SecretAccessKey']}".encode()
    for part in (*scope.split("/"), text):
        key = hmac.digest(key, part.encode(), "sha256")
    by = f"{credentials['AccessKeyId']}/{scope}"
    headers["authorization"] = f"AWS4-HMAC-SHA256 Credential={by}, SignedHeaders={names}, Signature={key.hex()}"
    return body.encode(), headers


def metadata_of(environment: Mapping[str, str]) -> "Metadata":
    """Return the metadata service, where the variable that every AWS SDK knows says that it is."""
    return Metadata(environment.get("AWS_EC2_METADATA_SERVICE_ENDPOINT") or METADATA)


class Metadata:
    """The metadata service, version 2, of this very machine: no proxy stands between."""

    def __init__(self, endpoint: str) -> None:
        self._url = f"{endpoint.rstrip('/')}/latest/"
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def ask(self, path: str) -> str:
        """Return what it tells; OSError if it tells nothing."""
        token = self._asked("api/token", {"X-aws-ec2-metadata-token-ttl-seconds": "60"}, "PUT")
        return self._asked(path, {"X-aws-ec2-metadata-token": token}, "GET")

    def instance(self) -> str:
        """Return the id of this instance."""
        document = json.loads(self.ask("dynamic/instance-identity/document"))
        return str(document["instanceId"])

    def credentials(self) -> dict[str, str]:
        """Return those of the instance's role."""
        roles = "meta-data/iam/security-credentials/"
        found: dict[str, str] = json.loads(self.ask(roles + self.ask(roles).split()[0]))
        return found

    def _asked(self, path: str, headers: dict[str, str], method: str) -> str:
        request = urllib.request.Request(self._url + path, headers=headers, method=method)  # noqa: S310 - not from outside
        with self._opener.open(request, timeout=5) as answer:
            return str(answer.read(65536).decode())


def persistently(ask: Callable[[], str]) -> str:
    """Ask up to TRIES times: a machine may come up before what it needs to know can be had."""
    for _ in range(TRIES - 1):
        try:
            return ask()
        except OSError as error:
            say(f"asked again: {error}")
            time.sleep(PAUSE)
    return ask()


def tag(why: str, region: str, environment: Mapping[str, str], at: Callable[[], str]) -> str:
    """Write into a tag of this instance why it fails; return the request's answer."""
    metadata = metadata_of(environment)
    form = {
        "Action": "CreateTags",
        "Version": "2016-11-15",
        "ResourceId.1": metadata.instance(),
        "Tag.1.Key": FAILURE_TAG,
        "Tag.1.Value": tag_value(why),
    }
    given = environment.get("AWS_ENDPOINT_URL_EC2") or environment.get("AWS_ENDPOINT_URL")
    suffix = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    url = f"{(given or f'https://ec2.{region}.{suffix}').rstrip('/')}/"
    body, headers = signed(form, url, region, metadata.credentials(), at())
    with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=10) as answer:  # noqa: S310 - as above
        return str(answer.read(65536).decode())


def tag_value(why: str) -> str:
    """Return a text as a tag can hold it: on one line, without what cannot be printed, and not too long."""
    line = " ".join("".join(each if each.isprintable() else " " for each in why).split())
    return line if len(line) <= LONGEST_FAILURE else f"{line[: LONGEST_FAILURE - 1]}…"


def fail(why: str, region: str, environment: Mapping[str, str], at: Callable[[], str]) -> None:
    """Tell why, on the console and in the tag; if the tag cannot be written, the console has why."""
    say(why)
    try:
        persistently(lambda: tag(why, region, environment, at))
    except urllib.error.HTTPError as error:
        say(f"the tag {FAILURE_TAG} cannot be written: {error}: {error.read(2000).decode(errors='replace')}")
    except Exception as error:  # noqa: BLE001 - the machine is to end, whatever it is
        say(f"the tag {FAILURE_TAG} cannot be written: {type(error).__name__}: {error}")


def power_off(environment: Mapping[str, str]) -> None:
    """Shut this machine down, which terminates the instance: orderly, else at once."""
    for command in (("shutdown", "-h", "now"), ("systemctl", "poweroff", "--force", "--force")):
        try:
            code, _, late = _run(command, environment, 60.0)
        except OSError as error:
            say(f"{command[0]} cannot be started: {error.strerror}")
        else:
            if code == 0 and not late:
                return


def main(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """Bring the node up, or tell why its worker ended."""
    boot = json.loads(CONFIGURATION)
    usual = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "AWS_DEFAULT_REGION": boot["region"], "LC_ALL": "C.UTF-8"}
    own = usual | dict(environment) | {"DEBIAN_FRONTEND": "noninteractive"}

    def at() -> str:
        return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())

    if "worker-ended" in arguments:
        if why := why_worker_failed(own, last_words):
            fail(why, boot["region"], own, at)
        return 0  # systemd sees to the end of the machine
    why = booted(boot, LOCK, Steps(time.monotonic, own), metadata_of(own))
    if not why:
        say("the worker is started")
        return 0
    try:
        fail(why, boot["region"], own, at)
    finally:
        power_off(own)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
