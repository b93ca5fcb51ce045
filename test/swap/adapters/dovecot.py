"""Dovecot, installed, unprivileged, from a configuration in the cell's folder: LMTP, LDA, IMAP, POP3 and its auth server."""

from dovecot import HEAD
from work import DOMAIN, NOBODY, PASSWORD, USERS, accepts, free_port, need

CONF = HEAD + """
protocols = {protocols}
hostname = mda.site.test
ssl = yes
ssl_cert = <{certificate}
ssl_key = <{key}
disable_plaintext_auth = {in_clear}
mail_location = {mail}
auth_mechanisms = plain login
auth_username_chars =
recipient_delimiter = +
lda_mailbox_autocreate = yes
quota_full_tempfail = no
{passdb}
service auth {{
  unix_listener {home}/auth.sock {{
    mode = 0666
  }}
  unix_listener auth-userdb {{
    mode = 0666
  }}
}}
service lmtp {{
  unix_listener {home}/lmtp.sock {{
    mode = 0666
  }}
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service pop3-login {{
  chroot =
  inet_listener pop3 {{
    port = 0
  }}
  inet_listener pop3s {{
    port = {pop3s}
    ssl = yes
  }}
}}
{more}
"""
PASSDB = """passdb {{
  driver = passwd-file
  args = username_format=%u {users}
}}
userdb {{
  driver = passwd-file
  args = username_format=%u {users}
  default_fields = uid={uid} gid={uid} home={home}/home/%n
}}
"""


class Dovecot:
    """The whole server as nobody."""
    name = "Dovecot"
    # Its LMTP offers neither SMTPUTF8 nor DSN.
    features = {"dsn"}

    def __init__(self, work, mail=None, protocols="lmtp", passdb=None, more="", in_clear="no"):
        need("dovecot")
        self.work = work
        self.home = work.folder("dovecot")
        work.folder("dovecot/mail")
        self.imap, self.pop3s = free_port(), free_port()
        users = work.put("dovecot/users", "".join(f"{user}@{DOMAIN}:{{PLAIN}}{PASSWORD}::::::\n" for user in USERS))
        text = CONF.format(home=self.home, protocols=protocols, user="nobody", login="nobody", certificate=work.bench.certificate, key=work.bench.key,
                           mail=mail or f"maildir:{self.home}/mail/%n", in_clear=in_clear, imap=self.imap, pop3s=self.pop3s, more=more,
                           passdb=PASSDB.format(users=users, uid=NOBODY, home=self.home) if passdb is None else passdb)
        self.conf = work.put("dovecot/dovecot.conf", text)
        self.lmtp = f"unix:{self.home}/lmtp.sock"
        self.command = None
        self.auth = f"unix:{self.home}/auth.sock"
        self.userdb = f"unix:{self.home}/run/auth-userdb"
        work.start("dovecot", ["dovecot", "-F", "-c", self.conf],
                   lambda: accepts(self.home / "auth.sock") and ("lmtp" not in protocols or accepts(self.home / "lmtp.sock")))

    def maildir(self, user):
        return self.home / "mail" / user


class Lda(Dovecot):
    """dovecot-lda, started for each recipient; its userdb is Dovecot's auth server."""
    name = "dovecot-lda"

    def __init__(self, work):
        super().__init__(work)
        self.lmtp = None
        self.command = [need("dovecot-lda"), "-c", self.conf, "-f", "${sender}", "-d", "${recipient}"]
