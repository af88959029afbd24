"""Users and domains that come and go while mail flows: both hops know at once, nobody loses mail (F14)."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from imapclient.exceptions import IMAPClientError  # type: ignore[import-untyped]

from fixtures.dell.environment import generate
from fixtures.dell.layout import TARGET, USERS_FILE
from fixtures.mail.mailbox import ImapMailbox, LoginRefusedError
from fixtures.mail.message import Message, make
from fixtures.mail.outcome import Outcome, Verdict
from fixtures.mail.stream import Stream
from fixtures.targets.sim import Sim
from fixtures.wait import wait_for
from tests.e2e.boxes import Box, folder_of, forget, newcomer, script
from tests.e2e.conftest import STRANGER, Arrive, Deliver
from tests.e2e.inside import Dialogue, Place

SECONDS = timedelta(seconds=10)
"""Postfix remembers for four seconds that an address is unknown."""
ADDED = "newly-added.example.net"


@contextmanager
def mail_for(world: Sim, arrive: Arrive, user: str) -> Iterator[Stream]:
    """Mail from the Internet comes for somebody all the time; at the end each message is there once."""
    with Stream(lambda: make(STRANGER, [user]), lambda message: arrive(message, [user])) as stream:
        yield stream
    assert len(stream.attempts) > 3
    inbox = world.mailbox("imap", user)
    assert isinstance(inbox, ImapMailbox)
    with inbox.session() as client:
        client.select_folder("INBOX", readonly=True)
        found = {marker: len(client.search(["TEXT", marker])) for marker in stream.attempts}
    unknown = [m for m, made in stream.attempts.items() if any(a.verdict is Verdict.UNKNOWN for a in made)]
    assert {m: n for m, n in found.items() if n != 1 and m not in unknown} == {}


def _taken_soon(arrive: Arrive, message: Message, user: str) -> Outcome:
    """What the gateway says as soon as both hops know a user."""
    return wait_for(
        "both hops to know the user",
        lambda: arrive(message, [user]),
        until=lambda outcome: outcome.accepted,
        timeout=SECONDS,
    )


@pytest.mark.req("R-7.1-users-on-both-hops", "R-7.1-removed-at-once", "R-7.1-leavers-mail-kept")
def test_a_user_comes_and_goes(world: Sim, arrive: Arrive, deliver: Deliver, alice: str) -> None:
    """550, then taken and read, then 550 again at once; his mail stays, and nobody else notices anything."""
    user, password = newcomer(world.site.mail.primary), str(generate(20))
    early, first, late = (make(STRANGER, [user]) for _ in range(3))
    box = Box(world, user, password)
    try:
        with mail_for(world, arrive, alice) as others:
            assert arrive(early, [user]).code == 550
            done = script(world, "add-user.sh", user, said=f"{password}\n").check()
            assert password not in done.stdout + done.stderr
            _taken_soon(arrive, first, user)
            box.imap().wait_for(first.marker)
            phone = world.vantage("tailnet-phone")
            local = make(user, [alice])
            sent = deliver(
                phone, world.server, 587, local, user, [alice],
                tls="starttls", auth=(user, password), ca=world.ca,
            )  # fmt: skip
            assert sent.accepted, sent
            with box.imap().session() as client:
                script(world, "remove-user.sh", user).check()
                assert arrive(late, [user]).code == 550
                with pytest.raises((IMAPClientError, OSError)):
                    client.noop()
            with pytest.raises(LoginRefusedError), box.imap(place="tailnet-phone").session():
                pass
        assert {len(attempts) for attempts in others.attempts.values()} == {1}, others.attempts
        inside = [f"{folder_of(user)}/Maildir/{name}" for name in ("new", "cur")]
        kept = world.dell.run(["grep", "-rlF", first.message_id, *inside]).stdout.split()
        assert len(kept) == 1
        again = script(world, "add-user.sh", user, said=f"{password}\n").check()
        assert "holds mail of an earlier mailbox" in again.stderr
        # Dovecot looks for a new users' file once a second at most.
        wait_for(
            "the mailbox to open again, with what was in it",
            lambda: box.imap().count(first.marker),
            until=lambda number: number == 1,
            timeout=SECONDS,
            retry_on=(LoginRefusedError,),
        )
        assert box.imap().count(late.marker) == 0
    finally:
        script(world, "remove-user.sh", user)
        forget(world, user)


@pytest.mark.req("R-4.1-modern-hashes")
def test_passwords_lie_on_the_disk_as_slow_hashes(world: Sim) -> None:
    """Every user of the run has one, root alone reads the file, and a line in plain text is told apart."""
    users = f"{TARGET}/{USERS_FILE}"
    assert world.dell.run(["stat", "-c", "%a %U", users]).stdout == "640 root\n"
    lines = world.dell.run(["cat", users]).stdout.splitlines()
    assert set(world.passwords) <= {line.partition(":")[0] for line in lines}
    assert [line.partition("$")[0] for line in lines if ":{BLF-CRYPT}$2y$10$" not in line] == []
    script(world, "check-users.sh").check()
    weak = f"{lines[0]}\nbob@{world.site.mail.primary}:{{PLAIN}}secret::::::\n"
    world.dell.put("/tmp/weak", weak.encode(), 0o600)
    done = script(world, "check-users.sh", "/tmp/weak")
    world.dell.run(["rm", "/tmp/weak"])
    assert (done.status, "line 2" in done.stderr, "line 1" in done.stderr) == (1, True, False), done


@pytest.fixture
def domain(world: Sim) -> Iterator[str]:
    """A domain that the site does not have, and does not have at the end."""
    yield ADDED
    for line in world.dell.run(["cat", f"{TARGET}/{USERS_FILE}"]).stdout.splitlines():
        if (user := line.partition(":")[0]).endswith(f"@{ADDED}"):
            script(world, "remove-user.sh", user)
    script(world, "remove-domain.sh", ADDED)
    world.dell.run(["rm", "-rf", f"{TARGET}/data/mail/{ADDED}"])
    world.gateway.recovered()


@pytest.mark.req("R-7.1-users-on-both-hops", "R-7.1-leavers-mail-kept")
def test_a_domain_comes_and_goes(world: Sim, arrive: Arrive, alice: str, domain: str) -> None:
    """The server takes its users' mail as soon as the script ends, and refuses it likewise; others' waits.

    The gateway learns its domains from Terraform: until then, and after that, it relays none of this mail.
    """
    user = newcomer(domain)

    def server_says() -> int:
        mail, rcpt = f"MAIL FROM:<{STRANGER}>", f"RCPT TO:<{user}>"
        asked = {"rcpt": Dialogue("127.0.0.1", 2525, [mail, rcpt])}
        return Place.task(world).talk(asked)["rcpt"][-1].code

    with mail_for(world, arrive, alice):
        assert server_says() == 554
        script(world, "add-domain.sh", domain).check()
        script(world, "add-user.sh", user, said=f"{generate(20)}\n").check()
        wait_for(
            "the server to take the domain's mail", server_says, until=lambda c: c == 250, timeout=SECONDS
        )
        assert arrive(make(STRANGER, [user]), [user]).code == 554
        refused = script(world, "remove-domain.sh", domain)
        assert (refused.status, user in refused.stderr) == (3, True), refused
        assert server_says() == 250
        script(world, "remove-user.sh", user).check()
        script(world, "remove-domain.sh", domain).check()
        wait_for("the server to refuse it", server_says, until=lambda c: c == 554, timeout=SECONDS)
    assert domain not in world.dell.run(["cat", f"{TARGET}/.env"]).stdout
