"""The node's pure parts: packet filter text, hosts file, WireGuard settings, durations, settings."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.tailnet.node.cert import duration
from fixtures.tailnet.node.containerboot import SettingsError, read_settings
from fixtures.tailnet.node.hosts import with_names
from fixtures.tailnet.node.netfilter import ruleset
from fixtures.tailnet.node.wireguard import (
    KEEPALIVE,
    Peer,
    new_private_key,
    parse_traffic,
    public_key_of,
    settings,
)

A = Peer("AAAA", "100.64.0.2", "198.51.100.2:41641")
B = Peer("BBBB", "100.64.0.3", "198.51.100.3:41641")


@pytest.mark.req("R-0-tailnet-filter")
def test_the_filter_accepts_what_the_rule_says_and_drops_the_rest() -> None:
    """One rule, one accept line with its sources and ports; the last word of the chain is drop."""
    text = ruleset("100.64.0.1", [{"src": ["100.64.0.2"], "proto": [6], "ports": [[443, 443], [993, 995]]}])
    lines = [line.strip() for line in text.splitlines()]
    accepts = [line for line in lines if line.startswith("ip saddr")]
    assert accepts == [
        "ip saddr { 100.64.0.2 } tcp dport { 443, 993-995 } accept",
        "ip saddr { 100.64.0.2 } icmp type echo-request accept",
    ]
    assert lines.index("counter drop") == lines.index(accepts[-1]) + 1


@pytest.mark.req("R-0-tailnet-filter")
def test_without_rules_nothing_gets_in() -> None:
    """No source appears, and what is not an answer is dropped."""
    text = ruleset("100.64.0.1", [])
    assert "saddr {" not in text
    assert text.index("established,related accept") < text.index("counter drop")


@pytest.mark.req("R-0-tailnet-filter")
def test_all_ports_need_no_list_and_overlaps_are_joined() -> None:
    """nftables refuses overlapping ranges in one set; every port of a protocol is the protocol."""
    everything = ruleset("100.64.0.1", [{"src": ["100.64.0.2"], "proto": [17], "ports": [[0, 65535]]}])
    joined = ruleset(
        "100.64.0.1", [{"src": ["100.64.0.2"], "proto": [17], "ports": [[5, 9], [1, 6], [10, 10]]}]
    )
    assert "meta l4proto udp accept" in everything
    assert "udp dport { 1-10 } accept" in joined


@pytest.mark.req("R-0-tailnet-names")
@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r"), max_size=200))
def test_the_hosts_block_comes_and_goes_without_a_trace(text: str) -> None:
    """Whatever the file held is there afterwards; putting names in twice is putting them in once."""
    names = [("100.64.0.1", "mailserver.tail1.ts.net mailserver")]
    filled = with_names(text, names)
    assert "100.64.0.1 mailserver.tail1.ts.net mailserver\n" in filled
    assert with_names(filled, names) == filled
    emptied = with_names(filled, [])
    assert emptied == (text if not text or text.endswith("\n") else f"{text}\n")


@pytest.mark.req("R-0-tailnet-wireguard")
def test_peers_come_and_go_one_by_one() -> None:
    """A peer that stays is not touched, so its session goes on; one that goes is removed."""
    assert settings({"AAAA": A}, {"AAAA": A}) == []
    lines = settings({"AAAA": A}, {"BBBB": B})
    assert lines[:2] == ["public_key=000000", "remove=true"]
    assert lines[2:] == [
        "public_key=041041",
        "replace_allowed_ips=true",
        "allowed_ip=100.64.0.3/32",
        "endpoint=198.51.100.3:41641",
        f"persistent_keepalive_interval={KEEPALIVE}",
    ]


@pytest.mark.req("R-0-tailnet-wireguard")
def test_an_endpoint_is_set_only_when_it_moved() -> None:
    """WireGuard follows its peer by itself; only the coordinator's news overrides that."""
    moved = Peer("AAAA", A.address, "198.51.100.9:1")
    assert "endpoint=198.51.100.9:1" in settings({"AAAA": A}, {"AAAA": moved})
    unknown = Peer("AAAA", A.address, "")
    assert [line for line in settings({"AAAA": A}, {"AAAA": unknown}) if line.startswith("endpoint")] == []


@pytest.mark.req("R-0-tailnet-wireguard")
def test_the_public_key_is_wireguards() -> None:
    """RFC 7748's test vector (6.1, Alice's key pair)."""
    private = "dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo="
    assert public_key_of(private) == "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo="
    assert len({new_private_key() for _ in range(3)}) == 3


@pytest.mark.req("R-0-tailnet-wireguard")
def test_traffic_is_read_from_wireguards_answer() -> None:
    """Each peer's lines follow its key."""
    text = "listen_port=1\npublic_key=000000\nendpoint=198.51.100.2:9\nrx_bytes=7\ntx_bytes=8\n"
    text += "last_handshake_time_sec=5\npublic_key=041041\nrx_bytes=0\nerrno=0\n\n"
    found = parse_traffic(text)
    assert (found["AAAA"].endpoint, found["AAAA"].received, found["AAAA"].handshake) == (
        "198.51.100.2:9",
        7,
        5,
    )
    assert found["BBBB"].received == 0


@pytest.mark.req("R-0-tailnet-cert")
@pytest.mark.parametrize(("text", "seconds"), [("720h", 2592000), ("1h30m", 5400), ("0", 0), ("45s", 45)])
def test_durations_are_gos(text: str, seconds: int) -> None:
    """As the real command's flags take them."""
    assert duration(text) == timedelta(seconds=seconds)


@pytest.mark.req("R-0-tailnet-cert")
@pytest.mark.parametrize("text", ["", "720", "30d", "1h x", "-1h"])
def test_other_durations_are_refused(text: str) -> None:
    """Days are no unit of Go's."""
    with pytest.raises(ValueError, match="invalid duration"):
        duration(text)


@pytest.mark.req("R-0-tailnet-settings", "R-0-secrets-hidden")
def test_the_containers_settings_are_read() -> None:
    """The task definition's variables, and containerboot's defaults for the others."""
    found = read_settings(
        {
            "TS_AUTHKEY": "tskey-auth-x-y",
            "TS_EXTRA_ARGS": "--advertise-tags=tag:fargate-mx",
            "TS_ENABLE_HEALTH_CHECK": "true",
            "TS_LOCAL_ADDR_PORT": "127.0.0.1:9002",
            "PATH": "/bin",
        }
    )
    assert (found.extra_args, found.health) == (("--advertise-tags=tag:fargate-mx",), "127.0.0.1:9002")
    assert (found.proxy, found.hostname, found.auth_once) == ("", "", False)
    assert "tskey" not in repr(found)


@pytest.mark.req("R-0-tailnet-settings")
@pytest.mark.parametrize(
    ("env", "reason"),
    [
        ({"TS_USERSPACE": "false"}, "/dev/net/tun does not exist"),
        ({"TS_USERSPACE": "perhaps"}, "neither true nor false"),
        ({"TS_SOCKS5_SERVER": ":1055"}, "does not know TS_SOCKS5_SERVER"),
    ],
)
def test_settings_that_cannot_work_are_refused(env: dict[str, str], reason: str) -> None:
    """Kernel mode as it fails on Fargate; the unknown and the senseless by name."""
    with pytest.raises(SettingsError, match=reason):
        read_settings(env)
