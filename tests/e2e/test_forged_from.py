"""Who writes as whom: the From that readers see is the login's own address (docs/decisions.md)."""

import pytest

from fixtures.mail.headers import parse
from fixtures.mail.message import Message, make, new_marker
from fixtures.mail.outcome import Verdict
from fixtures.probe.lines import Spot
from fixtures.targets.sim import Sim
from tests.e2e.conftest import Deliver, Submit
from tests.e2e.webmail import webmail

FORGED = {
    "another user": "From: {bob}",
    "a foreigner": "From: somebody@example.net",
    "another user behind one's own name": 'From: "{alice}" <{bob}>',
    "oneself and another user": "From: {alice}, {bob}\r\nSender: {alice}",
    "another user in a second From": "From: {alice}\r\nFrom: {bob}",
    "one's own address with a detail": "From: {detail}",
    "a name that a server would complete": "From: bob",
    "nobody": "From: undisclosed:;",
}
OWN = {
    "one's own address": "From: {alice}",
    "with a name": "From: =?utf-8?b?44GC44KK44GZ?= <{alice}>",
    "in capitals": "From: {capitals}",
}


def _letter(line: str, alice: str, bob: str) -> Message:
    written = make(alice, [bob])
    detail, capitals = alice.replace("@", "+x@"), alice.upper()
    own = line.format(alice=alice, bob=bob, detail=detail, capitals=capitals)
    content = written.content.replace(f"From: {alice}".encode(), own.encode(), 1)
    return Message(written.marker, written.message_id, content)


@pytest.mark.req("R-4.2-header-from-judged")
@pytest.mark.parametrize("case", FORGED)
def test_nobody_writes_as_another(submit: Submit, alice: str, bob: str, case: str) -> None:
    """554 after the final dot, with words that say why; the envelope sender was one's own all along."""
    outcome = submit(_letter(FORGED[case], alice, bob), [bob], user=alice)
    assert (outcome.verdict, outcome.phase, outcome.code) == (Verdict.REFUSED, "data", 554), outcome
    assert "From must be your own address" in outcome.text


@pytest.mark.req("R-4.2-header-from-judged")
@pytest.mark.parametrize("case", OWN)
def test_everybody_writes_as_himself(submit: Submit, alice: str, bob: str, case: str) -> None:
    """One's own address is taken, however it is written."""
    outcome = submit(_letter(OWN[case], alice, bob), [bob], user=alice)
    assert outcome.accepted, outcome


@pytest.mark.req("R-4.2-header-from-judged")
def test_strangers_are_judged_by_spam_rules_alone(arrive: Deliver, alice: str, bob: str) -> None:
    """Mailing lists and forwarders write From for others: from the Internet that is no offence by itself."""
    message = make("author@hosts.example.org", [alice])
    assert arrive(message, [alice], sender="list-bounces@hosts.example.org").accepted


@pytest.mark.req("R-4.2-header-from-judged")
def test_the_webmail_is_no_way_around(world: Sim, alice: str, bob: str) -> None:
    """A From that the form does not offer is refused there too; what it offers is the login's address."""
    spot = Spot(world.vantage("tailnet-pc"), world.server, world.ssl_context)
    forged, own = new_marker(), new_marker()
    with webmail(spot, alice, world.passwords[alice]) as session:
        for sender in (bob, "somebody@example.net", f"{bob} <{bob}>"):
            answer = session.send(sender, bob, forged)
            assert "sent_successfully" not in answer, answer
            assert "display_message" in answer
            assert "error" in answer, answer
        assert "sent_successfully" in session.send("", bob, own)
    received = world.mailbox("imap", bob).wait_for(own)
    assert parse(received)["From"].addresses[0].addr_spec == alice
    assert world.mailbox("imap", bob).count(forged) == 0
