"""The contract of SendGrid's submission service and Web API, as the Dell and the owner's scripts meet it."""

import re
import ssl
import urllib.parse
from datetime import UTC, datetime

import dkim  # type: ignore[import-untyped]
import pytest

from fixtures.internet.nameserver import NameServer
from fixtures.internet.peers import Peer
from fixtures.internet.sendgrid.client import Certificate, SendGrid, Tls, key_id
from fixtures.internet.sendgrid.spec import API_HOST, new_api_key
from fixtures.mail import smtp as client
from fixtures.mail.headers import parse
from fixtures.mail.message import Message, make, sized
from fixtures.mail.outcome import Outcome, Verdict
from fixtures.mail.smtp import deliver
from fixtures.probe import http
from fixtures.probe.suites import accepted_suites
from fixtures.probe.tls import DialledSmtp, context, handshake
from fixtures.site import Site
from fixtures.vantage import Vantage
from tests.integration.internet.conftest import Keys
from tests.integration.internet.lab import Lab


class Customer:
    """Somebody who submits mail to SendGrid from a vantage."""

    def __init__(self, vantage: Vantage, internet: Lab, site: Site, key: str) -> None:
        self._vantage = vantage
        self._ca = internet.authority.certificate_pem
        self._host = site.sendgrid.smtp_host
        self._key = key
        self.address = f"alice@{site.mail.primary}"

    def send(
        self,
        recipient: str,
        *,
        message: Message | None = None,
        user: str = "apikey",
        key: str | None = None,
        tls: client.Tls = "starttls",
    ) -> Outcome:
        """Try to submit a message from ``address``."""
        content = message or make(self.address, [recipient])
        auth = (user, key or self._key) if tls == "starttls" else None
        arguments = (content, self.address, [recipient])
        return deliver(self._vantage, self._host, 587, *arguments, tls=tls, auth=auth, ca=self._ca)


@pytest.fixture
def customer(lan_host: Vantage, internet: Lab, site: Site, keys: Keys) -> Customer:
    """The site's owner, with the right key, behind the home router."""
    return Customer(lan_host, internet, site, keys.sending)


@pytest.mark.req("R-0-sendgrid-contract")
def test_nothing_goes_without_starttls(customer: Customer, sendgrid: SendGrid) -> None:
    """Without TLS there is neither AUTH nor MAIL."""
    outcome = customer.send("carol@example.net", tls="none")
    assert (outcome.verdict, outcome.phase, outcome.code) == (Verdict.REFUSED, "mail", 530)
    assert "starttls" in outcome.extensions
    assert "auth" not in outcome.extensions
    assert sendgrid.messages() == []


@pytest.mark.req("R-0-sendgrid-contract")
@pytest.mark.parametrize(("user", "key"), [("apikey", "SG.wrong.key"), ("alice", None)])
def test_bad_login_is_535(customer: Customer, sendgrid: SendGrid, user: str, key: str | None) -> None:
    """A wrong key and a wrong user name get SendGrid's 535, and the session shows no more than the name."""
    outcome = customer.send("carol@example.net", user=user, key=key)
    assert (outcome.phase, outcome.code) == ("auth", 535)
    assert outcome.text == "Authentication failed: Bad username / password"
    assert [(item.user, item.authenticated) for item in sendgrid.sessions()] == [(user, False)]


@pytest.mark.req("R-0-sendgrid-contract")
def test_key_without_the_scope_cannot_send(customer: Customer, sendgrid: SendGrid, keys: Keys) -> None:
    """A key for statistics alone is no key for mail, while the sending key is (F78)."""
    assert customer.send("carol@example.net", key=keys.statistics).code == 535
    assert customer.send("carol@example.net", key=keys.sending).code == 250
    assert len(sendgrid.messages()) == 1


@pytest.mark.req("R-0-sendgrid-contract")
def test_unverified_sender_is_550(customer: Customer, sendgrid: SendGrid) -> None:
    """A From address outside the verified domains is refused after the data."""
    message = make("alice@example.org", ["carol@example.net"])
    outcome = customer.send("carol@example.net", message=message)
    assert (outcome.phase, outcome.code) == ("data", 550)
    assert outcome.text.startswith("The from address does not match a verified Sender Identity")
    assert sendgrid.messages() == []


