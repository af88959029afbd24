"""The restore drill: a Dell with an empty disk gets all back from images and two archives (design 9, F87)."""

import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from playwright.sync_api import expect

from fixtures.dell.layout import TARGET
from fixtures.dell.stack import Stack
from fixtures.mail.message import Message, make, new_marker
from fixtures.proof.results import results_folder
from fixtures.targets.sim import Sim
from fixtures.world.images import ROOT
from tests.e2e.backing import backups_possible, disk_lost
from tests.e2e.boxes import Box, contents, mailbox_of_its_own
from tests.e2e.conftest import Arrive, Submit
from tests.e2e.lessons import learned_spam, teach, wait_until_learned
from tests.e2e.runbook import Runbook, checkout
from tests.e2e.webmail_browser import Desk

FRIEND = "friend@example.net"
FORMAT = "g:i a"
FLAGS = ["\\Seen", "\\Flagged", "\\Answered", "$Later"]


def _use(box: Box) -> None:
    """Leave in a mailbox what its owner would."""
    box.put(["read", "flagged", "filed"])
    with box.imap().session() as client:
        client.select_folder("INBOX")
        client.create_folder("仕事/2026")
        client.subscribe_folder("仕事/2026")
        client.add_flags(client.search(["SUBJECT", "flagged"]), FLAGS)
        client.move(client.search(["SUBJECT", "filed"]), "仕事/2026")


def _all(world: Sim, box: Box) -> dict[str, object]:
    """What every user sees of his mailbox."""
    users = {**world.passwords, box.user: box.password}
    return {user: contents(Box(world, user, password)) for user, password in users.items()}


def _files(world: Sim) -> str:
    """Hash and name of what else was backed up."""
    script = (
        f"cd {TARGET} && find config data/certs -type f ! -name '*.lock' -exec sha256sum {{}} + | sort -k 2"
    )
    return "\n".join(sorted(world.dell.run(["sh", "-c", script]).stdout.splitlines()))


def _forget_contact(stack: Stack, address: str) -> None:
    """Alice's address book is as it was."""
    client = ["mariadb", "--defaults-file=/etc/mailserver/mariadb/my.cnf", "roundcube"]
    stack.execute("mariadb", [*client, "--execute", f"DELETE FROM contacts WHERE email = '{address}'"])


def _measure(created: str, lost_at: datetime, started: datetime, request: pytest.FixtureRequest) -> None:
    """How long it took and what was lost, into the results and onto the terminal."""
    made = datetime.strptime(created, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    figures = {
        "restore_seconds": round((datetime.now(UTC) - started).total_seconds(), 1),
        "lost_window_seconds": round((lost_at - made).total_seconds(), 1),
    }
    assert 0 < figures["restore_seconds"] < 600
    assert 0 < figures["lost_window_seconds"] < 600
    took, lost = figures["restore_seconds"], figures["lost_window_seconds"]
    text = f"restore drill: {took} s; window of lost data {lost} s"
    (results_folder(ROOT) / "restore.json").write_text(json.dumps(figures))
    logging.getLogger("mailproof.steps").info(text)
    reporter = request.config.pluginmanager.get_plugin("terminalreporter")
    assert reporter is not None
    reporter.write_line(text)


@pytest.mark.req("R-9-restore", "R-9-measured")
def test_an_empty_dell_is_the_old_server_again(
    world: Sim,
    arrive: Arrive,
    submit: Submit,
    letter: Callable[..., Message],
    alice: str,
    desk: Desk,
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
) -> None:
    """Messages, flags, folders, users, lessons, webmail, TLS; mail flows; only what came later is lost."""
    stack = Stack(world.dell, TARGET)
    runbook = Runbook(world, checkout(tmp_path_factory.mktemp("checkout")))
    friend, late = f"{new_marker()}@example.net", new_marker()
    former = desk.set_time_format(FORMAT)
    with (
        backups_possible(world, tmp_path_factory.mktemp("key")) as backups,
        mailbox_of_its_own(world, world.site.mail.primary) as box,
    ):
        _use(box)
        desk.add_contact("花子", friend)
        expect(desk.page.locator("#contacts-table")).to_contain_text("花子")
        learned = learned_spam(stack) + 1
        teach(world, arrive, alice)
        wait_until_learned(stack, learned)
        # Dovecot makes a user's mailbox at his first look into it: that is to be before the backup.
        everything, files = _all(world, box), _files(world)
        backups.make("weekly")
        archive = backups.make("daily")
        box.put([late])
        assert box.imap().count(late) == 1
        lost_at = datetime.now(UTC)
        try:
            with disk_lost(world):
                assert world.dell.run(["find", f"{TARGET}/data", "-type", "f"]).stdout.count("clamav") >= 1
                assert world.dell.run(["test", "-e", f"{TARGET}/.env"], check=False).status == 1
                started = datetime.now(UTC)
                with backups.stick():
                    [command] = [c for c in runbook.commands("Restoring") if "$weekly" in c.text]
                    runbook.show(command)
                _measure(archive.rsplit("-", 1)[1].partition(".")[0], lost_at, started, request)
                assert _all(world, box) == everything
                assert _files(world) == files
                assert box.imap().count(late) == 0
                wait_until_learned(stack, learned)
                desk.go("addressbook")
                expect(desk.page.locator("#contacts-table")).to_contain_text("花子")
                assert desk.set_time_format(former) == FORMAT
        finally:
            _forget_contact(stack, friend)
            world.gateway.recovered()
        inbound, outbound = letter(alice), make(alice, [FRIEND])
        assert arrive(inbound, [alice]).accepted
        world.mailbox("imap", alice).wait_for(inbound.marker)
        assert submit(outbound, [FRIEND], user=alice).accepted
        world.receiver.wait_for_message(FRIEND, outbound.marker)
