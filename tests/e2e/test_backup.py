"""Backups of the running server: while mail arrives, told when they fail, one mailbox back (design 9)."""

import secrets
from collections.abc import Iterator
from datetime import timedelta

import pytest

from fixtures.mail.message import make
from fixtures.mail.stream import Stream
from fixtures.targets.sim import Sim
from tests.e2e.backing import EXTERNAL, LOCAL, Backups, backups_possible, set_variables
from tests.e2e.boxes import Box, contents, mailbox_of_its_own
from tests.e2e.conftest import STRANGER, Arrive
from tests.e2e.runbook import Runbook, checkout

UNIT = "mailserver-backup-daily.service"
FAST = timedelta(milliseconds=300)


@pytest.fixture(scope="module")
def backups(world: Sim, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backups]:
    """Two disks and a key."""
    with backups_possible(world, tmp_path_factory.mktemp("key")) as made:
        yield made


@pytest.fixture
def box(world: Sim) -> Iterator[Box]:
    """A user of this spec's own."""
    with mailbox_of_its_own(world, world.site.mail.primary) as made:
        yield made


def _taken(stream: Stream) -> set[str]:
    """The markers of the messages that have been taken so far."""
    return {marker for marker, made in dict(stream.attempts).items() if made and made[-1].accepted}


def _restored(box: Box) -> dict[str, dict[str, bytes]]:
    """What lies in the user's restored folders: contents by subject, by the name that the folder had."""
    found = {}
    for folder, value in contents(box).items():
        if folder.startswith("Restored/"):
            _, _, name = folder.split("/", 2)
            found[name] = {str(uid): message[2] for uid, message in value[1].items()}
    return found


@pytest.mark.req("R-9.2-consistent-live")
def test_a_backup_while_mail_arrives_misses_nothing(
    world: Sim, arrive: Arrive, backups: Backups, box: Box
) -> None:
    """What had been taken when it began is in it, each message once and byte for byte."""
    with Stream(
        lambda: make(STRANGER, [box.user]), lambda message: arrive(message, [box.user]), every=FAST
    ) as stream:
        first = make(STRANGER, [box.user])
        assert arrive(first, [box.user]).accepted
        box.imap().wait_for(first.marker)
        before = _taken(stream) | {first.marker}
        archive = backups.make("daily")
        during = _taken(stream) - before
    assert during
    present = [message[2] for message in contents(box)["INBOX"][1].values()]
    done = backups.restore(archive, "--mailbox", box.user)
    assert done.status == 0, done
    inbox = list(_restored(box)["INBOX"].values())
    for marker in before:
        assert len([text for text in inbox if marker.encode() in text]) == 1, marker
    assert len(inbox) == len(set(inbox))
    assert set(inbox) <= set(present)


@pytest.mark.req("R-9-mailbox-restored")
def test_a_mailbox_comes_back_beside_the_present_one(backups: Backups, box: Box) -> None:
    """Mail and folders that a user has deleted are in Restored/…, with their flags; what he has now stays."""
    box.put(["kept", "deleted"])
    with box.imap().session() as client:
        client.select_folder("INBOX")
        client.add_flags(client.search(["SUBJECT", "deleted"]), ["\\Seen", "\\Flagged"])
        client.create_folder("仕事/2026")
        client.append("仕事/2026", make(box.user, [box.user], subject="filed").content)
    before = contents(box)
    archive = backups.make("daily")
    with box.imap().session() as client:
        client.select_folder("INBOX")
        client.delete_messages(client.search(["SUBJECT", "deleted"]))
        client.expunge()
        client.delete_folder("仕事/2026")
    remaining = contents(box)
    done = backups.restore(archive, "--mailbox", box.user)
    assert done.status == 0, done
    after = contents(box)
    for folder, value in remaining.items():
        if folder not in ("subscribed", "pop3"):
            assert after[folder] == value
    back = {name.split("/", 2)[2]: value for name, value in after.items() if name.startswith("Restored/")}
    for folder in ("INBOX", "仕事/2026"):
        assert sorted(before[folder][1].values()) == sorted(back[folder][1].values())
    assert backups.restore(archive, "--mailbox", box.user).status == 3
    assert contents(box) == after


@pytest.mark.req("R-9.2-failure-told")
def test_a_backup_that_fails_is_told(world: Sim, backups: Backups) -> None:
    """Without its disk the unit fails, the administrator gets what it said, and no file is made."""
    place = f"/mnt/{secrets.token_hex(8)}"
    before = backups.archives("daily")
    set_variables(world, BACKUP_EXTERNAL=f"{place}/mailserver")
    try:
        assert world.dell.run(["systemctl", "start", UNIT], check=False).status != 0
        assert world.dell.run(["systemctl", "is-failed", UNIT], check=False).stdout.strip() == "failed"
        alert = world.receiver.wait_for_message(world.site.mail.admin, place)
        assert f"Subject: [{world.site.mail.hostname}] {UNIT} has failed" in alert.decode()
        assert "is not on a disk that is mounted for it" in alert.decode()
        assert world.dell.run(["test", "-e", place], check=False).status == 1
        assert backups.archives("daily") == before
    finally:
        set_variables(world, BACKUP_EXTERNAL=f"{EXTERNAL}/mailserver")
    assert backups.make("daily")
    assert world.dell.run(["systemctl", "is-failed", UNIT], check=False).stdout.strip() == "inactive"


@pytest.mark.req("R-9.2-nothing-readable")
def test_no_message_and_no_secret_lies_open_on_the_disks(world: Sim, backups: Backups, box: Box) -> None:
    """Neither on a disk nor left over on the server; the search finds the message where it is open."""
    word = secrets.token_hex(16)
    box.put([word])
    names = [backups.make(kind).rsplit("/", 1)[1] for kind in ("daily", "weekly")]
    for disk in (LOCAL, EXTERNAL):
        listed = world.dell.run(["ls", f"{disk}/mailserver"]).stdout.split()
        assert set(names) <= set(listed)
        assert world.dell.run(["grep", "-rlF", word, disk], check=False).status == 1
        assert world.dell.run(["grep", "-rlF", "BLF-CRYPT", disk], check=False).status == 1
        assert world.dell.run(["find", disk, "-type", "f", "-perm", "/077"]).stdout == ""
    assert world.dell.run(["find", "/opt/mailserver/data", "-maxdepth", "1", "-name", ".backup"]).stdout == ""
    assert world.dell.run(["grep", "-rlF", word, "/opt/mailserver/data/mail"]).stdout != ""


@pytest.mark.req("R-11.2-commands")
def test_the_runbooks_commands_for_backups(
    world: Sim, backups: Backups, box: Box, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """They run as written and show what it says; the last archives are good."""
    runbook = Runbook(world, checkout(tmp_path_factory.mktemp("checkout")))
    for kind in ("daily", "weekly"):
        backups.make(kind)
    commands = runbook.commands("Backing up")
    assert len(commands) >= 3
    with backups.stick():
        for command in commands:
            runbook.show(command)
