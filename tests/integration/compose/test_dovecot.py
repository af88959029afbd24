"""Dovecot as deployed: logins over TLS alone, unknown users refused, mail where and how the design says."""

import imaplib
import poplib
import smtplib
import socket
import ssl

import pytest

from fixtures.engine.execute import execute
from tests.integration.compose.core import ALICE, PASSWORDS, Core, letter


@pytest.mark.req("R-4.1-logins")
def test_imap_login(core: Core) -> None:
    """The right password opens the mailbox, a wrong one does not (design 4.1)."""
    with core.imap() as imap:
        with pytest.raises(imaplib.IMAP4.error):
            imap.login(ALICE, "wrong password")
        assert imap.login(ALICE, PASSWORDS[ALICE])[0] == "OK"


@pytest.mark.req("R-4.1-logins")
def test_pop3_login(core: Core) -> None:
    """The same on POP3."""
    refused = core.pop3()
    refused.user(ALICE)
    with pytest.raises(poplib.error_proto):
        refused.pass_("wrong password")
    pop3 = core.pop3()
    pop3.user(ALICE)
    assert pop3.pass_(PASSWORDS[ALICE]).startswith(b"+OK")


@pytest.mark.req("R-4.1-case-insensitive")
def test_an_address_in_capitals_is_the_same_user(core: Core) -> None:
    """However a phone spells the address, it is one mailbox."""
    with core.imap() as imap:
        assert imap.login(ALICE.upper(), PASSWORDS[ALICE])[0] == "OK"


@pytest.mark.req("R-4.1-no-plain-text")
@pytest.mark.parametrize("port", [143, 110, 4190])
def test_nothing_listens_in_clear_text(core: Core, port: int) -> None:
    """Plain IMAP and POP3 are off; the encrypted port answers as the control."""
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((core.addresses["dovecot"], port), 5)
    with core.imap() as imap:
        assert b"OK" in imap.welcome


@pytest.mark.req("R-6.2-imaps-suites")
def test_only_modern_suites(core: Core) -> None:
    """TLS 1.1 and suites without forward secrecy are refused, ECDHE with AEAD is taken (F73)."""
    old = core.tls
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    old.set_ciphers("AES128-SHA:ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0")
    new = core.tls
    new.maximum_version = ssl.TLSVersion.TLSv1_2
    assert core.handshake("dovecot", 993, new).startswith("ECDHE-ECDSA-")
    with pytest.raises((ssl.SSLError, ConnectionError)):
        core.handshake("dovecot", 993, old)
    older = core.tls
    older.set_ciphers("ALL:@SECLEVEL=0")
    older.minimum_version, older.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    # The server's doing: a client that could not offer TLS 1.1 would fail with other words.
    ended = "alert protocol version|EOF|reset by peer"
    with pytest.raises((ssl.SSLError, ConnectionError), match=ended):
        core.handshake("dovecot", 993, older)
    older.maximum_version = ssl.TLSVersion.TLSv1_2
    assert core.handshake("dovecot", 993, older).startswith("ECDHE-ECDSA-")


@pytest.mark.req("R-4.1-special-folders")
def test_folders_are_there_from_the_start(core: Core) -> None:
    """Every client finds the same special folders, subscribed (RFC 6154)."""
    with core.imap(ALICE) as imap:
        listed = b"\n".join(line for line in imap.lsub()[1] if isinstance(line, bytes))
        assert {name for name in (b"Drafts", b"Sent", b"Junk", b"Trash", b"Archive") if name in listed} == {
            b"Drafts", b"Sent", b"Junk", b"Trash", b"Archive",
        }  # fmt: skip


def _deliver(core: Core, recipient: str, subject: str, marked: str = "") -> tuple[int, bytes]:
    message = letter(subject)
    if marked:
        message["X-Spam"] = marked
    with smtplib.LMTP(core.addresses["dovecot"], 24) as lmtp:
        lmtp.ehlo()
        lmtp.mail("stranger@example.net")
        answer = lmtp.rcpt(recipient)
        return lmtp.data(message.as_bytes()) if answer[0] == 250 else answer


@pytest.mark.req("R-4.1-lmtp-knows-users")
def test_lmtp_knows_the_users(core: Core) -> None:
    """A user's mail is taken and stored, an unknown one's refused (F71)."""
    assert _deliver(core, ALICE, "lmtp known")[0] == 250
    assert len(core.found(ALICE, "lmtp known")) == 1
    assert _deliver(core, "nobody@example.org", "lmtp unknown")[0] == 550


@pytest.mark.req("R-4.1-detail-address")
def test_an_address_with_a_detail_is_the_users(core: Core) -> None:
    """alice+shop@ reaches alice (RFC 5233)."""
    assert _deliver(core, ALICE.replace("@", "+shop@"), "lmtp detail")[0] == 250
    assert len(core.found(ALICE, "lmtp detail")) == 1


@pytest.mark.req("R-4.1-marked-to-junk")
def test_marked_mail_goes_to_junk(core: Core) -> None:
    """What Rspamd marks is kept apart from the inbox, what it does not mark is not."""
    _deliver(core, ALICE, "marked yes", "Yes")
    _deliver(core, ALICE, "marked no", "No")
    assert [len(core.found(ALICE, "marked yes", folder)) for folder in ("INBOX", "Junk")] == [0, 1]
    assert [len(core.found(ALICE, "marked no", folder)) for folder in ("INBOX", "Junk")] == [1, 0]


@pytest.mark.req("R-4.1-maildir-below-home", "R-4.1-mail-is-vmails")
def test_mail_lies_below_the_home_folder(core: Core) -> None:
    """Maildir inside the home, not the home itself (F70); the files are vmail's alone."""
    _deliver(core, ALICE, "where it lies")
    home = "/var/mail/vhosts/example.org/alice"
    folders = (f"{home}/Maildir/new", f"{home}/Maildir/cur")
    found = core.run("dovecot", "find", *folders, "-type", "f", "-printf", "%U %m\\n").stdout.splitlines()
    assert found != []
    assert set(found) == {"5000 600"}
    assert core.run("dovecot", "find", home, "-maxdepth", "1", "-name", "new").stdout == ""
    owner = core.run("dovecot", "stat", "-c", "%u %a", "/var/mail/vhosts/example.org/alice").stdout
    assert owner.split() == ["5000", "700"]


@pytest.mark.req("R-8.3.2-dovecot")
def test_health_goes_red_without_the_server(core: Core) -> None:
    """The check passes while Dovecot runs and fails while its listeners do not answer (F69)."""
    check = ["/usr/local/bin/healthcheck"]
    assert execute(core.services["dovecot"], check).status == 0
    core.run("dovecot", "doveadm", "service", "stop", "imap-login")
    try:
        assert execute(core.services["dovecot"], check).status != 0
    finally:
        core.restart("dovecot")
    assert execute(core.services["dovecot"], check).status == 0
