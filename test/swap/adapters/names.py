"""Name servers that answer for site.test: dnsd by itself, and three resolvers that ask dnsd."""

import subprocess

from work import DOMAIN, free_port, need, wait_until

ZONE = """$TTL 60
@ SOA ns.{domain}. hostmaster.{domain}. 1 3600 600 86400 60
@ NS ns
ns A 127.0.0.1
@ MX 20 absent
@ MX 10 mail
mail A 127.0.0.1
"""


class Dnsd:
    name = "dnsd"

    def __init__(self, work, address="127.0.0.1", port=None):
        self.address, self.port = address, port or free_port()
        zones = work.folder("names/zones")
        work.put(f"names/zones/{DOMAIN}.zone", ZONE.format(domain=DOMAIN))
        work.agent("dnsd", "--listen", f"inet:{address}:{self.port}", "--zones", zones, "--no-recursion", "--workers", "1", site="names",
                   user="root" if self.port < 1024 else "nobody")
        self.ready(self.port)

    def ready(self, port):
        wait_until(f"{self.name} answers", lambda: answers(self.address, port))


def answers(address, port):
    """Whether the MX record of the site is told."""
    said = subprocess.run(["dig", "+short", "+time=1", "+tries=1", f"@{address}", "-p", str(port), DOMAIN, "MX"], capture_output=True,
                          text=True, check=False).stdout
    return f"mail.{DOMAIN}" in said


class Unbound:
    name = "unbound"

    def __init__(self, work):
        self.address, self.port = "127.0.0.1", free_port()
        behind = Dnsd(work)
        conf = work.put("unbound/unbound.conf", f"""server:
  interface: 127.0.0.1@{self.port}
  username: ""
  chroot: ""
  directory: "{work.folder('unbound')}"
  pidfile: ""
  use-syslog: no
  do-not-query-localhost: no
  local-zone: "test." nodefault
  domain-insecure: "test."
  module-config: "iterator"
remote-control:
  control-enable: no
stub-zone:
  name: "{DOMAIN}"
  stub-addr: 127.0.0.1@{behind.port}
""")
        work.start("unbound", [need("unbound"), "-d", "-c", conf], lambda: answers("127.0.0.1", self.port))


class Knot:
    name = "knot-resolver"

    def __init__(self, work):
        self.address, self.port = "127.0.0.1", free_port()
        behind = Dnsd(work)
        home = work.folder("kresd")
        conf = work.put("kresd/kresd.conf", f"""net.listen('127.0.0.1', {self.port})
cache.open(10 * MB, 'lmdb://{home}')
modules.unload('ta_update')
trust_anchors.remove('.')
policy.add(policy.suffix(policy.STUB('127.0.0.1@{behind.port}'), {{todname('{DOMAIN}')}}))
""")
        work.start("kresd", [need("kresd"), "-n", "-c", conf, home], lambda: answers("127.0.0.1", self.port))


class Dnsmasq:
    name = "dnsmasq"

    def __init__(self, work):
        self.address, self.port = "127.0.0.1", free_port()
        behind = Dnsd(work)
        work.start("dnsmasq", [need("dnsmasq"), "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--pid-file=",
                               "--user=", "--listen-address=127.0.0.1", "--bind-interfaces", f"--port={self.port}",
                               f"--server=/{DOMAIN}/127.0.0.1#{behind.port}"], lambda: answers("127.0.0.1", self.port))
