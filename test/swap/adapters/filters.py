"""Filters that others made: opendkim, ClamAV's milter, rspamd, SpamAssassin's milter. Each has `at`, where the milter protocol is spoken."""

from work import DOMAIN, accepts, free_port, is_open, need

# The test pattern that every filter of spam takes for the worst.
GTUBE = b"XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"


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


class Rspamd:
    """Its proxy worker, which speaks the milter protocol and judges by itself: no other worker, no Redis, no DNS. Of its rules only the
    test patterns are there."""

    def __init__(self, work):
        self.port = free_port()
        self.at = f"inet:127.0.0.1:{self.port}"
        folder = work.folder("rspamd")
        # Its own list of top-level domains takes half a minute to compile.
        work.put("rspamd/tld.dat", "test\n")
        conf = work.put("rspamd/rspamd.conf", f"""options {{
  tempdir = "{folder}";
  hs_cache_dir = "{folder}";
  url_tld = "{folder}/tld.dat";
  filters = "";
  enable_test_patterns = true;
  dns {{ nameserver = ["127.0.0.1:{free_port()}"]; }}
}}
logging {{ type = "console"; level = "info"; }}
worker "rspamd_proxy" {{
  bind_socket = "127.0.0.1:{self.port}";
  count = 1;
  milter = yes;
  timeout = 60s;
  upstream "local" {{ default = yes; self_scan = yes; }}
}}
actions {{ reject = 15; add_header = 6; }}
""")
        work.start("rspamd", [need("rspamd"), "-f", "-c", conf], lambda: is_open(self.port))


class Spamassassin:
    """spamd with Debian's rules and no network, and spamass-milter, which refuses from a score of 15 on."""

    def __init__(self, work):
        self.port, port = free_port(), free_port()
        self.at = f"inet:127.0.0.1:{self.port}"
        daemon, program, client = need("spamd", "spamass-milter", "spamc")
        self.pipe = f"{client} -d 127.0.0.1 -p {port}"  # a message in, the same with its verdict out
        work.put("spamassassin/init.pre", "loadplugin Mail::SpamAssassin::Plugin::Check\n")
        work.put("spamassassin/local.cf", "use_bayes 0\n")
        work.start("spamd", [daemon, "--listen", f"127.0.0.1:{port}", "-x", "-L", "-m", "1", "-s", "stderr", "--siteconfigpath",
                             work.directory / "spamassassin"], lambda: is_open(port))
        work.start("spamass-milter", [program, "-p", f"inet:{self.port}@127.0.0.1", "-r", "15", "--", "-d", "127.0.0.1", "-p", port],
                   lambda: is_open(self.port))
