"""A machine with Debian 12 that really boots: a root by debootstrap, systemd in namespaces of its own.

What it shares with this machine is the kernel and nothing else: processes, mounts, network and control groups are its
own, and all of them are gone when its first process ends. Only root can make one.
"""

import ast
import fcntl
import os
import secrets
import shutil
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

from tests.aws_servers import SERVERS, SURROUNDINGS, NoServerError
from tests.gateway import Loopback

ARCHIVE = "deb.debian.org"
PROXY = ("127.0.0.1", 3128)
"""Where a machine finds the way to the indexes."""

# What a cloud image has besides: cloud-init brings its Python, and every image has systemd and certificates.
_PACKAGES = "python3,ca-certificates,systemd,systemd-sysv,dbus"

_MASKED = (
    "apt-daily.timer apt-daily-upgrade.timer console-getty.service dev-hugepages.mount e2scrub_reap.service"
    " getty.target"
    " systemd-firstboot.service systemd-modules-load.service systemd-networkd.service systemd-networkd.socket"
    " systemd-networkd-wait-online.service systemd-sysctl.service sys-kernel-debug.mount sys-kernel-tracing.mount"
)
"""Units that would reach for the hardware, or for the kernel that the machine shares."""

_CERTIFICATES = "/etc/ssl/certs/outside.crt"

# cloud-init's last stage, as Debian's cloud-final.service has it
_USER_DATA_UNIT = """\
[Service]
Type=oneshot
ExecStart=/var/lib/cloud/instance/scripts/part-001
RemainAfterExit=yes
TimeoutSec=0
KillMode=process
TasksMax=infinity
StandardOutput=journal+console
"""

_INIT = """\
set -e
mount --make-rprivate /
mount -t overlay -o "lowerdir=$ROOT,upperdir=$FOLDER/upper,workdir=$FOLDER/work" overlay "$FOLDER/merged"
cd "$FOLDER/merged"
mount -t proc proc proc
for kept in sys sysrq-trigger; do
    [ -e proc/$kept ] || continue
    mount --bind proc/$kept proc/$kept
    mount -o remount,bind,ro proc/$kept
done
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs -o mode=755 tmpfs dev
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts dev/pts
mount -t tmpfs tmpfs dev/shm
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
for device in null zero full random urandom tty; do
    touch dev/$device
    mount --bind /dev/$device dev/$device
done
touch dev/console
mount --bind "$CONSOLE" dev/console
mkdir -p before
pivot_root . before
cd /
umount -l /before
exec env -i container=test PATH=/usr/sbin:/usr/bin:/sbin:/bin \\
    setpriv --bounding-set=-sys_module,-sys_time,-sys_rawio,-syslog,-mac_admin,-mac_override \\
    /lib/systemd/systemd --log-target=journal
"""


def root() -> Path:
    """Return a clean Debian 12, made if it is not there yet; nobody may write into it. NoServerError if it can't be."""
    if os.geteuid() != 0 or _unified() is None:
        msg = "a machine of its own needs root, and control groups of version 2"
        raise NoServerError(msg)
    folder = SERVERS / "debian-12"
    SERVERS.mkdir(exist_ok=True)
    with (SERVERS / "debian-12.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            unfinished = SERVERS / "debian-12.unfinished"
            shutil.rmtree(unfinished, ignore_errors=True)
            tools, program = _debootstrap()
            # in a mount namespace, so that what it mounts is gone with it
            command = ["unshare", "--mount", "/bin/sh", program, "--variant=minbase", f"--include={_PACKAGES}"]
            command += ["bookworm", str(unfinished), f"http://{ARCHIVE}/debian"]
            _done(command, {"DEBOOTSTRAP_DIR": str(tools), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})
            unfinished.rename(folder)
    return folder


def _debootstrap() -> tuple[Path, str]:
    """Return debootstrap's folder and the program: the system's, or Debian's package of it, unpacked."""
    if found := shutil.which("debootstrap", path="/usr/sbin:/usr/bin"):
        return Path("/usr/share/debootstrap"), found
    folder = SERVERS / "debootstrap"
    if not (folder / "usr").exists():
        folder.mkdir(exist_ok=True)
        _done(["apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", "debootstrap"], cwd=folder)
        (package,) = folder.glob("*.deb")
        _done(["dpkg", "-x", str(package), str(folder)])
    return folder / "usr/share/debootstrap", str(folder / "usr/sbin/debootstrap")


def _done(command: list[str], more: Mapping[str, str] | None = None, cwd: Path | None = None) -> None:
    try:
        done = subprocess.run(
            command, env={**SURROUNDINGS, **(more or {})}, cwd=cwd, capture_output=True, text=True, check=False
        )
    except OSError as error:
        raise NoServerError(str(error)) from error
    if done.returncode:
        msg = f"{' '.join(command)}: {done.stdout[-1000:]}{done.stderr}"
        raise NoServerError(msg)


def _unified() -> Path | None:
    """Return where the control groups of version 2 are."""
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, place, kind, *_ = line.split()
        if kind == "cgroup2":
            return Path(place)
    return None


def pip_settings() -> dict[str, str]:
    """Return by which index pip installs outside: it is to be the same inside."""
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], env=SURROUNDINGS, capture_output=True, text=True, check=True
    ).stdout
    found: dict[str, str] = {}
    for line in listed.splitlines():
        name, _, value = line.partition("=")
        section, _, option = name.rpartition(".")
        if section in {"global", "install", ":env:"} and option in {"index-url", "extra-index-url", "trusted-host"}:
            kept = [each for each in ast.literal_eval(value).split() if not each.startswith("file:")]
            found |= {option: " ".join(kept)} if kept else {}
    return found


