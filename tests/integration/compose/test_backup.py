"""The real MariaDB, Redis and Dovecot have after a restore what they had before it (design 9, F87)."""

import os

import pytest

from fixtures.proof.skip import CapabilityAbsent
from tests.integration.compose.backed_up import ALICE, Server
from tests.integration.compose.parts import Bench, wait_until_healthy

pytestmark = pytest.mark.skipif(
    os.getuid() != 0, reason=CapabilityAbsent("only root reads what the services have written")
)
WORK = "&TtVOiw-/2026"
SQL = "--defaults-file=/etc/mailserver/mariadb/my.cnf"


@pytest.fixture(scope="module")
def server(bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> Server:
    """The services with something in each: three messages, one filed, a keyword, a table, a lesson."""
    made = Server.start(bench, tmp_path_factory.mktemp("disks"))
    for number in (1, 2, 3):
        _save(made, f"message {number}", "INBOX")
    made.run("dovecot", "doveadm", "mailbox", "create", "-s", "-u", ALICE, WORK)
    _save(made, "filed", WORK)
    flags = ["\\Seen", "\\Flagged", "$Later"]
    query = ["mailbox", "INBOX", "subject", "message 2"]
    made.run("dovecot", "doveadm", "flags", "add", "-u", ALICE, " ".join(flags), *query)
    made.run("mariadb", "mariadb", SQL, "-e", "CREATE TABLE roundcube.t (a TEXT, b BLOB)")
    made.run("mariadb", "mariadb", SQL, "-e", "INSERT INTO roundcube.t VALUES ('花子', x'00ff27')")
    made.run("redis", "redis-cli", "HSET", "RS_1", "H", "7")
    return made


def _save(server: Server, subject: str, folder: str) -> None:
    text = f"From: stranger@example.net\r\nSubject: {subject}\r\n\r\nHello.\r\n".encode()
    server.run("dovecot", "doveadm", "save", "-u", ALICE, "-m", folder, stdin=text)


def _doveadm(server: Server, *words: str) -> str:
    """One of doveadm's commands about Alice."""
    first, *rest = words
    return server.run("dovecot", "doveadm", *first.split(), "-u", ALICE, *rest)


def _mail(server: Server, *query: str) -> list[str]:
    """Everything that identifies messages, how far each folder has counted, and the subscriptions."""
    fields = "mailbox uid guid flags date.received.unixtime text"
    messages = _doveadm(server, "fetch", fields, *query).replace("\\Recent", "").replace(" \n", "\n")
    status = _doveadm(server, "mailbox status", "uidvalidity uidnext guid", "INBOX", WORK)
    subscribed = _doveadm(server, "mailbox list", "-s")
    return [messages, *sorted(f"{status}{subscribed}".splitlines())]


def _rows(server: Server) -> str:
    return server.run("mariadb", "mariadb", SQL, "-N", "-e", "SELECT a, HEX(b) FROM roundcube.t")


@pytest.mark.req("R-9-restore-services")
def test_an_empty_host_has_everything_again(server: Server) -> None:
    """UIDs, GUIDs, flags, a keyword, subscriptions; rows of any bytes; lessons, after a restart, too."""
    weekly, daily = server.backup("weekly"), server.backup("daily")
    before, rows = _mail(server, "ALL"), _rows(server)
    assert "$Later" in before[0]
    assert WORK in before
    assert rows == "花子\t00FF27\n"
    _save(server, "later", "INBOX")
    server.lose_everything()
    said = server.restore(weekly, daily)
    assert "all services are healthy" in said
    assert _mail(server, "ALL") == before
    assert _rows(server) == rows
    assert server.run("redis", "redis-cli", "HGET", "RS_1", "H") == "7\n"
    server.run("redis", "redis-cli", "HSET", "RS_2", "H", "8")
    server.services["redis"].restart(timeout=20)
    wait_until_healthy(server.services["redis"])
    assert server.run("redis", "redis-cli", "HGET", "RS_1", "H") == "7\n"
    assert server.run("redis", "redis-cli", "HGET", "RS_2", "H") == "8\n"


@pytest.mark.req("R-9-mailbox-restored")
def test_deleted_mail_comes_back_beside_the_rest(server: Server) -> None:
    """Dovecot takes it in with flags and keyword, under a name of its own; the present mail is as it was."""
    _save(server, "message 4", "INBOX")
    daily = server.backup("daily")
    _doveadm(server, "expunge", "mailbox", "INBOX", "subject", "message 4")
    before = _mail(server, "mailbox", "INBOX")
    folder = server.restore(daily, "--mailbox", ALICE).split(" has it in ")[1].strip()
    back = _doveadm(server, "fetch", "flags hdr.subject", "mailbox", f"{folder}/INBOX")
    assert back.count("subject: message") == 4
    assert "$Later" in back
    assert "subject: filed" in _doveadm(server, "fetch", "hdr.subject", "mailbox", f"{folder}/{WORK}")
    assert _mail(server, "mailbox", "INBOX")[0] == before[0]
    assert "message 4" not in before[0]
    _doveadm(server, "mailbox delete", f"{folder}/INBOX", f"{folder}/{WORK}")
