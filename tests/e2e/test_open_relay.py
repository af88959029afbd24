"""The relay matrix: no place, no sender and no notation gets a foreign recipient past any hop (F02, F50)."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from fixtures.mail.outcome import Reply
from fixtures.probe.lines import Spot, smtp
from fixtures.site import load_site
from fixtures.targets.sim import Sim
from fixtures.world.images import ROOT
from tests.e2e.conftest import STRANGER
from tests.e2e.inside import Dialogue, Place

OWN = load_site(ROOT / "site.toml").mail.primary
ALICE = f"alice@{OWN}"
POSTFIX = "172.20.0.20"
SENDERS = ("", ALICE, STRANGER)
FOREIGN = (
    "somebody@example.net",
    f"somebody%example.net@{OWN}",
    f"@{OWN}:somebody@example.net",
    f'"somebody@example.net"@{OWN}',
    f"example.net!somebody@{OWN}",
    f"somebody@example.net@{OWN}",
    f"somebody%example.net@[{POSTFIX}]",
    "somebody@example.net.",
)
OUTSIDE = ("internet-host", "internet-host-2", "vpc-neighbour", "lan-host", "tailnet-pc", "tailnet-phone")
SERVICES = ("nginx", "postfix", "dovecot", "roundcube", "unbound", "mariadb", "rspamd", "clamav", "redis")
_TO_ALICE = f"RCPT TO:<{ALICE}>"


def _dialogue(sender: str) -> list[str]:
    return [f"MAIL FROM:<{sender}>", *(f"RCPT TO:<{recipient}>" for recipient in FOREIGN)]


def _check(place: str, replies: Sequence[Reply]) -> None:
    """Each recipient was asked for, and refused for good."""
    told = [(reply.code, reply.text) for reply in replies[1:]]
    assert len(told) == len(FOREIGN), (place, told)
    assert [said for said in told if not 500 <= said[0] < 600] == [], place


@pytest.mark.req("R-3.2-own-domains-only")
def test_no_notation_relays_through_the_gateway(world: Sim) -> None:
    """From every vantage, whoever is claimed as sender; the user beside them in the session is taken."""

    def ask(case: tuple[str, str]) -> list[Reply]:
        place, sender = case
        # AWS routes nothing from inside the VPC to its own public addresses without one of its own.
        inside = place == "vpc-neighbour"
        mx = world.gateway.private_address() if inside else world.site.mail.mx_hostname
        with smtp(Spot(world.vantage(place), mx, world.ssl_context), 25) as lines:
            return [lines.say(command) for command in (*_dialogue(sender), _TO_ALICE)]

    cases = [(place, sender) for place in OUTSIDE for sender in SENDERS]
    with ThreadPoolExecutor(6) as pool:
        for case, replies in zip(cases, pool.map(ask, cases), strict=True):
            _check(str(case), replies[:-1])
            assert replies[-1].code == 250, (case, replies[-1])


@pytest.mark.req("R-4.2-inbound-no-relay")
def test_no_notation_relays_through_the_servers_inbound_port(world: Sim) -> None:
    """From the task, whose address alone 2525 serves; the user beside them in the session is taken."""
    asked = {sender: Dialogue("127.0.0.1", 2525, [*_dialogue(sender), _TO_ALICE]) for sender in SENDERS}
    for sender, (*refused, control) in Place.task(world).talk(asked).items():
        _check(f"task as {sender}", refused)
        assert control.code == 250, control


@pytest.mark.req("R-2.3-bridge-not-trusted")
def test_the_compose_network_is_not_trusted(world: Sim) -> None:
    """Neither the bridge's gateway address nor any container gets more than a stranger (F50).

    2525 takes from them not even mail for a user; 587 takes it, and foreign mail, after a login: the control.
    """
    places = [Place.host(world), *(Place.container(world, service) for service in SERVICES)]
    asked = {
        f"{port} as {sender}": Dialogue(POSTFIX, port, _dialogue(sender), tls=port == 587)
        for port in (2525, 587)
        for sender in SENDERS
    }
    asked["587 in clear text"] = Dialogue(POSTFIX, 587, _dialogue(ALICE))
    mail = [f"MAIL FROM:<{ALICE}>", _TO_ALICE, f"RCPT TO:<{FOREIGN[0]}>"]
    login = (ALICE, world.passwords[ALICE])
    further = {
        "own": Dialogue(POSTFIX, 2525, mail[:2]),
        "logged in": Dialogue(POSTFIX, 587, mail, tls=True, login=login),
        "25": Dialogue(POSTFIX, 25, []),
    }
    with ThreadPoolExecutor(len(places)) as pool:
        answers = pool.map(lambda place: place.talk({**asked, **further}), places)
        for place, told in zip(places, answers, strict=True):
            for kind in asked:
                _check(f"{kind} from {place.name}", told[kind])
            assert told["own"][-1].code == 554, (place.name, told["own"])
            assert [reply.code for reply in told["logged in"]] == [250, 250, 250], (place.name, told)
            assert "ConnectionRefusedError" in told["25"][0].text, (place.name, told["25"])
