"""maildrop, as a delivery program with a filter file of its own."""

from work import USERS, need

FILTER = """SHELL="/bin/sh"
USER=$1
MAILDIR="{mail}/$USER"
`test -d "$MAILDIR"`
if ($RETURNCODE != 0)
{{
  EXITCODE=67
  exit
}}
to "$MAILDIR"
"""


class Maildrop:
    name = "maildrop"
    features = {"dsn", "smtputf8"}

    def __init__(self, work):
        program = need("maildrop")
        self.mail = work.folder("maildrop/mail")
        for user in USERS:
            for sub in ("tmp", "new", "cur"):
                work.folder(f"maildrop/mail/{user}/{sub}")
            work.folder(f"maildrop/mail/{user}")
        # It reads no filter that others could have written.
        filter_file = work.put("maildrop/filter", FILTER.format(mail=self.mail), mode=0o600)
        self.lmtp = None
        self.command = [program, filter_file, "${user}"]

    def maildir(self, user):
        return self.mail / user
