"""Port 2525 and the filters: own domains only, viruses and spam refused, no filter means "try later"."""

import re
import smtplib
from datetime import timedelta

import pytest

from fixtures.engine.execute import execute
from fixtures.wait import wait_for
from tests.integration.compose.core import ALICE, BOB, DORA, Core, eicar, gtube, letter
from tests.integration.compose.front import Front

SENDER = "stranger@example.net"


def _send(core: Core, subject: str, body: str = "", recipient: str = ALICE) -> tuple[int, bytes]:
    message = letter(subject, body) if body else letter(subject)
    with core.inbound() as smtp:
        smtp.ehlo()
        for answer in (smtp.mail(SENDER), smtp.rcpt(recipient)):
            if answer[0] != 250:
                return answer
        return smtp.data(message.as_bytes())


def _postfix_log(core: Core) -> str:
    logged: bytes = core.services["postfix"].logs()
    return logged.decode(errors="replace")


def _attached(subject: str, sender: str = "") -> bytes:
    message = letter(subject, sender=sender)
    message.add_attachment(eicar().encode(), maintype="application", subtype="octet-stream", filename="x.bin")
    return message.as_bytes()


@pytest.mark.req("R-7.1-scanned")
def test_clean_mail_is_delivered_once_with_what_was_found(core: Core) -> None:
    """250 with a queue id, one copy in the mailbox, with Rspamd's findings in it (F53)."""
    code, text = _send(core, "clean mail")
    assert (code, text[:24]) == (250, b"2.0.0 Ok: queued as " + text[20:24])
    [message] = wait_for(
        "alice has hers", lambda: core.found(ALICE, "clean mail"), timeout=timedelta(seconds=20)
    )
    assert b"X-Spamd-Result:" in message
    assert b"Authentication-Results: mail.example.org" in message


@pytest.mark.req("R-4.2-inbound-no-relay")
def test_foreign_domains_are_refused(core: Core) -> None:
    """This port relays nothing; own domains are the control (F14)."""
    assert _send(core, "relay", recipient="x@example.net")[0] == 554
    assert _send(core, "no relay")[0] == 250


@pytest.mark.req("R-7.1-unknown-refused", "R-7.1-no-bounce")
def test_an_unknown_user_is_refused_in_the_session(core: Core) -> None:
    """550 at RCPT, and no bounce is made (F13)."""
    before = len(_postfix_log(core))
    assert _send(core, "unknown", recipient="nobody@example.org")[0] == 550
    # A bounce would be on its way before a message that is taken after the refusal has arrived.
    assert _send(core, "beside unknown")[0] == 250
    wait_for("alice has hers", lambda: core.found(ALICE, "beside unknown"), timeout=timedelta(seconds=20))
    refused_then_sent = re.compile(r"reject: RCPT .* 550 .*<nobody@example\.org>.* status=sent ", re.DOTALL)
    log = wait_for(
        "both in the log",
        lambda: _postfix_log(core)[before:],
        until=lambda seen: refused_then_sent.search(seen) is not None,
        timeout=timedelta(seconds=10),
    )
    assert "non-delivery notification" not in log
    assert " from=<>, size=" not in log
    assert "MAILER-DAEMON" not in core.run("postfix", "postqueue", "-p").stdout


@pytest.mark.req("R-4.2-inbound-no-logins")
def test_no_logins_here(core: Core) -> None:
    """Passwords have no business on this port."""
    with core.inbound() as smtp:
        smtp.ehlo()
        assert not smtp.has_extn("auth")


@pytest.mark.req("R-4.2-2525-tailnet-only")
def test_only_the_tailnet_is_served(core: Core) -> None:
    """A host that is not in the tailnet's range is refused, with its own address in the log (F51)."""
    before = len(_postfix_log(core))
    with core.outside() as address, smtplib.SMTP(address, 2525, timeout=20) as smtp:
        assert smtp.sock is not None
        own = smtp.sock.getsockname()[0]
        smtp.ehlo()
        smtp.mail(SENDER)
        assert smtp.rcpt(ALICE)[0] == 554
    refusal = re.compile(rf"reject: RCPT from \S+\[{re.escape(own)}\]: 554 .*from=<{SENDER}> to=<{ALICE}>")
    wait_for(
        "the refusal in the log",
        lambda: refusal.search(_postfix_log(core)[before:]),
        timeout=timedelta(seconds=10),
    )
    assert _send(core, "from a member")[0] == 250


@pytest.mark.req("R-7.1-users-at-once")
def test_a_new_user_counts_at_once_and_a_removed_one_no_more(core: Core) -> None:
    """The users' file decides within seconds, without a restart."""
    assert _send(core, "carol early", recipient="carol@example.org")[0] == 550
    users = core.bench.folder / "config/dovecot/users"
    before = users.read_text()
    users.write_text(before + "carol@example.org:{PLAIN}carol's password::::::\n")
    try:
        core.wait_for_recipient("carol@example.org", 250)
    finally:
        users.write_text(before)
    core.wait_for_recipient("carol@example.org", 550)