@pytest.mark.req("R-0-sendgrid-contract")
def test_accepted_mail_arrives_signed(
    customer: Customer, sendgrid: SendGrid, receiver: Peer, name_server: NameServer, site: Site
) -> None:
    """Accepted mail reaches the recipient's MX with a valid DKIM signature and the domain's return path."""
    message = make(customer.address, ["carol@example.net"])
    outcome = customer.send("carol@example.net", message=message)
    stored = receiver.wait_for_message("carol@example.net", message.marker)
    assert outcome.queue_id == sendgrid.messages(message.marker)[0].identity
    assert sendgrid.wait_for_event(message.marker, "carol@example.net", "delivered").response.startswith(
        "250"
    )
    assert signature_verifies(stored, name_server)
    assert not signature_verifies(stored.replace(b"Subject: ", b"Subject: not "), name_server)
    headers = parse(stored)
    assert f"d={site.mail.primary};" in headers["DKIM-Signature"].replace(" ", "")
    assert headers["Return-Path"].startswith("<bounces+")
    assert headers["Return-Path"].endswith(f"=example.net@em4001.{site.mail.primary}>")


def signature_verifies(content: bytes, name_server: NameServer) -> bool:
    """Whether dkimpy accepts the message with the keys that the name server publishes."""

    def text_record(name: bytes, timeout: int = 5) -> bytes | None:
        answers = [line for line in name_server.lookup(name.decode(), "TXT") if line.startswith('"')]
        return "".join(re.findall(r'"([^"]*)"', answers[0])).encode() if answers else None

    start = content.index(b"DKIM-Signature:")
    return bool(dkim.verify(content[start:], dnsfunc=text_record))


@pytest.mark.req("R-0-sendgrid-contract")
def test_session_shows_how_the_customer_came(customer: Customer, sendgrid: SendGrid, internet: Lab) -> None:
    """A session carries the client's public address, its TLS version and its user, and never the key."""
    customer.send("carol@example.net")
    session = sendgrid.sessions()[-1]
    assert (session.client, session.tls, session.user) == (internet.internet[39], "TLSv1.3", "apikey")
    assert session.authenticated


@pytest.mark.req("R-0-sendgrid-contract")
def test_a_key_can_be_rotated(customer: Customer, sendgrid: SendGrid, keys: Keys) -> None:
    """A second key works beside the first until it is deleted; sessions say which key it was."""
    second = new_api_key()
    sendgrid.issue(second, "mail.send")
    for key in (keys.sending, second):
        assert customer.send("carol@example.net", key=key).accepted
    sendgrid.revoke(second)
    assert customer.send("carol@example.net", key=second).code == 535
    assert customer.send("carol@example.net").accepted
    assert [item.key_id for item in sendgrid.sessions()] == [
        key_id(keys.sending), key_id(second), "", key_id(keys.sending),
    ]  # fmt: skip


@pytest.mark.req("R-0-sendgrid-switches")
def test_quota_and_faults_hit_and_heal(customer: Customer, sendgrid: SendGrid) -> None:
    """A used-up quota and a switched fault refuse mail, show their hits, and are gone when healed."""
    with sendgrid.switched(quota=1):
        codes = [customer.send("carol@example.net").code for _ in range(2)]
        assert codes == [250, 451]
        assert sendgrid.control().hits["quota"] == 1
    for fault, code in (("defer", 451), ("reject", 550)):
        sendgrid.switch(fault=fault)  # type: ignore[arg-type]
        assert customer.send("carol@example.net").code == code
        assert sendgrid.control().hits[fault] == 1
    sendgrid.switch(fault="none")
    assert customer.send("carol@example.net").code == 250


@pytest.mark.req("R-0-outcome-told-apart", "R-0-sendgrid-switches")
def test_dropped_answer_leaves_the_outcome_unknown(customer: Customer, sendgrid: SendGrid) -> None:
    """When the line is cut after the message was taken, the sender cannot know, and SendGrid has it."""
    message = make(customer.address, ["carol@example.net"])
    with sendgrid.switched(fault="drop"):
        outcome = customer.send("carol@example.net", message=message)
    assert outcome.verdict is Verdict.UNKNOWN
    assert len(sendgrid.messages(message.marker)) == 1


@pytest.mark.req("R-0-sendgrid-contract")
def test_recipients_that_ask_for_trouble(customer: Customer, sendgrid: SendGrid) -> None:
    """fail@ is refused, delay@ only the first time, and each delay+…@ is somebody of its own."""
    assert customer.send("fail@example.net").code == 550
    for name in ("delay@example.net", "delay+again@example.net"):
        assert [customer.send(name).code for _ in range(2)] == [451, 250]


@pytest.mark.req("R-0-sendgrid-contract")
def test_deferred_mail_is_tried_again(customer: Customer, sendgrid: SendGrid) -> None:
    """A 4xx of the recipient's host is retried, a 5xx becomes a bounce event."""
    busy = make(customer.address, ["busy@example.net"])
    refused = make(customer.address, ["refuse@example.net"])
    customer.send("busy@example.net", message=busy)
    customer.send("refuse@example.net", message=refused)
    bounce = sendgrid.wait_for_event(refused.marker, "refuse@example.net", "bounce")
    deferred = sendgrid.wait_for_event(busy.marker, "busy@example.net", "deferred")
    assert bounce.response.startswith("550 5.1.1")
    assert deferred.response.startswith("450 4.2.1")


