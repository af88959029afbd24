"""What policies mean: general properties, and the deployed one against the design's matrix (2.5.3)."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.tailnet.policy import Machine, Policy, Rule, packet_filter, parse, permitted, sees

DEPLOYED = Path(__file__).resolve().parents[3] / "infra/tailscale/policy.hujson"
TCP, UDP, ICMP = 6, 17, 1
SERVER = Machine("mailserver", ("100.64.0.1",), "tagged-devices", ("tag:mailserver",))
GATEWAY = Machine("gateway", ("100.64.0.2",), "tagged-devices", ("tag:fargate-mx",))
PC = Machine("pc", ("100.64.0.3",), "alice@example.net")
PHONE = Machine("phone", ("100.64.0.4",), "bob@example.net")
ALL = (SERVER, GATEWAY, PC, PHONE)
REACHED = {("gateway", 2525), *((who, port) for who in ("pc", "phone") for port in (443, 587, 993, 995))}


@pytest.fixture(scope="module")
def deployed() -> Policy:
    """The policy that deploys."""
    return parse(DEPLOYED.read_text(encoding="utf-8"))


def opened(policy: Policy, target: Machine, protocol: int = TCP) -> set[tuple[str, int]]:
    """Whoever's packets pass the filter of ``target``, on which ports, for all machines and ports."""
    names = {machine.addresses[0]: machine.name for machine in ALL}
    return {
        (names[source], port)
        for rule in packet_filter(policy, target, ALL)
        if protocol in rule.protocols
        for source in rule.sources
        for ports in rule.ports
        for port in range(ports.first, ports.last + 1)
    }


@pytest.mark.req("R-2.5.3-policy-exact", "R-2.4.2-submission-open")
def test_the_deployed_policy_opens_exactly_the_designs_ports(deployed: Policy) -> None:
    """Gateway to 2525, members to 443, 587, 993, 995, TCP only, and nothing to anybody else."""
    assert opened(deployed, SERVER) == REACHED
    assert opened(deployed, SERVER, UDP) == set()
    for machine in (GATEWAY, PC, PHONE):
        assert packet_filter(deployed, machine, ALL) == ()


@pytest.mark.req("R-2.5.3-policy-own-tests")
def test_the_deployed_policy_tests_what_it_denies(deployed: Policy) -> None:
    """Its own tests cover gateway, member and server, with both answers for the first two."""
    counted = {(test.source, test.protocols): (len(test.accept), len(test.deny)) for test in deployed.tests}
    assert counted == {
        ("tag:fargate-mx", ()): (1, 10),
        ("tag:fargate-mx", (UDP,)): (0, 1),
        ("member@example.net", ()): (4, 7),
        ("member@example.net", (UDP,)): (0, 4),
        ("tag:mailserver", ()): (0, 4),
    }


@pytest.mark.req("R-2.5.3-current-names")
def test_the_deployed_policy_uses_current_names(deployed: Policy) -> None:
    """autogroup:member, not the old plural (F46); tags owned by admins alone."""
    sources = {source for acl in deployed.acls or () for source in acl.sources}
    assert sources == {"tag:fargate-mx", "autogroup:member"}
    assert dict(deployed.tag_owners) == {
        "tag:fargate-mx": ("autogroup:admin",),
        "tag:mailserver": ("autogroup:admin",),
    }


@pytest.mark.req("R-2.5.3-members-apart")
def test_members_do_not_see_each_other_or_the_gateway(deployed: Policy) -> None:
    """Machines without anything to say to each other are not even told of each other."""
    seen = {(a.name, b.name) for a in ALL for b in ALL if a is not b and sees(deployed, a, b)}
    others = {machine.name for machine in ALL} - {"mailserver"}
    assert seen == {("mailserver", name) for name in others} | {(name, "mailserver") for name in others}


def policy_of(acls: Sequence[object], **sections: object) -> Policy:
    """A policy with both tags owned."""
    owners: dict[str, list[str]] = {"tag:mailserver": [], "tag:fargate-mx": []}
    return parse(json.dumps({"tagOwners": owners, "acls": acls, **sections}))


@pytest.mark.req("R-0-policy-evaluator")
def test_a_tag_takes_the_owners_place() -> None:
    """A tagged machine is no member, and no user's, whoever made its key."""
    acl = {"action": "accept", "src": ["autogroup:member", "tagged-devices@x"], "dst": ["*:*"]}
    assert {name for name, _ in opened(policy_of([acl]), SERVER)} == {"pc", "phone"}