@pytest.mark.req("R-7.1-virus-refused")
def test_a_virus_is_refused(core: Core) -> None:
    """In the text and as an attachment, in the session (F53, F56); nothing arrives."""
    assert _send(core, "virus inline", eicar())[0] == 554
    with core.inbound() as smtp, pytest.raises(smtplib.SMTPDataError) as refused:
        smtp.sendmail(SENDER, [ALICE], _attached("virus attached"))
    assert refused.value.smtp_code == 554
    assert core.found(ALICE, "virus") == []


@pytest.mark.req("R-7.1-submitted-virus")
def test_a_user_with_a_virus_is_refused_too(core: Core) -> None:
    """Being logged in exempts from spam scores, not from the virus scan."""
    with core.submission(ALICE) as smtp, pytest.raises(smtplib.SMTPDataError) as refused:
        smtp.sendmail(ALICE, [BOB], _attached("virus submitted", ALICE))
    assert refused.value.smtp_code == 554
    assert b"virus" in refused.value.smtp_error


@pytest.mark.req("R-7.1-spam-refused")
def test_spam_is_refused(core: Core) -> None:
    """The spam test string is refused in the session (F53)."""
    assert _send(core, "spam", gtube())[0] == 554
    assert core.found(ALICE, "spam") == []


@pytest.mark.req("R-7.1-filter-down")
@pytest.mark.parametrize("service", ["clamav", "rspamd"])
def test_without_a_filter_the_sender_comes_again(core: Core, service: str) -> None:
    """A stopped scanner or filter means 4xx, no delivery, and no restart of anything else (F56)."""
    before = core.started()
    with core.stopped(service):
        code, text = _send(core, f"without {service}", recipient=BOB)
    assert 400 <= code < 500, (code, text)
    assert core.found(BOB, f"without {service}") == []
    assert _send(core, f"with {service}", recipient=BOB)[0] == 250
    after = core.started()
    assert {name for name in after if after[name] != before[name]} == {service}


@pytest.mark.req("R-7.1-mailboxes-down")
def test_without_mailboxes_nothing_is_lost(core: Core) -> None:
    """Dovecot stopped: 4xx for whom it would have to be asked about, and what was accepted arrives later."""
    core.wait_for_recipient(BOB, 250)
    with core.stopped("dovecot"):
        assert _send(core, "accepted and waiting", recipient=BOB)[0] == 250
        assert _send(core, "not accepted", recipient=DORA)[0] == 450
        assert BOB in core.run("postfix", "postqueue", "-p").stdout
    core.run("postfix", "postqueue", "-f")
    arrived = wait_for(
        "bob has it", lambda: core.found(BOB, "accepted and waiting"), timeout=timedelta(seconds=20)
    )
    assert len(arrived) == 1
    assert core.found(DORA, "not accepted") == []


@pytest.mark.req("R-7.1-true-client")
def test_the_true_sender_is_judged(front: Front) -> None:
    """Through the gateway, Rspamd judges the Internet address, not the gateway's (F57)."""
    gateway = front.gateway
    with gateway.dial() as smtp:
        smtp.sendmail(SENDER, [ALICE], letter("judged").as_bytes())
    log = front.core.services["rspamd"].logs().decode()
    [line] = [line for line in log.splitlines() if "task_write_log: id: <judged@example.net>" in line]
    assert f"ip: {gateway.client_address}," in line
    assert "EXTERNAL_RELAY_GATEWAY" in line
    assert gateway.healthy()


@pytest.mark.req("R-1.2.2-learning-kept")
def test_learning_is_remembered(core: Core) -> None:
    """What Rspamd is taught lies in Redis and survives its restart (F55)."""

    def learned() -> int:
        return int(core.run("redis", "redis-cli", "HGET", "RS", "learns_spam").stdout.strip() or 0)

    before = learned()
    message = letter("teaching", "A distinctive text with enough different words to be learned " * 3)
    execute(core.services["rspamd"], ["rspamc", "learn_spam"], stdin=message.as_bytes()).check()
    assert learned() == before + 1
    core.restart("redis")
    assert learned() == before + 1


@pytest.mark.req("R-8.3.2-rspamd")
def test_health_goes_red_with_redis(core: Core) -> None:
    """Rspamd without its memory is not healthy; with it, it is (F69)."""
    with core.stopped("redis"):
        assert execute(core.services["rspamd"], ["/usr/local/bin/healthcheck"]).status != 0
    assert execute(core.services["rspamd"], ["/usr/local/bin/healthcheck"]).status == 0
