"""Mailboxes of a spec's own: a user whom the owner's scripts make and take away, with his mail in bulk."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from fixtures.dell.console import Result
from fixtures.dell.environment import generate
from fixtures.dell.layout import TARGET
from fixtures.mail.mailbox import Account, ImapMailbox, Pop3Mailbox
from fixtures.mail.message import make, new_marker
from fixtures.targets.sim import Sim

Contents = dict[str, Any]
"""Per folder its identity and, by UID, each message's flags, date, content; POP3's ids; subscriptions."""

_FILL = """
import os, sys
folder, start = sys.argv[1], 1_700_000_000
os.umask(0o077)
for name in ("cur", "new", "tmp"):
    os.makedirs(f"{folder}/{name}")
for number in range(int(sys.argv[2])):
    text = (
        f"From: Stranger <stranger@hosts.example.org>\\r\\nSubject: message {number:05}\\r\\n"
        f"Date: Mon, 23 Nov 2026 10:00:00 +0000\\r\\nMessage-ID: <{number}@hosts.example.org>\\r\\n\\r\\n"
        f"Good morning, this is number {number}.\\r\\n"
    ).encode()
    name = f"{start + number}.M{number}P1.mailserver,S={len(text)},W={len(text)}"
    with open(f"{folder}/cur/{name}:2,S", "xb") as file:
        file.write(text)
"""


def folder_of(user: str) -> str:
    """Where the design has a user's mail on the Dell's disk (10.1)."""
    name, _, domain = user.partition("@")
    return f"{TARGET}/data/mail/{domain}/{name}"


def script(world: Sim, name: str, *arguments: str, said: str = "") -> Result:
    """Run one of the owner's scripts on the Dell."""
    return world.dell.run([f"{TARGET}/scripts/{name}", *arguments], said.encode(), check=False)


def newcomer(domain: str) -> str:
    """An address that nobody has had before."""
    return f"new-{re.sub('[^a-z0-9]', '', new_marker().lower())[:12]}@{domain}"


class Box:
    """A user's mailbox, seen from any of his devices."""

    def __init__(self, world: Sim, user: str, password: str) -> None:
        self.user, self.password = user, password
        self._world = world

    def _account(self, place: str) -> Account:
        world = self._world
        return Account(world.vantage(place), world.server, self.user, self.password, world.ssl_context)

    def imap(self, folder: str = "INBOX", place: str = "tailnet-pc") -> ImapMailbox:
        """A folder of it by IMAP."""
        return ImapMailbox(self._account(place), folder)

    def pop3(self, place: str = "tailnet-pc") -> Pop3Mailbox:
        """Its inbox by POP3."""
        return Pop3Mailbox(self._account(place))

    def put(self, subjects: list[str]) -> None:
        """Have a client put messages into the inbox, which no sender accounts for."""
        with self.imap().session() as client:
            for subject in subjects:
                client.append("INBOX", make(self.user, [self.user], subject=subject).content)

    def fill(self, count: int) -> None:
        """Lay messages that have been read into the Maildir itself; the mailbox must be new."""
        inside = f"{folder_of(self.user)}/Maildir"
        self._world.dell.run(["python3", "-c", _FILL, inside, str(count)])
        self._world.dell.run(["chown", "-R", "5000:5000", folder_of(self.user)])


@contextmanager
def mailbox_of_its_own(world: Sim, domain: str) -> Iterator[Box]:
    """A new user; at the end he is removed and so is his mail, which nobody is to find."""
    box = Box(world, newcomer(domain), str(generate(20)))
    script(world, "add-user.sh", box.user, said=f"{box.password}\n").check()
    try:
        yield box
    finally:
        script(world, "remove-user.sh", box.user).check()
        forget(world, box.user)


def forget(world: Sim, user: str) -> None:
    """Delete the mail of a removed user, for good: the ledger is to find it nowhere."""
    world.dell.run(["rm", "-rf", folder_of(user)])
    for entry in world.ledger.entries:
        if user in entry.recipients:
            world.ledger.expect(entry.marker, user, "nowhere")


def contents(box: Box) -> Contents:
    """Everything that a user can see of his mailbox."""
    found: Contents = {}
    with box.imap().session() as client:
        for flags, _, folder in client.list_folders():
            if b"\\Noselect" in flags:  # the name alone, of a folder that has others in it
                continue
            identity = client.select_folder(folder, readonly=True)[b"UIDVALIDITY"]
            messages = client.fetch(client.search(), ["FLAGS", "INTERNALDATE", "BODY.PEEK[]"])
            found[folder] = (
                identity,
                {
                    uid: (sorted(set(item[b"FLAGS"]) - {b"\\Recent"}), item[b"INTERNALDATE"], item[b"BODY[]"])
                    for uid, item in messages.items()
                },
            )
        found["subscribed"] = sorted(name for _, _, name in client.list_sub_folders())
    with box.pop3().session() as pop3:
        found["pop3"] = pop3.uidl()[1]
    return found
