"""The load balancer's judgement: health, who is served, and the rules on the gateway."""

from typing import Any

import pytest

from fixtures.aws.fargate.balance import Forward, Health, Leg, preserves, reachable, ruleset, serving

pytestmark = pytest.mark.req("R-0-fargate-balancer")

LEG = Leg("198.19.0.5", "10.0.1.200", "10.0.1.0/24")
NEAR, FAR = ("10.0.1.7", 25), ("10.0.2.9", 25)


@pytest.mark.parametrize(
    ("checks", "state"),
    [
        ("", "initial"),
        ("+", "initial"),
        ("++", "healthy"),
        ("+-+", "initial"),
        ("--", "unhealthy"),
        ("++-", "healthy"),
        ("++--", "unhealthy"),
        ("++--+", "unhealthy"),
        ("++--++", "healthy"),
    ],
)
def test_a_target_changes_its_state_after_so_many_checks(checks: str, state: str) -> None:
    """Thresholds count checks in a row, either way."""
    health = Health(2, 2)
    for check in checks:
        health.checked(check == "+")
    assert health.state == state


@pytest.mark.parametrize(
    ("states", "served"),
    [
        ({}, ()),
        ({NEAR: "healthy", FAR: "unhealthy"}, (NEAR,)),
        ({NEAR: "initial", FAR: "healthy"}, (FAR,)),
        ({NEAR: "initial", FAR: "unhealthy"}, (NEAR, FAR)),
        ({NEAR: "draining", FAR: "unhealthy"}, (FAR,)),
    ],
)
def test_who_gets_new_connections(states: dict[Any, str], served: tuple[Any, ...]) -> None:
    """Healthy targets; all that are registered when none is; never one that is on its way out."""
    assert serving(states) == served


def test_a_leg_sends_to_its_own_zone_unless_told_otherwise() -> None:
    """Cross-zone balancing is off by default for a network load balancer."""
    assert reachable([NEAR, FAR], LEG, cross_zone=False) == (NEAR,)
    assert reachable([NEAR, FAR], LEG, cross_zone=True) == (NEAR, FAR)


@pytest.mark.parametrize(
    ("attributes", "kept"),
    [
        ({}, False),
        ({"preserve_client_ip.enabled": "false"}, False),
        ({"preserve_client_ip.enabled": "true"}, True),
        ({"preserve_client_ip.enabled": True}, True),
    ],
)
def test_the_clients_address_is_hidden_unless_asked_for(attributes: dict[str, Any], kept: bool) -> None:
    """AWS's default for targets by address (F02)."""
    assert preserves(attributes) is kept


def test_the_rules_lead_the_listeners_port_to_the_target() -> None:
    """With preservation only the destination changes; without it the source becomes the leg's own address."""
    kept = ruleset([Forward(LEG, 25, (NEAR,), preserve=True)])
    hidden = ruleset([Forward(LEG, 25, (NEAR,), preserve=False)])
    inwards = "ip daddr 198.19.0.5 tcp dport 25 dnat to 10.0.1.7:25"
    assert inwards in kept
    assert inwards in hidden
    assert "snat" not in kept
    assert (
        "meta l4proto tcp ct original ip daddr 198.19.0.5 ct original proto-dst 25 snat to 10.0.1.200"
        in hidden
    )


def test_connections_are_spread_and_none_is_without_a_target() -> None:
    """One rule a target, each with its own part of the hash; without targets nothing is forwarded."""
    both = ruleset([Forward(LEG, 25, (NEAR, FAR), preserve=True)])
    assert "jhash ip saddr . tcp sport mod 2 0 dnat to 10.0.1.7:25" in both
    assert "jhash ip saddr . tcp sport mod 2 1 dnat to 10.0.2.9:25" in both
    assert "nat to" not in ruleset([Forward(LEG, 25, (), preserve=False)])
