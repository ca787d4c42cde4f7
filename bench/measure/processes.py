"""Programs run to be measured: their CPU time as the kernel says it, and their peak of anonymous memory.

CPU time is user and system time of the whole process, its send path included and the collector not.
"""

import mmap
import os
import pathlib
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass

# No run takes this long, even with sanitizers: a program that hangs is ended and fails.
RUN_SECONDS_MAX = 400

# More than any program here touches for a trace of 5,000,000 packets. See warm_memory().
HUGE_WARM_OCTETS = 768 << 20
SMALL_WARM_OCTETS = 128 << 20

# Often enough to see the peak within a few MiB, rarely enough to cost nothing.
SAMPLE_SECONDS = 0.01


class WrongTotals(Exception):
    """What a program counted is not what it was given. No figure of such a run is worth anything."""


@dataclass
class Run:
    cpu_seconds: float
    wall_seconds: float
    anonymous_mib: float
    stdout: str
    stderr: str

    def cpu_ns(self, packets):
        return self.cpu_seconds * 1e9 / packets


class Program:
    """A process that was started; `wait` or `stop` gives its Run. Leaving the context ends it, whatever it does.

    It reads `stdin`, and its stdout goes to `stdout`, else both its outputs are kept for the Run.
    """

    def __init__(self, command, stdin=subprocess.DEVNULL, stdout=None):
        self.command = [str(word) for word in command]
        self._stdout, self._stderr = tempfile.TemporaryFile(), tempfile.TemporaryFile()
        self._begin = time.monotonic()
        self.process = subprocess.Popen(self.command, stdin=stdin, stdout=stdout or self._stdout,
                                        stderr=self._stderr)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.returncode is None:
            self.process.kill()
            self.process.wait()
        self._stdout.close()
        self._stderr.close()

    def log(self):
        return _content(self._stderr)

    def output(self):
        return _content(self._stdout)

    def wait_for(self, words, patience_seconds=60):
        """Until it has said them, on whichever output."""
        deadline = time.monotonic() + patience_seconds
        while words not in self.log() + self.output():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise WrongTotals("%s: did not say %r\n%s" % (self.name(), words, self.log()[-2000:]))
            time.sleep(0.01)

    def cpu_seconds(self):
        """So far, to the nanosecond; while it runs."""
        tasks = pathlib.Path("/proc/%d/task" % self.process.pid)
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks.iterdir()) / 1e9

    def stop(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        return self.wait()

    def wait(self, expect=0):
        """Its Run, once it has ended with that status."""
        usage, peak_kib = self._wait_and_sample()
        wall_seconds = time.monotonic() - self._begin
        if self.process.returncode != expect:
            raise WrongTotals("%s: exit status %d\n%s" % (" ".join(self.command), self.process.returncode,
                                                         self.log()[-2000:]))
        return Run(usage.ru_utime + usage.ru_stime, wall_seconds, peak_kib / 1024, self.output(), self.log())

    def name(self):
        return pathlib.Path(self.command[0]).name

    def _wait_and_sample(self):
        """What wait4() says of the process, and its highest RssAnon seen, in KiB."""
        peak_kib = 0
        while True:
            pid, status, usage = os.wait4(self.process.pid, os.WNOHANG)
            if pid != 0:
                self.process.returncode = os.waitstatus_to_exitcode(status)
                return usage, peak_kib
            if time.monotonic() > self._begin + RUN_SECONDS_MAX:
                self.process.kill()
            peak_kib = max(peak_kib, _anonymous_kib(self.process.pid))
            time.sleep(SAMPLE_SECONDS)


def run(command, **options):
    with Program(command, **options) as program:
        return program.wait()


def warm_memory():
    """A virtual machine's first touch of a page is many times as dear as later ones: pay it now.

    Huge pages and small ones come from different stores of the kernel's, and programs use both.
    """
    _touch(HUGE_WARM_OCTETS, mmap.MADV_HUGEPAGE)
    _touch(SMALL_WARM_OCTETS, mmap.MADV_NOHUGEPAGE)


def _touch(octets, advice):
    with mmap.mmap(-1, octets, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as pages:
        pages.madvise(advice)
        for at in range(0, octets, mmap.PAGESIZE):
            pages[at] = 1


def _anonymous_kib(pid):
    try:
        status = pathlib.Path("/proc/%d/status" % pid).read_text()
    except OSError:
        return 0
    lines = [line for line in status.splitlines() if line.startswith("RssAnon:")]
    return int(lines[0].split()[1]) if lines else 0


def _content(file):
    """All that is in it, without moving the position that the writer shares."""
    return os.pread(file.fileno(), os.fstat(file.fileno()).st_size, 0).decode(errors="replace")
