"""The seams: for each, who can stand on its left and on its right, and what is done with a pair of them."""

import importlib

NAMES = ("submission", "sending", "delivery", "local_delivery", "mailboxes", "retrieval", "auth", "filter", "policy", "proxy", "tables", "names",
         "sendmail", "supervision", "examples", "hostile")


class Seam:
    """left, right: {name: factory}; test(work, left, right) gives what it noticed, or throws Failed or Skip.
    impossible: {(left, right): why}, with * for any. quick: the pairs that run with every build."""

    def __init__(self, name, about, left, right, test, impossible=None, quick=()):
        self.name = name
        self.about = about
        self.left = left
        self.right = right
        self.test = test
        self.impossible = impossible or {}
        self.quick = set(quick)

    def why_not(self, left, right):
        return next((self.impossible[key] for key in ((left, right), (left, "*"), ("*", right)) if key in self.impossible), None)


def load():
    found = []
    for name in NAMES:
        try:
            found.append(importlib.import_module(f"seams.{name}").SEAM)
        except ModuleNotFoundError as missing:
            if missing.name != f"seams.{name}":
                raise
    return found
