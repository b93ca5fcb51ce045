"""msmtp, a client that has no queue: one run for each message."""

from messages import ANN
from work import need


class Msmtp:
    name = "msmtp"
    features = {"dsn"}

    def __init__(self, work, port):
        self.work = work
        self.words = [need("msmtp"), "--file=/dev/null", "--host=127.0.0.1", f"--port={port}", "--tls=on", "--tls-starttls=on",
                      f"--tls-trust-file={work.bench.certificate}", "--domain=client.test", f"--from={ANN}"]

    def inject(self, letters):
        for letter in letters:
            asks = ["--dsn-notify=success,failure", "--dsn-return=headers"] if letter.report else []
            self.work.run([*self.words, *asks, "--", *letter.recipients], letter.stored, timeout=120)
        return []
