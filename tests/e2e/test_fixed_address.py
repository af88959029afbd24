"""The fixed address: the load balancer of infra/terraform/nlb.tf, put before the running gateway for a while.

Terraform makes the balancer alone (``-target``), and its one target is the task that runs: ECS would replace
the task for it, which says nothing about the balancer and takes a minute. That ECS registers what it starts
is shown with a smaller world, in tests/integration/aws.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from fixtures import plan
from fixtures.mail.headers import parse, trace
from fixtures.mail.message import make
from fixtures.probe.reach import Answer, probe_many
from fixtures.progress import Progress
from fixtures.targets.sim import Sim
from fixtures.wait import wait_for
from fixtures.world import cloud
from fixtures.world.state import RUN_DIR
from tests.e2e.conftest import STRANGER, Deliver

BALANCER = ["aws_lb_listener.smtp", "aws_lb.mx", "aws_lb_target_group.smtp", "aws_eip.mx"]


@dataclass(frozen=True)
class FixedAddress:
    """The balancer's public and private addresses, one a zone, and its target group."""

    public: list[str]
    private: list[str]
    group: str


def _apply(world: Sim, ingress: str) -> None:
    cloud.apply(world.site, world.aws, RUN_DIR, Progress(), ingress=ingress, targets=BALANCER)


@pytest.fixture(scope="module")
def fixed(world: Sim) -> Iterator[FixedAddress]:
    """The balancer with the running task behind it; gone afterwards."""
    elb, ec2 = world.aws.client("elbv2"), world.aws.client("ec2")
    target = [{"Id": world.gateway.private_address(), "Port": 25}]
    try:
        _apply(world, "eip")
        [group] = elb.describe_target_groups()["TargetGroups"]
        arn = group["TargetGroupArn"]
        elb.register_targets(TargetGroupArn=arn, Targets=target)

        def states() -> list[str]:
            found = elb.describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"]
            return [item["TargetHealth"]["State"] for item in found]

        wait_for("a healthy target", states, until=lambda s: s == ["healthy"], timeout=timedelta(seconds=30))
        [balancer] = elb.describe_load_balancers()["LoadBalancers"]
        legs = [leg for zone in balancer["AvailabilityZones"] for leg in zone["LoadBalancerAddresses"]]
        found = ec2.describe_addresses(AllocationIds=[leg["AllocationId"] for leg in legs])["Addresses"]
        yield FixedAddress(
            [item["PublicIp"] for item in found], [item["PrivateIpAddress"] for item in found], arn
        )
    finally:
        _apply(world, world.site.aws.ingress)


def _client_of(world: Sim, deliver: Deliver, alice: str, host: str, place: str) -> Any:
    """Deliver to an address; what the reader sees: the first hop's client and the filter's results."""
    message = make(STRANGER, [alice])
    outcome = deliver(world.vantage(place), host, 25, message, STRANGER, [alice], helo="mail.example.org")
    assert outcome.accepted, outcome
    read = parse(world.mailbox("imap", alice).wait_for(message.marker))
    return trace(read.as_bytes())[-1].client, str(read["Authentication-Results"])


@pytest.mark.req("R-2.2.2-eip-serves")
def test_mail_arrives_at_both_addresses_with_its_true_client(
    world: Sim, fixed: FixedAddress, deliver: Deliver, alice: str
) -> None:
    """Either zone's Elastic IP leads to the one task, and Rspamd judges the Internet host (F01, F02)."""
    assert len(fixed.public) == 2
    places = (("internet-host", plan.INTERNET_HOST), ("internet-host-2", plan.SECOND_INTERNET_HOST))
    for address, (place, client) in zip(fixed.public, places, strict=True):
        seen, results = _client_of(world, deliver, alice, address, place)
        assert seen == client
        assert client in results


@pytest.mark.req("R-2.2.2-eip-serves", "R-6.3.1-only-25-inwards")
def test_the_fixed_address_answers_on_25_alone(world: Sim, fixed: FixedAddress) -> None:
    """One listener: nothing else of the task is reachable through the balancer."""
    ports = (22, 25, 80, 443, 587, 1055, 2525, 9002, 10025)
    answers = probe_many(world.vantage("internet-host"), [(fixed.public[0], port) for port in ports])
    expected = {port: Answer.OPEN if port == 25 else Answer.FILTERED for port in ports}
    assert {port: answer for (_, port), answer in answers.items()} == expected


@contextmanager
def _hidden_clients(world: Sim, fixed: FixedAddress, client: Callable[[], str]) -> Iterator[None]:
    """The target group as AWS makes it, without the client's address; ``client`` is the one seen now."""
    elb = world.aws.client("elbv2")

    def preserve(value: str) -> None:
        attributes = [{"Key": "preserve_client_ip.enabled", "Value": value}]
        elb.modify_target_group_attributes(TargetGroupArn=fixed.group, Attributes=attributes)
        hidden = value == "false"
        wait_for(
            f"preserve_client_ip.enabled = {value} to take effect",
            client,
            until=lambda seen: (seen in fixed.private) == hidden,
            timeout=timedelta(seconds=20),
        )

    try:
        preserve("false")
        yield
    finally:
        preserve("true")


@pytest.mark.req("R-2.2.2-hidden-client-no-relay")
def test_a_hidden_client_is_no_member_of_the_family(
    world: Sim, fixed: FixedAddress, deliver: Deliver, alice: str
) -> None:
    """Without preservation every sender is the balancer's private address; it may not relay (F02, D5)."""
    host = world.vantage("internet-host")
    foreign = "somebody@example.com"

    def client() -> str:
        return str(_client_of(world, deliver, alice, fixed.public[0], "internet-host")[0])

    with _hidden_clients(world, fixed, client):
        message = make(STRANGER, [foreign])
        outcome = deliver(host, fixed.public[0], 25, message, alice, [foreign], helo="mail.example.org")
    assert not outcome.accepted
    assert outcome.code == 554, outcome
