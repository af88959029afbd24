"""Whom the server's services ask for names (design 1.2.2)."""

import pytest

from fixtures import plan
from fixtures.engine.capture import capture, interface_of
from fixtures.engine.containers import get
from fixtures.mail.message import make, new_marker
from fixtures.probe.pcap import Packet, holding, parse
from fixtures.targets.sim import Sim
from tests.e2e.conftest import Arrive, Submit

POSTFIX, RSPAMD, RESOLVER = "172.20.0.20", "172.20.0.70", "172.20.0.53"


def questions(packets: list[Packet]) -> set[tuple[str, str]]:
    """Who asked whom, by address."""
    return {(packet.source, packet.target) for packet in packets if packet.target_port == 53}


@pytest.mark.req("R-1.2.2-resolver-own")
def test_rspamd_and_postfix_ask_the_servers_own_resolver(
    world: Sim, arrive: Arrive, submit: Submit, alice: str
) -> None:
    """Both ask it and nobody else; it alone of all containers asks the world outside.

    The sender's name is new, so that no cache answers; it stands in Rspamd's question and in the resolver's.
    """
    word, dell = new_marker(), get("dell")
    sender, foreign = f"somebody@{word}.example.org", "somebody@example.net"
    line = interface_of(dell, plan.DELL_LAN)
    with capture(dell, "mailserver0", "port", "53") as bridge, capture(dell, line, "port", "53") as outside:
        assert arrive(make(sender, [alice]), [alice], sender=sender).accepted
        message = make(alice, [foreign])
        assert submit(message, [foreign], user=alice).accepted
        world.receiver.wait_for_message(foreign, message.marker)
    inside = parse(bridge.pcap)
    assert questions(inside) == {
        (RSPAMD, RESOLVER), (POSTFIX, RESOLVER), (RESOLVER, plan.LAN_ROUTER),
    }  # fmt: skip
    askers = {flow[1] for flow in holding(inside, [word])[word] if flow[4] == 53}
    assert askers == {RSPAMD, RESOLVER}
    assert word in holding(parse(outside.pcap), [word])
