"""procmail, as a delivery program for a user whose name is its argument."""

from work import need

RC = """PATH=/usr/bin:/bin
LOCKEXT=.none
EXITCODE=75
# A user is who has a folder; the exit code speaks for us where nothing was delivered.
:0
* ! ? test -d "{mail}/$1"
{{
  EXITCODE=67
  HOST
}}
DEFAULT={mail}/$1/
:0
$DEFAULT
"""


class Procmail:
    name = "procmail"
    features = {"dsn"}

    def __init__(self, work):
        program = need("procmail")
        self.mail = work.folder("procmail/mail")
        from work import USERS
        for user in USERS:
            work.folder(f"procmail/mail/{user}")
        rc = work.put("procmail/rc", RC.format(mail=self.mail))
        self.lmtp = None
        self.command = [program, "-t", "-p", "-m", rc, "${user}"]

    def maildir(self, user):
        return self.mail / user
