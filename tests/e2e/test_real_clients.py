"""Programs that people and other hosts really use, with the security of their defaults (design 7.2)."""

from collections.abc import Iterator

import pytest
from docker.models.containers import Container

from fixtures.engine.execute import execute
from fixtures.mail.headers import parse, trace
from fixtures.mail.message import make
from fixtures.targets.clients import clients
from fixtures.targets.sim import Sim
from tests.e2e.conftest import STRANGER, Arrive
from tests.e2e.real_clients import FETCHING, SENDING, User, run

pytestmark = pytest.mark.req("R-7.2-real-clients")

FRIEND = "friend@example.net"


@pytest.fixture(scope="module")
def pc(world: Sim) -> Iterator[Container]:
    """The programs on a tailnet PC that trusts what its owner's browser trusts."""
    with clients(world, "tailnet-pc") as container:
        yield container


@pytest.fixture(scope="module")
def distrustful_pc(world: Sim) -> Iterator[Container]:
    """The same on a PC that does not know who issued the server's certificate."""
    with clients(world, "tailnet-pc", trusting=False) as container:
        yield container


@pytest.fixture
def user(world: Sim) -> User:
    """A user of the last domain, whose mailbox is small."""
    address = f"alice@{world.site.mail.domains[-1]}"
    return User(world.server, address, world.passwords[address])


@pytest.mark.parametrize("program", SENDING)
def test_a_program_sends(
    world: Sim, pc: Container, distrustful_pc: Container, user: User, program: str
) -> None:
    """Over verified TLS, with a login, to a foreign reader; not when it cannot verify the server."""
    refused, taken = make(user.address, [FRIEND]), make(user.address, [FRIEND])
    script = SENDING[program](user, FRIEND)
    done = run(distrustful_pc, script, refused)
    assert done.status != 0, done
    # NeoMutt's batch mode gives a status and no reason.
    assert program == "neomutt" or "certificate" in (done.stdout + done.stderr).lower(), done
    sent = run(pc, script, taken)
    assert sent.status == 0, sent
    read = parse(world.receiver.wait_for_message(FRIEND, taken.marker))
    assert read["From"].addresses[0].addr_spec == user.address
    submitted = trace(read.as_bytes())[-1]
    assert (submitted.protocol, submitted.by) == ("ESMTPSA", world.site.mail.hostname)
    assert [mail for mail in world.receiver.inbox(FRIEND) if refused.marker.encode() in mail] == []


@pytest.mark.parametrize("program", FETCHING)
def test_a_program_fetches(
    world: Sim, arrive: Arrive, pc: Container, distrustful_pc: Container, user: User, program: str
) -> None:
    """Over verified TLS, what has just come in; nothing when it cannot verify the server."""
    message = make(STRANGER, [user.address])
    outcome = arrive(message, [user.address])
    assert outcome.accepted, outcome
    world.mailbox("imap", user.address).wait_for(message.marker)
    script = FETCHING[program](user, message.marker)
    done = run(distrustful_pc, script)
    assert done.status != 0, done
    assert message.marker not in done.stdout
    fetched = run(pc, script)
    assert fetched.status == 0, fetched
    assert message.message_id in fetched.stdout


@pytest.mark.parametrize("host", ["postfix", "exim", "swaks"])
def test_a_foreign_host_sends(world: Sim, user: User, host: str) -> None:
    """Another make of server, or a program without a server, finds the MX and takes its STARTTLS."""
    sender = "somebody@example.org" if host != "swaks" else STRANGER
    message = make(sender, [user.address])
    if host == "postfix":
        taken_as = world.sender.sendmail(message.content, sender, [user.address])
        assert [attempt.status for attempt in world.sender.wait_for_delivery(taken_as)] == ["sent"]
    elif host == "exim":
        with clients(world, "peer-sender") as container:
            argv = ["exim4", "-odf", "-oi", "-f", sender, user.address]
            execute(container, argv, stdin=message.content.replace(b"\r\n", b"\n")).check()
            log = execute(container, ["cat", "/var/log/exim4/mainlog"]).check().stdout
        assert f"=> {user.address} R=dnslookup T=remote_smtp" in log, log
    else:
        with clients(world, "internet-host") as container:
            script = (
                f"swaks --server {world.site.mail.mx_hostname} --tls --from {sender} --to {user.address} "
                "--helo mail.example.org --data - </tmp/mail/message"
            )
            run(container, script, message).check()
    read = parse(world.mailbox("imap", user.address).wait_for(message.marker))
    assert world.mailbox("imap", user.address).count(message.marker) == 1
    [entry] = [hop for hop in trace(read.as_bytes()) if hop.by == world.site.mail.mx_hostname]
    assert entry.protocol == "ESMTPS", entry
    assert "spf=pass" in str(read["Authentication-Results"])
