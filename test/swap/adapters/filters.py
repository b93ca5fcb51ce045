"""Filters that others made: opendkim, ClamAV's milter. Each has `at`, where the milter protocol is spoken."""

from work import DOMAIN, accepts, free_port, is_open, need


class Opendkim:
    """mode: "s" signs whatever comes from our domain, "v" verifies, by a file in place of the DNS."""

    def __init__(self, work, mode):
        self.port = free_port()
        self.at = f"inet:127.0.0.1:{self.port}"
        program = need("opendkim")
        folder = work.folder("opendkim", mode=0o700)
        if not (folder / "key").exists():
            work.run([need("openssl"), "genrsa", "-traditional", "-out", folder / "key", "2048"])
            (folder / "key").chmod(0o600)
            public = work.run(["openssl", "rsa", "-in", folder / "key", "-pubout"], user="root")
            words = "".join(line for line in public.splitlines() if line and not line.startswith(("-", "writing")))
            work.put("opendkim/public", f"swap._domainkey.{DOMAIN} v=DKIM1; k=rsa; p={words}\n")
        conf = work.put(f"opendkim/{mode}.conf", f"""Mode {mode}
Socket inet:{self.port}@127.0.0.1
Domain {DOMAIN}
Selector swap
KeyFile {folder}/key
InternalHosts {"0.0.0.0/0" if mode == "s" else "192.0.2.1"}
TestPublicKeys {folder}/public
AuthservID filter.test
Canonicalization simple/simple
Syslog no
RequireSafeKeys no
""")
        work.start(f"opendkim-{mode}", [program, "-f", "-x", conf], lambda: is_open(self.port))


class Clamav:
    """clamd with one signature of our own, and clamav-milter, which refuses what it finds."""

    def __init__(self, work, pattern):
        self.port = free_port()
        self.at = f"inet:127.0.0.1:{self.port}"
        daemon, program = need("clamd", "clamav-milter")
        folder = work.folder("clamav")
        work.put("clamav/db/swap.ndb", f"Swap.Test:0:*:{pattern.hex()}\n")
        socket = folder / "clamd.sock"
        clamd = work.put("clamav/clamd.conf", f"LocalSocket {socket}\nDatabaseDirectory {folder}/db\nForeground yes\nTemporaryDirectory {folder}\n")
        milter = work.put("clamav/milter.conf", f"MilterSocket inet:{self.port}@127.0.0.1\nClamdSocket unix:{socket}\nForeground yes\n"
                          "OnInfected Reject\nRejectMsg found %v\nAddHeader Replace\nTemporaryDirectory /tmp\n")
        work.start("clamd", [daemon, "-c", clamd], lambda: accepts(socket))
        work.start("clamav-milter", [program, "-c", milter], lambda: is_open(self.port))
