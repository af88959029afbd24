"""What is seen of the system without a look inside: specs that read a deployed one as they do the world.

Nothing is sent or changed: a session that asks for recipients is left before a message.
"""

import ssl

import pytest

from fixtures.mail.outcome import Reply
from fixtures.probe.door import SASL
from fixtures.probe.lines import Lines, Spot, smtp
from fixtures.probe.reach import Answer, probe_many
from fixtures.target import Target
from fixtures.vantage import Vantage
from tests.e2e.conftest import STRANGER

FOREIGN = "somebody@example.net"
SERVED = (443, 587, 993, 995)
OTHERS = (21, 22, 23, 25, 80, 110, 143, 465, 2525, 3306, 4190, 6379, 8080, 9002, 11334)


@pytest.fixture
def unverified() -> ssl.SSLContext:
    """For port 25, where nobody verifies (F16)."""
    made = ssl.create_default_context()
    made.check_hostname, made.verify_mode = False, ssl.CERT_NONE
    return made


@pytest.mark.req("R-6.3.1-only-25-inwards")
@pytest.mark.needs("internet")
def test_the_gateway_answers_on_port_25_alone(target: Target, internet_host: Vantage) -> None:
    """From the Internet; the other ports do not even refuse."""
    mx = target.site.mail.mx_hostname
    ports = sorted({25, *SERVED, *OTHERS})
    answers = probe_many(internet_host, [(mx, port) for port in ports])
    assert {port: answer for (_, port), answer in answers.items()} == {
        port: Answer.OPEN if port == 25 else Answer.FILTERED for port in ports
    }


@pytest.mark.req("R-2.5.3-policy-exact")
@pytest.mark.needs("tailnet")
def test_a_member_reaches_four_ports_of_the_server(target: Target, tailnet_pc: Vantage) -> None:
    """The webmail, submission, IMAP and POP3; the rest is as if it were not there (design 2.5.3)."""
    answers = probe_many(tailnet_pc, [(target.server, port) for port in sorted({*SERVED, *OTHERS})])
    assert {port: answer for (_, port), answer in answers.items()} == {
        port: Answer.OPEN if port in SERVED else Answer.FILTERED for port in sorted({*SERVED, *OTHERS})
    }


@pytest.mark.req("R-3.2-greeting")
@pytest.mark.needs("internet")
def test_the_gateway_greets_with_the_name_of_the_mx_records(
    target: Target, internet_host: Vantage, unverified: ssl.SSLContext
) -> None:
    """And names neither program nor version."""
    mx = target.site.mail.mx_hostname
    with Lines(Spot(internet_host, mx, unverified), 25) as lines:
        assert lines.reply() == Reply(220, f"{mx} ESMTP")


@pytest.mark.req("R-3.2-own-domains-only")
@pytest.mark.needs("internet", "accounts")
@pytest.mark.parametrize("own", [False, True])
def test_a_stranger_does_not_relay(
    target: Target, internet_host: Vantage, unverified: ssl.SSLContext, account: str, own: bool
) -> None:
    """Whoever he claims to be; the account beside the foreign recipient is taken (F02)."""
    sender = account if own else STRANGER
    with smtp(Spot(internet_host, target.site.mail.mx_hostname, unverified), 25) as lines:
        assert lines.say(f"MAIL FROM:<{sender}>").code == 250
        assert lines.say(f"RCPT TO:<{FOREIGN}>").code == 554
        assert lines.say(f"RCPT TO:<{account}>").code == 250
        assert lines.say("QUIT").code == 221


@pytest.mark.req("R-6.3-auth-matrix")
@pytest.mark.needs("tailnet", "accounts")
@pytest.mark.parametrize("door", SASL)
def test_an_account_logs_in(target: Target, tailnet_pc: Vantage, account: str, door: str) -> None:
    """At each door, with its own password, over TLS that verifies."""
    spot = Spot(tailnet_pc, target.server, target.ssl_context)
    let_in = SASL[door].knock(spot, account, target.passwords[account])
    assert let_in.admitted, let_in