@pytest.mark.req("R-0-sendgrid-contract")
def test_size_limit_is_30_mb(customer: Customer, sendgrid: SendGrid) -> None:
    """One octet more than the limit is refused before any data flows, the limit itself is taken."""
    limit = 30 * 1024 * 1024
    outcomes = [
        customer.send("refuse@example.net", message=sized(customer.address, ["refuse@example.net"], size))
        for size in (limit, limit + 1)
    ]
    assert [(outcome.phase, outcome.code) for outcome in outcomes] == [("data", 250), ("mail", 552)]


@pytest.mark.req("R-0-sendgrid-contract")
def test_statistics_need_their_own_scope(
    lan_host: Vantage, internet: Lab, keys: Keys, customer: Customer, sendgrid: SendGrid
) -> None:
    """GET /v3/stats answers a stats key over TLS, 403 for a mail key and 401 for none (F78)."""
    customer.send("carol@example.net")
    path = "/v3/stats?" + urllib.parse.urlencode({"start_date": "2025-11-01"})
    trusting = context(internet.authority.certificate_pem)
    with http.client(lan_host, trusting, base_url=f"https://{API_HOST}") as client:
        answers = {
            key: client.get(path, headers={"Authorization": f"Bearer {key}"})
            for key in (keys.statistics, keys.sending, "SG.none")
        }
    assert [answer.status_code for answer in answers.values()] == [200, 403, 401]
    days = answers[keys.statistics].json()
    today = datetime.now(UTC).date().isoformat()
    assert (days[0]["date"], days[-1]["date"]) == ("2025-11-01", today)
    counts = {day["date"]: day["stats"][0]["metrics"]["requests"] for day in days}
    assert (counts["2025-11-01"], counts[today], sum(counts.values())) == (0, 1, 1)
    assert sendgrid.control().fault == "none"


@pytest.mark.req("R-0-sendgrid-bad-tls")
@pytest.mark.parametrize(
    ("certificate", "words"),
    [
        ("wrong", "Hostname mismatch"),
        ("unknown", "unable to get local issuer certificate"),
        ("expired", "certificate has expired"),
    ],
)
def test_a_bad_certificate_has_one_fault(
    internet: Lab, lan_host: Vantage, sendgrid: SendGrid, site: Site, certificate: Certificate, words: str
) -> None:
    """A strict client names that very fault; healed, the same client is content."""
    host, trusting = site.sendgrid.smtp_host, context(internet.authority.certificate_pem)
    with sendgrid.switched(certificate=certificate), pytest.raises(ssl.SSLCertVerificationError, match=words):
        handshake(lan_host, host, 587, trusting, starttls="smtp")
    assert handshake(lan_host, host, 587, trusting, starttls="smtp").version == "TLSv1.3"


@pytest.mark.req("R-0-sendgrid-bad-tls")
@pytest.mark.parametrize(
    ("tls", "taken"),
    [
        ("old", {"TLSv1": {"0xc009"}, "TLSv1.1": {"0xc009"}}),
        ("weak", {"TLSv1.2": {"0xc009", "0xc023"}}),
    ],
)
def test_old_and_weak_tls_is_really_spoken(
    lan_host: Vantage, sendgrid: SendGrid, site: Site, tls: Tls, taken: dict[str, set[str]]
) -> None:
    """What a careful client refuses is there for a careless one: TLS 1.1, or CBC without AEAD."""
    with sendgrid.switched(tls=tls):
        found = accepted_suites(lan_host, site.sendgrid.smtp_host, 587, starttls="smtp")
    assert {version: suites for version, suites in found.items() if suites} == taken


@pytest.mark.req("R-0-sendgrid-bad-tls")
def test_a_careless_key_in_clear_text_is_seen(
    lan_host: Vantage, sendgrid: SendGrid, site: Site, keys: Keys
) -> None:
    """Without TLS the login is on offer, taken, and stands in the session: its absence means something."""
    with sendgrid.switched(tls="none"), DialledSmtp(lan_host.dial(site.sendgrid.smtp_host, 587)) as smtp:
        smtp.ehlo("careless.example.org")
        assert not smtp.has_extn("starttls")
        smtp.login("apikey", keys.sending)
    assert [(item.user, item.authenticated) for item in sendgrid.sessions()] == [("apikey", True)]
