#!/usr/bin/env python3
"""The peak of a program's memory. The program is started from a small process: the figure begins with that of its parent."""

import os
import pathlib
import signal
import subprocess
import sys
import tempfile


def run_measured(words, seconds=60, **keywords):
    """What subprocess.run() gives, and KiB. A program that runs for longer is killed."""
    with tempfile.TemporaryDirectory() as directory:
        figure = pathlib.Path(directory) / "kib"
        done = subprocess.run([sys.executable, "-S", __file__, figure, str(seconds), *map(str, words)], **keywords)
        return done, int(figure.read_text())


def main():
    figure, seconds, *words = sys.argv[1:]
    child = os.posix_spawn(words[0], words, os.environ)
    signal.signal(signal.SIGALRM, lambda *_: os.kill(child, signal.SIGKILL))
    signal.alarm(int(seconds))
    _, status, usage = os.wait4(child, 0)
    signal.alarm(0)
    pathlib.Path(figure).write_text(str(usage.ru_maxrss))
    sys.exit(os.waitstatus_to_exitcode(status) % 256)


if __name__ == "__main__":
    main()
