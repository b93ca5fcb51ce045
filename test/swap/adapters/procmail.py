"""procmail, as a delivery program for a user whose name is its argument."""

from work import USERS, need

RC = """SHELL=/bin/sh
PATH=/usr/bin:/bin
NAME=$1
LOCKEXT=.none
# A user is who has a folder; the exit code speaks for us where nothing was delivered.
:0
* ! ? test -d "{mail}/$NAME"
{{
  EXITCODE=67
  HOST
}}
DEFAULT={mail}/$NAME/
:0
$DEFAULT
"""


class Procmail:
    name = "procmail"
    features = {"dsn", "smtputf8"}

    def __init__(self, work):
        program = need("procmail")
        self.mail = work.folder("procmail/mail")
        for user in USERS:
            work.folder(f"procmail/mail/{user}")
        rc = work.put("procmail/rc", RC.format(mail=self.mail))
        self.lmtp = None
        self.command = [program, "-t", "-p", "-m", rc, "${user}"]

    def maildir(self, user):
        return self.mail / user
