"""A policy server (Postfix's policy delegation) that answers what a test wants: the script that a site might write itself."""

import socketserver

from ports import serve


class PolicyServer:
    """answer(question: dict) gives an action such as "DUNNO" or "REJECT no thanks"; None closes the connection. questions: all so far,
    each a dict of its attributes in their order."""

    def __init__(self, answer):
        self.questions = []
        outer = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                question = {}
                for line in self.rfile:
                    name, equals, value = line.decode(errors="replace").rstrip("\n").partition("=")
                    if equals:
                        question[name] = value
                        continue
                    outer.questions.append(question)
                    action = answer(question)
                    if action is None:
                        return
                    self.wfile.write(f"action={action}\n\n".encode())
                    question = {}
        self.at = f"inet:127.0.0.1:{serve(Handler)}"

    def asked(self, **wanted):
        """The questions with these attributes."""
        return [each for each in self.questions if all(each.get(name) == value for name, value in wanted.items())]
