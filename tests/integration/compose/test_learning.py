"""Users teach the filter by moving mail in and out of Junk (F55)."""

import imaplib
import smtplib
import uuid

import pytest

from fixtures.engine.execute import execute
from tests.integration.compose.core import BOB, Core, letter

WORDS = "quite a number of words that say something about this very message and about no other one"


def _delivered(core: Core) -> str:
    """A message of a content of its own in Bob's inbox; returns its subject."""
    mark = uuid.uuid4().hex
    with smtplib.LMTP(core.addresses["dovecot"], 24) as lmtp:
        lmtp.sendmail("stranger@example.net", [BOB], letter(f"lesson {mark}", f"{WORDS} {mark}\n").as_bytes())
    return f"lesson {mark}"


def _move(core: Core, subject: str, source: str, target: str) -> None:
    """As a mail client does (RFC 6851)."""
    with core.imap(BOB) as imap:
        imap.select(source)
        number = imap.search(None, "SUBJECT", f'"{subject}"')[1][0].decode()
        imaplib.Commands["MOVE"] = ("SELECTED",)
        assert imap._simple_command("MOVE", number, target)[0] == "OK"
    assert len(core.found(BOB, subject, target)) == 1


def _learned(core: Core) -> tuple[int, int]:
    """How many messages Rspamd has learned as spam, and as ham."""
    counts = core.run("redis", "redis-cli", "HMGET", "RS", "learns_spam", "learns_ham").stdout.split("\n")
    return int(counts[0] or 0), int(counts[1] or 0)


@pytest.mark.req("R-7.1-junk-learns")
def test_moving_into_junk_and_back_teaches(core: Core) -> None:
    """Into Junk is learned as spam, out again as a mistake: spam no more, but ham."""
    spam, ham = _learned(core)
    subject = _delivered(core)
    assert _learned(core) == (spam, ham)
    _move(core, subject, "INBOX", "Junk")
    assert _learned(core) == (spam + 1, ham)
    _move(core, subject, "Junk", "INBOX")
    assert _learned(core) == (spam, ham + 1)


@pytest.mark.req("R-7.1-junk-learns")
def test_other_moves_teach_nothing(core: Core) -> None:
    """Who empties Junk into Trash, or files mail away, has not judged it."""
    thrown, kept = _delivered(core), _delivered(core)
    _move(core, thrown, "INBOX", "Junk")
    before = _learned(core)
    _move(core, thrown, "Junk", "Trash")
    _move(core, kept, "INBOX", "Archive")
    assert _learned(core) == before
    _move(core, kept, "Archive", "Junk")
    assert _learned(core) == (before[0] + 1, before[1])


@pytest.mark.req("R-7.1-junk-learns")
def test_a_message_moves_without_the_filter_too(core: Core) -> None:
    """Rspamd's absence costs the lesson, not the mail."""
    subject = _delivered(core)
    with core.stopped("rspamd"):
        _move(core, subject, "INBOX", "Junk")


@pytest.mark.req("R-7.1-junk-learns")
def test_only_who_knows_the_password_teaches(core: Core) -> None:
    """The controller refuses a neighbour without it, and takes the same lesson with it."""
    before = _learned(core)
    lesson = letter("lesson by a neighbour", f"{WORDS} {uuid.uuid4().hex}\n").as_bytes()
    learn = ["/usr/local/lib/mailserver/learn", "spam"]
    program = core.run("dovecot", "cat", learn[0]).stdout
    nameless = ["bash", "-c", program.replace("Password:", "X-Password:"), *learn]
    refused = execute(core.services["dovecot"], nameless, stdin=lesson, user="vmail")
    assert refused.status != 0
    assert _learned(core) == before
    execute(core.services["dovecot"], learn, stdin=lesson, user="vmail").check()
    assert _learned(core) == (before[0] + 1, before[1])