@pytest.mark.req("R-0-policy-evaluator")
def test_self_means_ones_own_machines() -> None:
    """autogroup:self covers machines of the same user and no tagged one."""
    policy = policy_of([{"action": "accept", "src": ["autogroup:member"], "dst": ["autogroup:self:22"]}])
    tablet = Machine("tablet", ("100.64.0.5",), "alice@example.net")
    assert permitted(policy, PC, tablet, 22, [TCP])
    assert not permitted(policy, PHONE, tablet, 22, [TCP])
    assert not permitted(policy, PC, SERVER, 22, [TCP])


@pytest.mark.req("R-0-policy-evaluator")
def test_hosts_groups_and_prefixes_select() -> None:
    """Aliases stand for addresses, groups for their users, prefixes for all within."""
    policy = policy_of(
        [{"action": "accept", "src": ["group:staff", "100.64.0.4/31"], "dst": ["server:10-12,20"]}],
        hosts={"server": "100.64.0.1"},
        groups={"group:staff": ["alice@example.net"]},
    )
    assert opened(policy, SERVER) == {(who, port) for who in ("pc", "phone") for port in (10, 11, 12, 20)}


@pytest.mark.req("R-0-policy-evaluator")
def test_no_rules_is_not_the_same_as_no_section() -> None:
    """An empty list denies everything; a policy without the section allows everything."""
    assert packet_filter(policy_of([]), SERVER, ALL) == ()
    everything = packet_filter(parse("{}"), SERVER, ALL)
    assert [rule.sources for rule in everything] == [("100.64.0.2", "100.64.0.3", "100.64.0.4")]


@pytest.mark.req("R-0-policy-evaluator")
def test_without_proto_a_rule_covers_tcp_udp_and_icmp() -> None:
    """The default protocols; with one named, only that one."""
    default = policy_of([{"action": "accept", "src": ["*"], "dst": ["*:53"]}])
    named = policy_of([{"action": "accept", "src": ["*"], "dst": ["*:53"], "proto": "udp"}])
    assert [permitted(default, PC, SERVER, 53, [p]) for p in (TCP, UDP, ICMP, 47)] == [
        True,
        True,
        True,
        False,
    ]
    assert [permitted(named, PC, SERVER, 53, [p]) for p in (TCP, UDP)] == [False, True]


TAGS = ("tag:mailserver", "tag:fargate-mx")
USERS = ("alice@example.net", "bob@example.net")
SELECTORS = st.sampled_from(
    ["*", *TAGS, *USERS, "autogroup:member", "autogroup:tagged", "100.64.0.3", "100.64.0.0/30"]
)
PORTS = st.integers(0, 65535)
ACLS = st.lists(
    st.fixed_dictionaries(
        {
            "action": st.just("accept"),
            "src": st.lists(SELECTORS, min_size=1, max_size=3),
            "dst": st.lists(st.builds("{}:{}".format, SELECTORS, PORTS), min_size=1, max_size=3),
        }
    ),
    max_size=4,
)


def passes(rules: Sequence[Rule], source: Machine, port: int) -> bool:
    """Whether a packet filter lets a TCP connection in; an evaluator independent of the policy's."""
    return any(
        TCP in rule.protocols
        and source.addresses[0] in rule.sources
        and any(ports.first <= port <= ports.last for ports in rule.ports)
        for rule in rules
    )


@pytest.mark.req("R-0-policy-evaluator")
@given(ACLS, st.data())
def test_filters_say_what_the_policy_says(acls: list[dict[str, object]], data: st.DataObject) -> None:
    """For any policy, pair and port: the packet filter passes exactly what the policy permits."""
    policy = policy_of(acls)
    source, target = data.draw(st.permutations(ALL))[:2]
    mentioned = [int(str(to).rsplit(":", 1)[1]) for acl in acls for to in list(acl["dst"])]  # type: ignore[call-overload]
    port = data.draw(st.sampled_from(mentioned) if mentioned else PORTS)
    assert passes(packet_filter(policy, target, ALL), source, port) == permitted(
        policy, source, target, port, [TCP]
    )


@pytest.mark.req("R-0-policy-evaluator")
@given(ACLS, ACLS)
def test_more_rules_never_close_anything(some: list[object], more: list[object]) -> None:
    """There are no deny rules: whatever some rules open stays open with more of them."""
    for target in ALL:
        assert opened(policy_of(some), target) <= opened(policy_of([*some, *more]), target)


@pytest.mark.req("R-0-policy-evaluator")
@given(ACLS)
def test_nobody_is_let_in_whom_one_does_not_see(acls: list[object]) -> None:
    """Whoever stands in a machine's filter is one of those it is told of."""
    policy = policy_of(acls)
    for target in ALL:
        for name, _ in opened(policy, target):
            assert sees(policy, target, next(machine for machine in ALL if machine.name == name))
