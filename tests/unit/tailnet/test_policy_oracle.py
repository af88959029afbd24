"""Two readings of the policy language, written apart, give the same answers for random tailnets."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import permutations
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings

from fixtures.tailnet.hujson import loads
from fixtures.tailnet.policy import Machine, Rule, packet_filter, parse, permitted, sees
from tests.unit.tailnet.oracle import ICMP, Device, admits, selects, shows, sources
from tests.unit.tailnet.policies import Question, Tailnet, tailnets

pytestmark = pytest.mark.req("R-0-policy-oracle")

DEPLOYED = Path(__file__).resolve().parents[3] / "infra/tailscale/policy.hujson"
TCP, UDP = 6, 17
# A failure names the question asked: the minutes that shrinking a whole policy takes would tell little more.
# A machine that is busy with other things is not the strategy's fault.
MANY = settings(
    max_examples=120,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow],
)


RARE = Tailnet(
    {
        "tagOwners": {"tag:printer": []},
        "acls": [{"action": "accept", "src": ["autogroup:member"], "dst": ["autogroup:self:22"]}],
    },
    (
        Device("100.64.0.1", "alice@example.net"),
        Device("100.64.0.2", "alice@example.net"),
        Device("100.64.0.3", "alice@example.net", frozenset({"tag:printer"})),
        Device("100.64.0.4", "bob@example.net"),
    ),
    (22, 23),
)
"""One's own machines beside a tagged one that oneself has made."""


def machine(device: Device) -> Machine:
    """A device as the evaluator knows it."""
    return Machine(device.address, (device.address,), device.user or None, tuple(sorted(device.tags)))


def lets_in(filter_: Sequence[Rule], asked: Question) -> bool:
    """Whether a compiled packet filter passes the packet; ICMP passes from whoever stands in it."""
    return any(
        asked.source.address in rule.sources
        and (
            asked.protocol == ICMP
            or (asked.protocol in rule.protocols and any(asked.port in ports for ports in rule.ports))
        )
        for rule in filter_
    )


def oracle(tailnet: Tailnet, asked: Question) -> bool:
    """The oracle's answer."""
    return admits(tailnet.document, asked.source, asked.target, asked.protocol, asked.port)


@MANY
@example(RARE)
@given(tailnets())
def test_the_evaluator_agrees_with_the_oracle(tailnet: Tailnet) -> None:
    """For any policy, pair of machines, protocol and port."""
    policy = parse(json.dumps(tailnet.document))
    for asked in tailnet.questions():
        source, target = machine(asked.source), machine(asked.target)
        assert permitted(policy, source, target, asked.port, [asked.protocol]) == oracle(tailnet, asked), (
            asked
        )


@MANY
@example(RARE)
@given(tailnets())
def test_the_packet_filter_agrees_with_the_oracle(tailnet: Tailnet) -> None:
    """What is sent to a target's filter lets in the packets that the oracle does, and no other."""
    policy = parse(json.dumps(tailnet.document))
    machines = [machine(device) for device in tailnet.devices]
    filters = {device: packet_filter(policy, machine(device), machines) for device in tailnet.devices}
    for asked in tailnet.questions():
        assert lets_in(filters[asked.target], asked) == oracle(tailnet, asked), asked


@MANY
@example(RARE)
@given(tailnets())
def test_machines_are_told_of_whom_the_oracle_shows(tailnet: Tailnet) -> None:
    """Two machines know of each other exactly when the oracle lets anything pass between them."""
    policy = parse(json.dumps(tailnet.document))
    for one, other in permutations(tailnet.devices, 2):
        assert sees(policy, machine(one), machine(other)) == shows(tailnet.document, one, other)


def test_the_random_questions_are_answered_both_ways() -> None:
    """Neither answer is rare, and every kind of source selector lets somebody in."""
    answers: Counter[bool] = Counter()
    kinds: Counter[str] = Counter()

    @settings(MANY, max_examples=150, derandomize=True, database=None)
    @given(tailnets())
    def ask(tailnet: Tailnet) -> None:
        for asked in tailnet.questions():
            answers[oracle(tailnet, asked)] += 1
            for rule in tailnet.document.get("acls", ()):
                if oracle(replace(tailnet, document={**tailnet.document, "acls": [rule]}), asked):
                    found = {
                        kind(who) for who in sources(rule) if selects(tailnet.document, who, asked.source)
                    }
                    kinds.update(found)

    ask()
    assert min(answers.values()) >= sum(answers.values()) / 8, answers
    assert set(kinds) == KINDS
    assert min(kinds.values()) >= 10, kinds


KINDS = {"*", "user", "group", "tag", "host", "address", "prefix", "autogroup:member", "autogroup:tagged"}


def kind(selector: str) -> str:
    """What sort of selector it is."""
    if selector == "*" or selector.startswith("autogroup:"):
        return selector
    if "@" in selector:
        return "user"
    if selector[0].isdigit():
        return "prefix" if "/" in selector else "address"
    return selector.partition(":")[0] if ":" in selector else "host"


SERVER = Device("100.64.0.1", tags=frozenset({"tag:mailserver"}))
GATEWAY = Device("100.64.0.2", tags=frozenset({"tag:fargate-mx"}))
PC = Device("100.64.0.3", "alice@example.net")
PHONE = Device("100.64.0.4", "bob@example.net")
OTHER_TAG = Device("100.64.0.5", tags=frozenset({"tag:other"}))


@pytest.mark.req("R-2.5.3-policy-exact")
def test_the_oracle_reads_the_deployed_policy_as_the_design_has_it() -> None:
    """A second reading, too: gateway to 2525, people to the server's four ports, nobody else (2.5.3)."""
    document = loads(DEPLOYED.read_text(encoding="utf-8"))
    devices = {"server": SERVER, "gateway": GATEWAY, "pc": PC, "phone": PHONE, "other": OTHER_TAG}
    probed = (*range(1, 3000), 3306, 8080, 41641, 65535)
    reached = {
        (one, other, protocol, port)
        for one, source in devices.items()
        for other, target in devices.items()
        for protocol in (TCP, UDP)
        for port in probed
        if source is not target and admits(document, source, target, protocol, port)
    }
    people = {(who, "server", TCP, port) for who in ("pc", "phone") for port in (443, 587, 993, 995)}
    assert reached == {("gateway", "server", TCP, 2525), *people}