def indexes() -> frozenset[str]:
    """Return the hosts that a node has to reach."""
    settings = pip_settings()
    urls = " ".join(settings.get(name, "") for name in ("index-url", "extra-index-url")).split()
    named = {urlsplit(url).hostname or "" for url in urls}
    return frozenset({ARCHIVE, "pypi.org", "files.pythonhosted.org", *named})


class Debian:
    """One machine. `files` is what it has beyond the clean root, before it boots and after: what it wrote."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files = folder / "upper"
        self._console = bytearray()
        self._process: subprocess.Popen[bytes] | None = None

    def put(self, path: str, content: str | bytes, mode: int = 0o644) -> None:
        """Write a file of the machine, before it boots."""
        place = self.files / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content if isinstance(content, bytes) else content.encode())
        place.chmod(mode)

    @property
    def console(self) -> str:
        """What it has said on its console."""
        return self._console.decode(errors="replace").replace("\r\n", "\n")

    @property
    def runs(self) -> bool:
        """Whether it has not powered itself off."""
        return self._process is not None and self._process.poll() is None

    def wait_until_off(self, within: float) -> None:
        """Wait until it has powered itself off; fail with what it said if it does not."""
        deadline = time.monotonic() + within
        while self.runs:
            assert time.monotonic() < deadline, self.console
            time.sleep(0.1)

    @contextmanager
    def booted(self, clean: Path, network: Loopback) -> Iterator[None]:
        """Boot it; whatever of it is left is ended afterwards."""
        group = (_unified() or Path()) / f"nommerctl-{secrets.token_hex(4)}"
        group.mkdir()
        master, console = os.openpty()
        reader = threading.Thread(target=self._read, args=(master,), daemon=True)
        reader.start()
        given = {"ROOT": str(clean), "FOLDER": str(self.folder), "CONSOLE": os.ttyname(console), "INIT": _INIT}
        given |= {"GROUP": str(group), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
        own = "--mount --pid --uts --ipc --cgroup --fork --kill-child=KILL"
        start = f'echo $$ > "$GROUP/cgroup.procs" && exec setpriv --pdeathsig KILL unshare {own} /bin/sh -c "$INIT"'
        self._process = network.run(
            lambda: subprocess.Popen(
                ["/bin/sh", "-c", start], env=given, stdin=subprocess.DEVNULL, stdout=console, stderr=console
            )
        )
        try:
            yield
        finally:
            self._process.kill()
            self._process.wait()
            os.close(console)
            reader.join(10)
            os.close(master)
            _removed(group)

    def _read(self, master: int) -> None:
        with suppress(OSError):  # the other end is closed
            while True:
                self._console += os.read(master, 4096)


def _removed(group: Path) -> None:
    """Remove a control group with those in it, once their processes are gone."""
    deadline = time.monotonic() + 10
    while True:
        try:
            for folder, _, _ in os.walk(group, topdown=False):
                Path(folder).rmdir()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return


@contextmanager
def machine(user_data: bytes, environment: Mapping[str, str]) -> Iterator[Debian]:
    """Prepare a machine: that of a cloud image, with this user data. `environment` is that of all its services."""
    folder = Path(tempfile.mkdtemp(prefix="machine-", dir=SERVERS))
    try:
        for part in ("upper", "work", "merged"):
            (folder / part).mkdir()
        made = Debian(folder)
        made.put("var/lib/cloud/instance/scripts/part-001", user_data, 0o700)
        made.put("etc/systemd/system/user-data.service", _USER_DATA_UNIT)
        wants = made.files / "etc/systemd/system/multi-user.target.wants"
        wants.mkdir(parents=True)
        (wants / "user-data.service").symlink_to("../user-data.service")
        for unit in _MASKED.split():
            (made.files / "etc/systemd/system" / unit).symlink_to("/dev/null")
        variables = " ".join(f'"{name}={value}"' for name, value in environment.items())
        made.put("etc/systemd/system.conf.d/test.conf", f"[Manager]\nDefaultEnvironment={variables}\n")
        made.put("etc/machine-id", f"{secrets.token_hex(16)}\n")
        proxy = "http://{}:{}".format(*PROXY)
        made.put("etc/apt/apt.conf.d/99test", f'Acquire::http::Proxy "{proxy}";\nAcquire::http::Pipeline-Depth "0";\n')
        made.put("etc/dpkg/dpkg.cfg.d/test", "force-unsafe-io\n")
        pip = pip_settings() | {"proxy": proxy, "cert": _CERTIFICATES}
        made.put("etc/pip.conf", "".join(["[global]\n", *(f"{name} = {value}\n" for name, value in pip.items())]))
        made.put(_CERTIFICATES, _certificates().read_bytes())
        with _packages_kept(made.files / "var/cache/apt/archives"):
            yield made
    finally:
        shutil.rmtree(folder)


@contextmanager
def _packages_kept(archives: Path) -> Iterator[None]:
    """Let a machine have the packages that others fetched before it, as files that apt verifies and need not fetch."""
    kept = SERVERS / "debian-12-packages"
    kept.mkdir(exist_ok=True)
    archives.mkdir(parents=True)
    for package in kept.glob("*.deb"):
        (archives / package.name).hardlink_to(package)
    yield
    for package in archives.glob("*.deb"):
        package.replace(kept / package.name)


def _certificates() -> Path:
    named = (SURROUNDINGS.get(name) for name in ("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"))
    found = [*filter(None, named), ssl.get_default_verify_paths().cafile or "/etc/ssl/certs/ca-certificates.crt"]
    return Path(found[0])
