"""getmail as somebody's mail client, in a home of its own."""

import os

from foreign import run

# getmail looks for the end of its child only after it has started it, and waits a minute for one that was quicker. So
# the child that stores a letter takes its time.
STORE = """#!/bin/sh
file=$(mktemp {home}/Maildir/tmp/XXXXXX) && cat > "$file" && mv "$file" {home}/Maildir/new/ && sleep 0.05
"""

RC = """[retriever]
type = SimplePOP3SSLRetriever
server = {host}
port = {port}
username = {user}
password = {password}
[destination]
type = MDA_external
path = {home}/store
[options]
delete = false
read_all = false
"""


class Getmail:
    """Fetches the mail of `user` from a POP3 server with TLS and leaves it there."""

    def __init__(self, home, host, port, user, password):
        self.home = home
        for sub in ("Maildir/new", "Maildir/tmp", "state"):
            (home / sub).mkdir(parents=True)
        (home / "store").write_text(STORE.format(home=home))
        (home / "store").chmod(0o755)
        (home / "rc").write_text(RC.format(home=home, host=host, port=port, user=user, password=password))

    def fetch(self, prefix=()):
        """One run; `prefix`: words before the command."""
        run([*prefix, "getmail", f"--getmaildir={self.home}/state", f"--rcfile={self.home}/rc"],
            env=dict(os.environ, HOME=str(self.home)), timeout=120)

    def letters(self):
        """The octets of each letter that was ever fetched."""
        return [path.read_bytes() for path in (self.home / "Maildir/new").iterdir()]
