"""Submission on 587 and the way out: TLS, login, own address, and a smarthost that proves who it is."""

import smtplib
from datetime import timedelta

import pytest

from fixtures.wait import wait_for
from tests.integration.compose.core import ALICE, BOB, Core, letter
from tests.integration.compose.parts import LIMIT, events


@pytest.mark.req("R-4.2-tls-before-anything")
def test_nothing_before_tls(core: Core) -> None:
    """Without STARTTLS there is no login on offer and no mail taken (F60)."""
    with core.submission(encrypted=False) as smtp:
        smtp.ehlo()
        assert not smtp.has_extn("auth")
        assert smtp.mail(ALICE)[0] == 530


@pytest.mark.req("R-4.2-login-required")
def test_nothing_before_a_login(core: Core) -> None:
    """With TLS but without a login, mail is refused: nobody is trusted for where he sits (F50)."""
    with core.submission() as smtp:
        assert smtp.has_extn("auth")
        assert smtp.mail(ALICE)[0] == 530


@pytest.mark.req("R-4.2-password-checked")
def test_a_wrong_password(core: Core) -> None:
    """A wrong password is refused, the right one taken (F60)."""
    with core.submission() as smtp, pytest.raises(smtplib.SMTPAuthenticationError) as refused:
        smtp.login(ALICE, "wrong password")
    assert refused.value.smtp_code == 535
    with core.submission(ALICE) as smtp:
        assert smtp.mail(ALICE)[0] == 250


@pytest.mark.req("R-4.2-own-address-only")
@pytest.mark.parametrize("sender", [BOB, "", "x@example.net", ALICE.replace("@", "+shop@")])
def test_only_ones_own_address(core: Core, sender: str) -> None:
    """Alice sends as alice, as nobody else (F50)."""
    with core.submission(ALICE) as smtp:
        assert smtp.mail(sender)[0] == 553
        assert smtp.mail(ALICE)[0] == 250


@pytest.mark.req("R-4.2-local-stays")
def test_mail_between_users_stays_here(core: Core) -> None:
    """Alice to bob is delivered without the smarthost hearing of it (F80)."""
    before = len(events(core.services["smarthost"]))
    with core.submission(ALICE) as smtp:
        smtp.send_message(letter("between users", sender=ALICE), ALICE, [BOB])
    wait_for("bob has it", lambda: core.found(BOB, "between users"), timeout=timedelta(seconds=15))
    assert len(events(core.services["smarthost"])) == before


@pytest.mark.req("R-4.2-unknown-colleague")
def test_an_unknown_colleague_is_refused_at_once(core: Core) -> None:
    """A mistyped address of an own domain is refused in the session; a known one is taken."""
    with core.submission(ALICE) as smtp:
        smtp.mail(ALICE)
        assert smtp.rcpt("nobody@example.org")[0] == 550
        assert smtp.rcpt(BOB)[0] == 250


@pytest.mark.req("R-4.2-by-smarthost", "R-4.2-sender-unchanged")
def test_mail_to_others_goes_by_the_smarthost(core: Core) -> None:
    """TLS, then the API key, then the message with the user as envelope sender (F59, F61)."""
    with core.submission(ALICE) as smtp:
        smtp.send_message(letter("to the world", sender=ALICE), ALICE, ["friend@example.net"])
    smarthost = core.services["smarthost"]

    def handed_over() -> bool:
        return any("to the world" in event.get("text", "") for event in events(smarthost))

    wait_for("the smarthost has it", handed_over, timeout=timedelta(seconds=20))
    seen = events(smarthost)
    assert {"event": "auth", "ok": True, "user": "apikey"} in seen
    assert {event["version"] for event in seen if event["event"] == "tls"} <= {"TLSv1.2", "TLSv1.3"}
    assert any(event.get("line", "").startswith(f"MAIL FROM:<{ALICE}>") for event in seen)


@pytest.mark.req("R-4.2-smarthost-verified")
def test_the_key_goes_to_nobody_else(core: Core) -> None:
    """A smarthost with another's certificate gets no login and no mail; the mail waits (F61)."""
    core.smarthost("impostor.example.net")
    try:
        with core.submission(ALICE) as smtp:
            smtp.send_message(letter("for the impostor", sender=ALICE), ALICE, ["friend@example.net"])
        wait_for(
            "the mail is deferred",
            lambda: "not verified" in core.run("postfix", "postqueue", "-p").stdout,
            timeout=timedelta(seconds=20),
        )
        seen = events(core.services["smarthost"])
        assert any(event["event"] == "tls" for event in seen)
        assert not any(event["event"] in {"auth", "message"} for event in seen)
    finally:
        core.smarthost()
        core.run("postfix", "postsuper", "-d", "ALL")


@pytest.mark.req("R-4.2-size-at-submission")
def test_too_large_is_refused(core: Core) -> None:
    """The limit is the gateway's (F66)."""
    with core.submission(ALICE) as smtp:
        assert smtp.esmtp_features["size"] == str(LIMIT)
        assert smtp.mail(ALICE, [f"SIZE={LIMIT + 1}"])[0] == 552


@pytest.mark.req("R-4.2-key-roots-alone", "R-6.1.2-secrets-as-files")
def test_the_api_key_is_roots_alone(core: Core) -> None:
    """The rendered credentials are readable for root; the container's environment has none of them (F58)."""
    assert core.run("postfix", "stat", "-c", "%U %a", "/etc/postfix/sasl_passwd").stdout.split() == [
        "root",
        "600",
    ]
    postfix = core.services["postfix"]
    assert not any("SG." in line for line in postfix.attrs["Config"]["Env"])
