#!/usr/bin/env python3
"""Tells one story: run.py FOLDER [--keep]. README.md has the form of topology.toml."""

import argparse
import os
import pathlib
import re
import signal
import smtplib
import subprocess
import sys
import time
import tomllib

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from foreign import skip  # noqa: E402
from ports import free_port_base  # noqa: E402
from posthorn_site import Workshop, programs, wait_until  # noqa: E402
from steps import Failed, Skip  # noqa: E402


class Story:
    def __init__(self, folder, workshop):
        self.folder = pathlib.Path(folder)
        self.workshop = workshop
        self.plan = tomllib.loads((self.folder / "topology.toml").read_text())
        self.sites = {}
        self.mounts = []
        self.base = None

    def tell(self):
        if "root" in self.plan.get("needs", []) and os.geteuid() != 0:
            raise Skip("it mounts a small file system and needs root")
        try:
            for entry in self.plan["site"]:
                self.open_site(entry)
            for number, step in enumerate(self.plan["step"], 1):
                verb = next(iter(step))
                action = getattr(self, "do_" + verb, None)
                if action is None:
                    raise Failed(f"step {number}: unknown step '{verb}'")
                try:
                    action(step)
                except Failed as problem:
                    raise Failed(f"step {number} ({verb}): {problem}") from None
        finally:
            for site in self.sites.values():
                site.stop()
            for mount in self.mounts:
                subprocess.run(["umount", mount], check=False)

    def open_site(self, entry):
        directory = self.workshop.directory / entry["name"]
        routes = []
        for route in entry.get("routes", []):
            domain, target = route.split("=")
            if target.endswith(":smtp"):
                other = next(e for e in self.plan["site"] if e["name"] == target.removesuffix(":smtp"))
                target = f"{other.get('address', '127.0.0.1')}:{self.port_base() + 25}"
            elif ":" not in target:
                target = f"unix:{self.workshop.directory / target}/run/smtp.sock"
            routes.append(f"{domain}={target}")
        if "megabytes" in entry:
            directory.mkdir()
            done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={entry['megabytes']}m", "none", directory],
                                  capture_output=True, text=True, check=False)
            if done.returncode != 0:
                raise Skip(f"no tmpfs can be mounted: {done.stderr.strip()}")
            self.mounts.append(directory)
        site = self.workshop.site(entry["name"], entry["domains"], entry.get("users", ()), routes=routes,
                                  address=entry.get("address", "127.0.0.1"),
                                  port_base=self.port_base() if self.has_ports() else 0)
        self.sites[entry["name"]] = site
        for name, text in entry.get("files", {}).items():
            path = directory / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        site.start()
        for name, text in entry.get("tables", {}).items():
            site.table(name, text)

    def has_ports(self):
        """Whether a site must be known by its port before it starts."""
        return any(":smtp" in route for entry in self.plan["site"] for route in entry.get("routes", []))

    def port_base(self):
        """One base for all sites of the story (they differ by address), free on each."""
        addresses = [entry.get("address", "127.0.0.1") for entry in self.plan["site"]]
        if self.base is None:
            self.base = free_port_base(addresses)
        return self.base

    def at(self, step, key="at"):
        return self.sites[step.get(key, next(iter(self.sites)))]

    # --- steps -------------------------------------------------------------------------------------------

    def do_send(self, step):
        site = self.at(step)
        message = (self.folder / step["send"]).read_bytes()
        via = step.get("via", "submission")
        for _ in range(step.get("times", 1)):
            said = self.send_once(site, via, step, message)
        wanted = step.get("reply", "")
        if wanted and wanted not in said:
            raise Failed(f"expected the reply '{wanted}', got '{said or 'acceptance'}'")
        if not wanted and said:
            raise Failed(f"expected acceptance, got '{said}'")

    def send_once(self, site, via, step, message):
        sender, recipients = step.get("from", ""), step["to"]
        try:
            if via == "sendmail":
                words = [str(programs() / "sendmail"), "-i", "-f", sender, *recipients]
                done = subprocess.run(words, input=message, capture_output=True, timeout=60,
                                      env=dict(os.environ, POSTHORN_SITE=str(site.directory)))
                return f"exit {done.returncode}: {done.stderr.decode()}" if done.returncode else ""
            send = site.submit if via == "submission" else site.inject
            refused = send(sender, recipients, message.replace(b"\n", b"\r\n"),
                           mail_options=step.get("mail_options", ()), rcpt_options=step.get("rcpt_options", ()))
            return "; ".join(f"{code} {text.decode()}" for code, text in refused.values())
        except smtplib.SMTPRecipientsRefused as refused:
            return "; ".join(f"{code} {text.decode()}" for code, text in refused.recipients.values())
        except smtplib.SMTPSenderRefused as refused:
            return f"{refused.smtp_code} {refused.smtp_error.decode()}"
        except smtplib.SMTPResponseException as refused:
            text = refused.smtp_error
            return f"{refused.smtp_code} {text.decode() if isinstance(text, bytes) else text}"

    def do_arrives(self, step):
        site = self.at(step)
        found = site.wait_for_messages(step["arrives"], step.get("count", 1), step.get("within", 60))
        if len(found) != step.get("count", 1) and not step.get("or_more"):
            raise Failed(f"{step['arrives']} has {len(found)} messages instead of {step.get('count', 1)}")
        last = found[-1].decode("utf-8", "replace")
        for text in step.get("has", []):
            if not re.search(text, last, re.M):
                raise Failed(f"the message does not match '{text}':\n{last[:3000]}")
        for text in step.get("lacks", []):
            if re.search(text, last, re.M):
                raise Failed(f"the message matches '{text}' and should not:\n{last[:3000]}")
        if "body_of" in step:
            sent = (self.folder / step["body_of"]).read_bytes().replace(b"\r\n", b"\n")
            if not found[-1].endswith(sent):
                raise Failed(f"the message does not end with what {step['body_of']} holds")

    def do_nothing(self, step):
        time.sleep(step.get("after", 2))
        found = self.at(step).messages(step["nothing"])
        if found:
            raise Failed(f"{step['nothing']} has {len(found)} messages:\n{found[-1][:2000].decode('utf-8', 'replace')}")

    def do_queue(self, step):
        site = self.sites[step["queue"]]
        count = step.get("count", 0)
        wait_until(f"the queue has {count} messages (it has {len(site.queue())})",
                   lambda: len(site.queue()) == count, step.get("within", 60), 0.2)

    def do_kill(self, step):
        self.at(step).kill(step["kill"])

    def do_stop(self, step):
        for pid in self.at(step).pids(step["stop"]):
            os.kill(pid, signal.SIGSTOP)

    def do_start(self, step):
        for pid in self.at(step).pids(step["start"]):
            os.kill(pid, signal.SIGCONT)

    def do_restart(self, step):
        site = self.sites[step["restart"]]
        site.stop()
        site.start()

    def do_table(self, step):
        self.at(step).table(step["table"], step["text"])

    def do_log(self, step):
        site = self.at(step)
        for pattern in step["has"]:
            wait_until(f"{step['log']}.log has a line that matches '{pattern}'",
                       lambda p=pattern: re.search(p, site.log(step["log"]), re.M), step.get("within", 60))

    def do_posthorn(self, step):
        done = self.at(step).posthorn(*step["posthorn"], check=False)
        if done.returncode != step.get("exit", 0):
            raise Failed(f"exit {done.returncode} instead of {step.get('exit', 0)}: {done.stderr.strip()}")
        for pattern in step.get("has", []):
            if not re.search(pattern, done.stdout + done.stderr, re.M):
                raise Failed(f"it does not print '{pattern}':\n{(done.stdout + done.stderr)[:2000]}")

    def do_fill(self, step):
        path = self.sites[step["fill"]].directory / "ballast"

        def is_full():
            space = os.statvfs(path.parent)
            octets = space.f_bavail * space.f_frsize - step.get("leave", 0)
            if octets <= 0:
                return True
            try:
                with open(path, "ab", buffering=0) as ballast:
                    while octets > 0:
                        octets -= ballast.write(bytes(min(octets, 1 << 20)))
            except OSError:
                return True
            return False

        # An agent that makes a segment may have all the room for a moment, and give it back.
        wait_until("the disk is full and stays so", lambda: is_full() and time.sleep(0.5) is None and is_full())

    def do_empty(self, step):
        (self.sites[step["empty"]].directory / "ballast").unlink()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder")
    parser.add_argument("--keep", action="store_true", help="leave the sites' directory behind")
    args = parser.parse_args()
    try:
        with Workshop(pathlib.Path(args.folder).resolve().name, args.keep) as workshop:
            story = Story(args.folder, workshop)
            print(story.plan["about"])
            story.tell()
    except Failed as problem:
        sys.exit(f"failed: {problem}")
    except Skip as why:
        skip(str(why))
    print("as told")


if __name__ == "__main__":
    main()
