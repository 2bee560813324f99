"""Child processes that cannot outlive us: each is its own group, ended by id.

Three nets, for three ways of ending: `stop()`, `atexit` for an exception or SIGTERM turned into
one, and the kernel's parent-death signal for SIGKILL.
"""

import atexit
import ctypes
import os
import signal
import subprocess
import sys
from pathlib import Path

PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)
_running: list["Process"] = []


def _die_with_parent() -> None:
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Process:
    """A program with its output in files."""

    def __init__(self, arguments: list[str], *, out: Path, err: Path, env: dict | None = None):
        self.arguments = arguments
        with open(out, "ab") as stdout, open(err, "ab") as stderr:
            self._popen = subprocess.Popen(
                arguments,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                start_new_session=True,
                preexec_fn=_die_with_parent,
                env={**os.environ, **(env or {})},
            )
        _running.append(self)

    @property
    def pid(self) -> int:
        return self._popen.pid

    def exit_code(self) -> int | None:
        """The exit code, or None while it runs."""
        return self._popen.poll()

    def wait(self, timeout: float) -> int:
        return self._popen.wait(timeout)

    def signal(self, number: int) -> None:
        if self.exit_code() is None:
            os.kill(self.pid, number)

    def stop(self, patience: float = 5.0) -> None:
        """Asks it to end, then ends it and whatever it started."""
        if self in _running:
            _running.remove(self)
        self.signal(signal.SIGTERM)
        try:
            self._popen.wait(patience)
        except subprocess.TimeoutExpired:
            pass
        # The leader may be reaped already; what it started still has its group id.
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self._popen.wait(patience)


@atexit.register
def stop_all() -> None:
    """Ends every process that is still running, newest first."""
    for process in list(reversed(_running)):
        process.stop(patience=2.0)


def exit_on_signals() -> None:
    """Turns SIGTERM and SIGHUP into an ordinary exit, so that `atexit` runs."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda received, _frame: sys.exit(128 + received))
