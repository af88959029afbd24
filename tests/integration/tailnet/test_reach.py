"""Who reaches what in a tailnet with the policy that deploys; the expectations are the design's (2.5.3)."""

from datetime import timedelta

import pytest

from fixtures.engine.execute import execute
from fixtures.tailnet.coordinator import ControlplaneError
from fixtures.wait import wait_for
from tests.integration.tailnet.world import (
    PORTS,
    SERVER,
    Members,
    SmallTailnet,
    open_ports,
    proxied_ports,
    reaches,
    run,
    through_proxy,
)

NO_UNSOLICITED_UDP = b"""
table inet closed {
    chain incoming {
        type filter hook input priority filter; policy accept;
        ct state established,related accept
        iifname != "lo" meta l4proto udp counter drop
    }
}
"""
FOR_MEMBERS = {443, 587, 993, 995}


@pytest.mark.req("R-2.5.3-policy-exact", "R-0-tailnet-filter")
@pytest.mark.parametrize("who", ["pc", "phone"])
def test_members_reach_their_services_and_nothing_else(members: Members, who: str) -> None:
    """A member reaches 443, 587, 993, 995 and no other port, though every one of them listens."""
    machine = members.pc if who == "pc" else members.phone
    assert open_ports(members.server, "127.0.0.1") == set(PORTS)
    assert open_ports(machine, SERVER) == FOR_MEMBERS


@pytest.mark.req("R-0-tailnet-filter")
def test_a_denied_port_is_silent(members: Members) -> None:
    """What the policy refuses is dropped: the attempt times out, a merely closed port refuses."""
    silent = run(members.pc, "ncat", "-w", "1", SERVER, "22")
    refused = run(members.server, "ncat", "-w", "1", "127.0.0.1", "26")
    assert reaches(members.server, "127.0.0.1", 22)
    assert "TIMEOUT" in silent.stderr
    assert "refused" in refused.stderr


@pytest.mark.req("R-2.5.3-policy-exact", "R-2.5.3-gateway-cannot-roam")
def test_the_gateway_hands_mail_over_and_reaches_nothing_else(members: Members) -> None:
    """Through the proxy the gateway reaches 2525 alone."""
    assert open_ports(members.server, "127.0.0.1") == set(PORTS)
    assert proxied_ports(members.task, SERVER) == {2525}


@pytest.mark.req("R-2.5.1-magicdns", "R-0-tailnet-names")
def test_the_proxy_knows_short_names_and_addresses(members: Members, tailnet: SmallTailnet) -> None:
    """MagicDNS works inside the proxy, for both forms of a name, and addresses pass."""
    address = tailnet.control.nodes()["mailserver"].address
    for host in ("mailserver", SERVER, address):
        assert through_proxy(members.task, f"{host}:2525") == "port 2525\n"


@pytest.mark.req("R-0-tailnet-sidecar")
def test_the_proxy_says_why_it_cannot_connect(members: Members) -> None:
    """An unknown name is answered as tailscaled does: 500 with its own header."""
    argv = [
        "curl",
        "-sS",
        "-v",
        "-m",
        "5",
        "-p",
        "-x",
        "http://127.0.0.1:1055",
        "telnet://absent.example.net:25",
    ]
    shown = run(members.task, *argv)
    assert shown.status != 0
    assert "500 Internal Server Error" in shown.stderr
    assert "Tailscale-Connect-Error: dial tcp: lookup absent.example.net: no such host" in shown.stderr


@pytest.mark.req("R-0-tailnet-sidecar")
def test_the_task_itself_has_no_way_into_the_tailnet(members: Members) -> None:
    """Userspace mode: no route, no interface, no name in the task; only the proxy leads in (F06)."""
    assert "100.64" not in run(members.task, "ip", "route", "show", "table", "all").check().stdout
    assert "tailscale0" not in run(members.task, "ip", "link").check().stdout
    assert run(members.task, "getent", "-s", "files", "hosts", SERVER).status != 0
    assert run(members.pc, "getent", "-s", "files", "hosts", SERVER).status == 0
    assert "tailscale0" in run(members.pc, "ip", "route", "show", "100.64.0.0/10").check().stdout


@pytest.mark.req("R-0-tailnet-sidecar")
def test_nothing_of_the_sidecar_listens_to_the_outside(members: Members) -> None:
    """Proxy and health check listen on the loopback address alone."""
    shown = run(members.task, "ss", "-Hltn").check().stdout
    local = [line.split()[3] for line in shown.splitlines()]
    assert {"127.0.0.1:1055", "127.0.0.1:9002"} <= set(local)
    assert [address for address in local if not address.startswith("127.")] == []


@pytest.mark.req("R-0-tailnet-sidecar")
def test_the_health_check_is_green(members: Members) -> None:
    """The check of the task definition passes while the node has its address."""
    run(members.sidecar, "wget", "-q", "-O", "/dev/null", "http://127.0.0.1:9002/healthz").check()


@pytest.mark.req("R-0-tailnet-wireguard")
def test_firewalls_on_both_sides_do_not_keep_the_tunnel_down(members: Members, tailnet: SmallTailnet) -> None:
    """With all unsolicited UDP refused on either side, the nodes' own packets open the way."""
    late = tailnet.bare_node("late")
    for container in (members.server, late):
        execute(container, ["nft", "-f", "-"], stdin=NO_UNSOLICITED_UDP).check()
    try:
        key = tailnet.control.create_key(user="carol@example.net")
        run(late, "tailscale", "up", f"--auth-key={key}", "--hostname=late").check()
        wait_for(
            "the late machine reaches the server",
            lambda: reaches(late, SERVER, 993, 1),
            timeout=timedelta(seconds=20),
        )
        assert "via" in run(late, "tailscale", "ping", "mailserver").check().stdout
    finally:
        run(members.server, "nft", "delete table inet closed").check()
        tailnet.control.delete("late")


@pytest.mark.req("R-0-tailnet-policy-news")
@pytest.mark.usefixtures("policy_restored")
def test_a_new_policy_takes_effect_at_once(members: Members, tailnet: SmallTailnet) -> None:
    """A port opens within seconds of the policy that opens it, without anybody's restart."""
    assert not reaches(members.pc, SERVER, 80, 1)
    tailnet.control.set_policy(
        '{"tagOwners": {"tag:mailserver": [], "tag:fargate-mx": []},'
        ' "acls": [{"action": "accept", "src": ["*"], "dst": ["tag:mailserver:*"]}]}'
    )
    wait_for("port 80 opens", lambda: reaches(members.pc, SERVER, 80, 1), timeout=timedelta(seconds=5))


@pytest.mark.req("R-0-tailnet-policy-news", "R-0-policy-refused-as-console")
def test_a_refused_policy_changes_nothing(members: Members, tailnet: SmallTailnet) -> None:
    """The console refuses a machine's name as destination (F45) and keeps the policy it has."""
    with pytest.raises(ControlplaneError, match="names of machines select nothing"):
        tailnet.control.set_policy(
            '{"acls": [{"action": "accept", "src": ["*"], "dst": ["mailserver:2525"]}]}'
        )
    assert reaches(members.pc, SERVER, 443)
