"""Mail from the Internet reaches its reader unchanged, through every hop (design 7.1)."""

import pytest

from fixtures import plan
from fixtures.engine.execute import execute
from fixtures.mail.headers import parse, trace
from fixtures.mail.message import Message, japanese, make
from fixtures.site import load_site
from fixtures.targets.sim import Sim
from fixtures.world.images import ROOT
from tests.e2e.conftest import STRANGER, Arrive

DOMAINS = load_site(ROOT / "site.toml").mail.domains


def body_of(content: bytes) -> bytes:
    """What the sender wrote below the headers."""
    return content.replace(b"\r\n", b"\n").partition(b"\n\n")[2]


@pytest.mark.req("R-7.1-every-domain", "R-7.1-servers-own-answer", "R-7.1-unchanged", "R-1.1-nothing-stored")
@pytest.mark.parametrize("domain", DOMAINS)
def test_a_message_to_each_domain_is_accepted_by_the_server_itself(
    world: Sim, arrive: Arrive, domain: str
) -> None:
    """The 250 that the sender sees carries the Dell's queue id, and is read by IMAP and by POP3 (D1, F14)."""
    user = f"alice@{domain}"
    message = japanese(STRANGER, [user])
    outcome = arrive(message, [user])
    assert outcome.accepted, outcome
    by_imap = world.mailbox("imap", user).wait_for(message.marker)
    by_pop3 = world.mailbox("pop3", user).wait_for(message.marker)
    assert body_of(by_imap) == body_of(by_pop3) == body_of(message.content)
    hops = trace(by_imap)
    assert outcome.queue_id in [hop.queue_id for hop in hops]
    log = world.dell.run(["docker", "logs", "mailserver-postfix"]).stdout
    assert f"{outcome.queue_id}: message-id={message.message_id}" in log
    assert world.gateway.queue() == []


@pytest.mark.req("R-7.1-unchanged")
def test_every_header_of_the_sender_survives(world: Sim, arrive: Arrive, alice: str) -> None:
    """The hops add trace headers; what the sender wrote stays as it was."""
    message = japanese(STRANGER, [alice])
    assert arrive(message, [alice]).accepted
    read = parse(world.mailbox("imap", alice).wait_for(message.marker))
    sent = parse(message.content)
    assert {name: str(read[name]) for name in sent} == {name: str(value) for name, value in sent.items()}


@pytest.mark.req("R-7.1-true-client", "R-7.1-scanned")
@pytest.mark.parametrize(
    ("place", "address"),
    [("internet-host", plan.INTERNET_HOST), ("internet-host-2", plan.SECOND_INTERNET_HOST)],
)
def test_the_filter_judges_the_true_sender(
    world: Sim, arrive: Arrive, alice: str, place: str, address: str
) -> None:
    """Rspamd saw it, and the client that it judged is the Internet host, not the gateway (F57, D5)."""
    message = make(STRANGER, [alice])
    outcome = arrive(message, [alice], place=place)
    assert outcome.accepted, outcome
    read = parse(world.mailbox("imap", alice).wait_for(message.marker))
    assert read["X-Spamd-Result"] is not None
    first_hop = trace(read.as_bytes())[-1]
    assert first_hop.client == address
    results = str(read["Authentication-Results"])
    assert "spf=" in results
    assert address in results


@pytest.mark.req("R-7.1-spf")
def test_spf_passes_for_the_domains_own_host_only(world: Sim, arrive: Arrive, alice: str) -> None:
    """The same sender passes from example.org's own MTA and fails from elsewhere: the address decides."""
    sender = "postmaster@example.org"
    own, foreign = make(sender, [alice]), make(sender, [alice])
    queue_id = world.sender.sendmail(own.content, sender, [alice])
    assert [attempt.status for attempt in world.sender.wait_for_delivery(queue_id)] == ["sent"]
    assert arrive(foreign, [alice], sender=sender).accepted
    for message, result in ((own, "spf=pass"), (foreign, "spf=fail")):
        read = parse(world.mailbox("imap", alice).wait_for(message.marker))
        assert result in str(read["Authentication-Results"])


@pytest.mark.req("R-6.2-starttls-on-25")
def test_the_internet_leg_is_encrypted(world: Sim, arrive: Arrive, alice: str) -> None:
    """The gateway offers STARTTLS with TLS 1.2 or better to whoever asks (F16)."""
    outcome = arrive(make(STRANGER, [alice]), [alice])
    assert outcome.accepted, outcome
    assert outcome.tls in {"TLSv1.2", "TLSv1.3"}


@pytest.mark.req("R-4.1-maildir-below-home")
def test_mail_lies_in_the_designs_maildir(world: Sim, arrive: Arrive, alice: str) -> None:
    """One file below data/mail/<domain>/<user>/Maildir (design 10.1, F70, F81), on the host's own disk."""
    message = make(STRANGER, [alice])
    assert arrive(message, [alice]).accepted
    world.mailbox("imap", alice).wait_for(message.marker)
    user, _, domain = alice.partition("@")
    folder = f"/opt/mailserver/data/mail/{domain}/{user}/Maildir"
    argv = ["grep", "-rl", "--", message.message_id, f"{folder}/new", f"{folder}/cur"]
    found = world.dell.run(argv, check=False).stdout.split()
    assert len(found) == 1


@pytest.mark.req("R-1.1-nothing-stored")
def test_the_gateway_keeps_nothing(world: Sim, arrive: Arrive, alice: str) -> None:
    """No file in the gateway's queue holds any part of a message it has just handed on (F11)."""
    message: Message = make(STRANGER, [alice])
    assert arrive(message, [alice]).accepted
    postfix = world.gateway.container("postfix")
    spooled = (
        execute(postfix, ["find", "/var/spool/postfix", "-type", "f", "-path", "*/[adimc]*/*"]).check().stdout
    )
    assert [name for name in spooled.split() if "/pid/" not in name and "/etc/" not in name] == []
