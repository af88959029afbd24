"""What SMTP offers to nobody here: another identity, a look at the users, endless or oversized commands."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

import pytest

from fixtures.probe.lines import Lines, Spot, smtp
from fixtures.targets.sim import Sim
from tests.e2e.inside import Dialogue, Place

Session = Callable[[], Lines]


@pytest.fixture
def sessions(world: Sim) -> Mapping[str, Session]:
    """How to talk to the ports that strangers and users reach; on 587 inside TLS, without a login."""
    mx = Spot(world.vantage("internet-host"), world.site.mail.mx_hostname, world.ssl_context)
    pc = Spot(world.vantage("tailnet-pc"), world.server, world.ssl_context)
    return {"gateway": lambda: smtp(mx, 25), "submission": lambda: smtp(pc, 587, tls=True)}


@pytest.fixture(params=["gateway", "submission"])
def session(request: pytest.FixtureRequest, sessions: Mapping[str, Session]) -> Session:
    """One of the two."""
    return sessions[request.param]


CLAIMS = ("XCLIENT ADDR=100.64.0.1 LOGIN={user}", "XFORWARD NAME=mail.example.org ADDR=100.64.0.1")


@pytest.mark.req("R-4.2-no-xclient")
@pytest.mark.parametrize("claim", CLAIMS)
def test_nobody_names_himself(session: Session, alice: str, claim: str) -> None:
    """XCLIENT and XFORWARD are neither offered nor taken, and give no rights."""
    with session() as lines:
        offered = lines.say("EHLO client.example.org").text
        assert "PIPELINING" in offered
        assert claim.split()[0] not in offered
        assert lines.say(claim.format(user=alice)).code == 550
        lines.say(f"MAIL FROM:<{alice}>")
        assert lines.say("RCPT TO:<somebody@example.net>").code >= 500


@pytest.mark.req("R-4.2-no-xclient")
def test_the_gateway_alone_forwards_addresses(world: Sim, alice: str) -> None:
    """On 2525 the task names its client by XFORWARD, but not itself by XCLIENT; a container may neither."""
    claims = [claim.format(user=alice) for claim in CLAIMS]
    task = Place.task(world).talk({"claims": Dialogue("127.0.0.1", 2525, claims)})
    container = Place.container(world, "roundcube").talk({"claims": Dialogue("172.20.0.20", 2525, claims)})
    assert [reply.code for reply in task["claims"]] == [550, 250]
    assert [reply.code for reply in container["claims"]] == [550, 550]


@pytest.mark.req("R-4.2-no-vrfy-etrn")
def test_nothing_is_told_and_nothing_started(session: Session, world: Sim, alice: str) -> None:
    """VRFY and EXPN tell nothing about anybody, ETRN starts nothing; the session goes on after them."""
    with session() as lines:
        known, unknown = (lines.say(f"VRFY {name}") for name in (alice, f"nobody@{world.site.mail.primary}"))
        assert known == unknown
        assert known.code == 502
        assert lines.say(f"EXPN {alice}").code == 500
        assert lines.say(f"ETRN {world.site.mail.primary}").code >= 500
        assert lines.say("NOOP").code == 250


@pytest.mark.req("R-4.2-no-vrfy-etrn")
def test_oversized_commands_are_refused(session: Session) -> None:
    """An endless command is an error and no more: the session goes on, and the server lives."""
    long = "a" * 10_000
    with session() as lines:
        for command in (f"MAIL FROM:<{long}@example.org>", f"AUTH PLAIN {long}", f"VRFY {long}", long):
            assert lines.say(command).code >= 500, command[:20]
        assert lines.say("NOOP").code == 250


@pytest.mark.req("R-4.2-no-vrfy-etrn")
def test_too_many_errors_end_the_session(sessions: Mapping[str, Session]) -> None:
    """Who makes twenty errors is slowed down and then cut off with 421, on both ports."""

    def misbehave(session: Session) -> list[int]:
        with session() as lines:
            return [lines.say("NONSENSE").code for _ in range(21)]

    with ThreadPoolExecutor(len(sessions)) as pool:
        for codes in pool.map(misbehave, sessions.values()):
            assert codes[:21] == [500] * 20 + [421]
