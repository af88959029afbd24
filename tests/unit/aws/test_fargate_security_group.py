"""Security groups as packet filter rules: what is not allowed is dropped, and nothing is guessed."""

from ipaddress import IPv4Network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.aws.fargate.security_group import UnknownRuleError, ruleset

pytestmark = pytest.mark.req("R-0-fargate-security-group")

ANYWHERE = [{"CidrIp": "0.0.0.0/0"}]
NETWORKS = st.builds(
    lambda address, length: IPv4Network((address, length), strict=False),
    st.integers(0, 2**32 - 1),
    st.integers(1, 32),
)
PORTS = st.integers(1, 65535)


def _permission(
    protocol: str, low: int | None = None, high: int | None = None, **extra: Any
) -> dict[str, Any]:
    ports = {} if low is None else {"FromPort": low, "ToPort": low if high is None else high}
    return {"IpProtocol": protocol, "IpRanges": ANYWHERE, **ports, **extra}


def _chains(
    *inbound: dict[str, Any], outbound: tuple[dict[str, Any], ...] = (), **kw: Any
) -> dict[str, list[str]]:
    """The rules of each chain, the fixed first four lines taken off."""
    text = ruleset([{"IpPermissions": list(inbound), "IpPermissionsEgress": list(outbound)}], **kw)
    chains: dict[str, list[str]] = {}
    for block in text.split("  chain ")[1:]:
        lines = [line.strip() for line in block.split("  }")[0].splitlines()]
        assert "policy drop;" in lines[1]
        assert lines[3] == "ct state established,related accept"
        chains[lines[0].split()[0]] = [line for line in lines[5:] if line]
    return chains


def test_no_permission_means_nothing_passes() -> None:
    """Both chains drop, and only loopback, replies and neighbour discovery are let through."""
    assert _chains() == {"input": [], "output": []}


def test_the_designs_group_admits_port_25_alone() -> None:
    """fargate-sg: tcp/25 from everywhere, everything out (F30)."""
    chains = _chains(_permission("tcp", 25), outbound=(_permission("-1"),))
    assert chains["input"] == ["meta nfproto ipv4 tcp dport 25 accept"]
    assert chains["output"] == ["meta nfproto ipv4 accept"]


ROWS = [
    (_permission("udp", 41641), "meta nfproto ipv4 udp dport 41641 accept"),
    (_permission("17", 1, 9), "meta nfproto ipv4 udp dport 1-9 accept"),
    (_permission("tcp", 0, 65535), "meta nfproto ipv4 meta l4proto tcp accept"),
    (_permission("icmp", 8, -1), "meta nfproto ipv4 icmp type 8 accept"),
    (_permission("icmp", 3, 4), "meta nfproto ipv4 icmp type 3 icmp code 4 accept"),
    (_permission("icmp", -1, -1), "meta nfproto ipv4 meta l4proto icmp accept"),
    (_permission("50"), "meta nfproto ipv4 meta l4proto 50 accept"),
    (_permission("-1"), "meta nfproto ipv4 accept"),
    ({"IpProtocol": "tcp", "FromPort": 25, "ToPort": 25, "Ipv6Ranges": [{"CidrIpv6": "2001:db8::/32"}]},
     "ip6 saddr 2001:db8::/32 tcp dport 25 accept"),
]  # fmt: skip


@pytest.mark.parametrize(("permission", "rule"), ROWS)
def test_a_permission_becomes_one_rule(permission: dict[str, Any], rule: str) -> None:
    """Protocols by name or number, port ranges, ICMP type and code."""
    assert _chains(permission)["input"] == [rule]


@given(NETWORKS, PORTS, PORTS)
def test_a_rule_is_as_narrow_as_its_permission(network: IPv4Network, one: int, other: int) -> None:
    """Source network and port range stand in the rule, on the side the permission is for."""
    low, high = sorted((one, other))
    permission = _permission("tcp", low, high, IpRanges=[{"CidrIp": str(network)}])
    chains = _chains(permission, outbound=(permission,))
    (inbound,), (outbound,) = chains["input"], chains["output"]
    source = f"{network.network_address}" if network.prefixlen == 32 else str(network)
    assert inbound.startswith((f"ip saddr {source} ", f"ip saddr {network} "))
    assert outbound == inbound.replace("saddr", "daddr")
    assert inbound.split(" dport ")[1] == (f"{low} accept" if low == high else f"{low}-{high} accept")


@given(st.lists(NETWORKS, max_size=6), PORTS)
def test_there_are_as_many_rules_as_sources(networks: list[IPv4Network], port: int) -> None:
    """No source, no rule: a permission without ranges allows nothing."""
    ranges = [{"CidrIp": str(network)} for network in networks]
    assert len(_chains(_permission("tcp", port, IpRanges=ranges))["input"]) == len(set(networks))


def test_a_group_as_source_means_its_members() -> None:
    """Those addresses and no others; a group without members admits nobody."""
    pair = {"IpProtocol": "tcp", "FromPort": 25, "ToPort": 25, "UserIdGroupPairs": [{"GroupId": "sg-1"}]}
    assert _chains(pair)["input"] == []
    members = {"sg-1": ["10.0.1.9"], "sg-2": ["10.0.1.10"]}
    assert _chains(pair, members=members)["input"] == ["ip saddr 10.0.1.9/32 tcp dport 25 accept"]


def test_the_resolver_is_exempt_from_outbound_rules_only() -> None:
    """As AWS's own resolver is."""
    chains = _chains(exempt=("10.0.0.2",))
    assert chains == {"input": [], "output": ["ip daddr 10.0.0.2/32 accept"]}


@pytest.mark.parametrize(
    "permission",
    [
        _permission("tcp"),
        _permission("quic", 443),
        _permission("tcp", 30, 20),
        _permission("tcp", 25, PrefixListIds=[{"PrefixListId": "pl-1"}]),
    ],
)
def test_what_is_not_understood_is_an_error(permission: dict[str, Any]) -> None:
    """Never an "allow", never silently nothing."""
    with pytest.raises(UnknownRuleError):
        _chains(permission)


def test_loading_replaces_the_former_rules_at_once() -> None:
    """Declare, delete, define: one transaction, also the first time."""
    lines = ruleset([]).splitlines()
    assert lines[:2] == ["table inet security_group", "delete table inet security_group"]
