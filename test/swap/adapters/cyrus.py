"""Cyrus, unpacked: lmtpd on a Unix socket, under Cyrus's own master."""

from work import Skip


class Cyrus:
    name = "Cyrus LMTP"
    features = {"dsn"}

    def __init__(self, work):
        raise Skip("not tried yet")
