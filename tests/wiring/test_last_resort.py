import signal
import subprocess
import sys

HANGING = """
import signal, sys, time
from nommerctl.wiring.last_resort import end_in_time
signal.signal(signal.SIGTERM, lambda *_: None)
signal.signal(signal.SIGALRM, lambda *_: None)
end_in_time(0.2)
signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)
print("ready", flush=True)
time.sleep(float(sys.argv[1]))
signal.setitimer(signal.ITIMER_REAL, 0)
"""


def hanging(seconds: float) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", HANGING, str(seconds)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert process.stdout
    assert process.stdout.readline() == b"ready\n"
    return process


def test_what_goes_on_after_sigterm_is_ended() -> None:
    with hanging(100) as process:
        process.terminate()
        assert process.wait(timeout=60) == 128 + signal.SIGTERM


def test_other_signals_end_nothing() -> None:
    with hanging(1) as process:
        assert process.wait(timeout=60) == 0
