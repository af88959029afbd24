"""The gateway's log as numbers: patterns that AWS takes, and that count what real programs write."""

import json
import re
from functools import cache
from pathlib import Path

import pytest

from fixtures.aws.emulators.localstack.corrections.filter_pattern import compile_pattern
from tests.unit.infra.hcl import Block, everything, resources

LINES = Path(__file__).with_name("gateway_lines.txt")
PATTERN = re.compile(r'(\w+) = ("(?:\\.|[^"\\])*")')


@cache
def patterns() -> dict[str, str]:
    """The deployed filters' patterns by name."""
    [written] = [
        block.attributes["gateway_filters"]
        for block in everything().inner("locals")
        if "gateway_filters" in block.attributes
    ]
    found = {name: json.loads(text) for name, text in PATTERN.findall(written)}
    assert set(found) == {"MailAccepted", "MailPutOff", "TunnelFailed"}
    return found


@cache
def lines() -> dict[str, list[str]]:
    """Lines by the filter that must count them; ``none`` has those that no filter may count."""
    found: dict[str, list[str]] = {}
    heading = ""
    for line in LINES.read_text(encoding="utf-8").splitlines()[1:]:
        if " " in line:
            found[heading].append(line)
        else:
            found[heading := line] = []
    assert all(found.values())
    return found


def metric_filter() -> Block:
    """The one resource that makes them."""
    [found] = resources("aws_cloudwatch_log_metric_filter").values()
    return found


@pytest.mark.req("R-8.1-metric-filters")
@pytest.mark.parametrize("name", ["MailAccepted", "MailPutOff", "TunnelFailed"])
def test_a_filter_counts_its_lines_and_no_other(name: str) -> None:
    """Each line is counted by the filter that it is meant for, and by that one alone (F38)."""
    matches = compile_pattern(patterns()[name])
    counted = {heading: [line for line in found if matches(line)] for heading, found in lines().items()}
    assert counted.pop(name) == lines()[name]
    assert counted == {heading: [] for heading in counted}
    assert counted


@pytest.mark.req("R-8.1-metric-filters")
def test_the_filters_read_the_gateways_log() -> None:
    """Its log group, each filter under its name; a quiet hour is a zero and no gap."""
    found = metric_filter()
    assert found.attributes == {
        "for_each": "local.gateway_filters",
        "name": "each.key",
        "log_group_name": "aws_cloudwatch_log_group.mx.name",
        "pattern": "each.value",
    }
    [made] = found.inner("metric_transformation")
    assert made.attributes == {
        "namespace": '"MailserverGateway"',
        "name": "each.key",
        "value": '"1"',
        "default_value": '"0"',
    }
