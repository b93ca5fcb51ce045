"""How a test goes: in a directory of its own, one step after the other, with a line for each."""

import pathlib
import shutil
import sys
import tempfile
import traceback


class Failed(Exception):
    """What a test expected and did not find, in one sentence."""


class Skip(Exception):
    """Why something can't be tried here."""


class Place:
    """A temporary directory that everybody may enter, with servers in it (`parts`), each with stop() and tails(). They are stopped in
    the order in which they were added. On failure the directory stays, and the ends of logs and its path are printed."""

    def __init__(self, name, keep=False):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix=f"posthorn-{name}-"))
        self.directory.chmod(0o755)
        self.keep = keep
        self.parts = []

    def hold(self, part):
        self.parts.append(part)
        return part

    def tails(self):
        return "\n".join(filter(None, (part.tails() for part in self.parts)))

    def stop(self):
        for part in self.parts:
            try:
                part.stop()
            except Exception as problem:  # the others have to end, too
                print(problem)

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.stop()
        if kind is None and not self.keep:
            shutil.rmtree(self.directory, ignore_errors=True)
        else:
            print(self.tails())
            print(f"kept: {self.directory}")
        return False


def tail(name, path, lines=25):
    """The end of a log, for tails(); nothing where there is none."""
    if not path.exists():
        return ""
    return f"--- {name}\n" + "\n".join(path.read_text(errors="replace").splitlines()[-lines:])


def run_steps(steps, *arguments):
    """Calls each step with these and names it by the first line of its docstring. One that fails doesn't hide the next; Failed in the
    end, then."""
    failures = 0
    for step in steps:
        title = step.__doc__.strip().splitlines()[0]
        try:
            step(*arguments)
            print(f"ok      {title}", flush=True)
        except Skip as why:
            print(f"skipped {title}: {why}", flush=True)
        except Exception as problem:
            failures += 1
            print(f"FAILED  {title}\n        {problem}", flush=True)
            if not isinstance(problem, Failed):
                traceback.print_exc()
    if failures:
        raise Failed(f"{failures} of {len(steps)} steps failed")


def run_in(place, steps, make=lambda place: place):
    """Calls each step with what make() makes of the place. The program ends with 1 if one failed."""
    try:
        with place:
            run_steps(steps, make(place))
    except Failed as problem:
        sys.exit(f"failed: {problem}")
