"""clerk watching an interface: started inside a namespace, talked to by signals, stopped, and its counts taken.

The records go to stdout as CSV unless a test says otherwise. Both outputs are files, so that clerk never waits for
the test to read them.
"""

import contextlib
import os
import re
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import clerk_runner
from collectors import UdpReceiver, wait_until

PATIENCE_S = 60


@contextlib.contextmanager
def receiver_in(namespace, port=0):
    """A UDP collector in clerk's namespace that records what arrives."""
    with namespace.entered():
        receiver = UdpReceiver(port=port)
    with receiver:
        yield receiver


class LiveClerk:
    """Started by the constructor; `stop` ends it and gives its Run, and so does leaving the context, unchecked.

    `prefix` are words to put before the command, as `setpriv --reuid nobody`.
    """

    def __init__(self, namespace, *arguments, prefix=(), binary=clerk_runner.CLERK):
        self._stdout, self._stderr = tempfile.TemporaryFile(), tempfile.TemporaryFile()
        self.process = subprocess.Popen(namespace.command(*prefix, binary, *arguments), stdin=subprocess.DEVNULL,
                                        stdout=self._stdout, stderr=self._stderr)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
            self.process.wait()

    # What it says while it runs

    def log(self):
        return _content(self._stderr).decode(errors="replace")

    def output(self):
        return _content(self._stdout).decode()

    def lines(self, pattern):
        """The lines of its log in which the pattern occurs."""
        return [line for line in self.log().splitlines() if re.search(pattern, line)]

    def wait_for_line(self, pattern, count=1):
        deadline = time.monotonic() + PATIENCE_S
        while len(self.lines(pattern)) < count:
            assert self.is_running(), "clerk ended:\n" + self.log()
            assert time.monotonic() < deadline, "clerk did not log %r %d times:\n%s" % (pattern, count, self.log())
            time.sleep(0.01)

    def wait_until_capturing(self, interface="watched", count=1):
        """From then on every packet is counted. After the interface came back, `count` is two."""
        self.wait_for_line("interface %s: capturing with" % interface, count)
        return self

    def records_so_far(self):
        """The records on stdout whose lines are complete."""
        whole_lines = self.output().rpartition("\n")[0]
        return clerk_runner.csv_records(whole_lines + "\n") if whole_lines else []

    def is_running(self):
        return self.process.poll() is None

    # What the kernel says of it

    def status(self, field):
        """A field of /proc/PID/status of each thread, the main thread's first."""
        # Not by number alone: the kernel's numbers begin again when they are used up.
        threads = sorted(map(int, os.listdir("/proc/%d/task" % self.process.pid)),
                         key=lambda thread: (thread != self.process.pid, thread))
        texts = [Path("/proc/%d/task/%d/status" % (self.process.pid, thread)).read_text() for thread in threads]
        return [re.search(r"^%s:\s*(.*)$" % field, text, re.M)[1] for text in texts]

    def anonymous_kib(self):
        """The memory that is its own: no files, and no rings."""
        return int(self.status("RssAnon")[0].split()[0])

    def processor_time(self):
        """In clock ticks, of all its threads."""
        columns = Path("/proc/%d/stat" % self.process.pid).read_text().rpartition(")")[2].split()
        return int(columns[11]) + int(columns[12])

    # What is done to it

    def signal(self, number):
        self.process.send_signal(number)

    def fall_asleep(self):
        """It does nothing until `wake_up`; its ring goes on filling."""
        self.signal(signal.SIGSTOP)
        wait_until(lambda: all(state.startswith("T") for state in self.status("State")), "all threads are stopped")

    def wake_up(self):
        self.signal(signal.SIGCONT)

    def ended(self, expect):
        """The Run of a clerk that ends by itself."""
        assert self.process.wait(timeout=PATIENCE_S) == expect, self.log()
        return clerk_runner.finished(expect, _content(self._stdout), self.log())

    def stop(self, expect=0):
        """SIGTERM: what was captured until now is counted and reported. A run that worked ends in final counts."""
        self.signal(signal.SIGTERM)
        run = self.ended(expect)
        assert run.counts, run.stderr
        return run


def _content(file):
    """All that is in it, without moving the position that the writer shares."""
    return os.pread(file.fileno(), os.fstat(file.fileno()).st_size, 0)
