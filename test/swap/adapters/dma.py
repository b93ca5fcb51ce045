"""DragonFly Mail Agent, unpacked: a sendmail(1) with a queue of its own, which a smart host empties."""

from messages import ANN


class Dma:
    name = "dma"
    features = set()

    def __init__(self, work, port):
        self.work = work
        spool = work.folder("dma/spool", "root")
        work.folder("dma/spool/dma", "root", 0o2777)
        conf = f"SMARTHOST 127.0.0.1\nPORT {port}\nMAILNAME client.test\n"
        self.words = [*work.private("dma", [], [("dma/dma.conf", conf), ("aliases", "")], [("/var/spool", spool)]),
                      work.peer("dma", "usr/sbin/dma")]

    def inject(self, letters):
        for letter in letters:
            # It answers when the message is in its spool, and sends from the background.
            self.work.run([*self.words, "-i", "-f", ANN, *letter.recipients], letter.stored, user="root", timeout=120)
        return []
