"""The deployed policy's own tests notice every change of its rules: each one alone is refused at the save."""

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fixtures.tailnet.hujson import loads
from fixtures.tailnet.policy import PolicyError, parse

pytestmark = pytest.mark.req("R-2.5.3-policy-own-tests")

DEPLOYED = Path(__file__).resolve().parents[3] / "infra/tailscale/policy.hujson"
DOCUMENT: dict[str, Any] = loads(DEPLOYED.read_text(encoding="utf-8"))
NAMED_BY_THE_DESIGN = (22, 25, 80, 443, 587, 993, 995, 2525)
SOURCES = ("*", "tag:fargate-mx", "tag:mailserver", "autogroup:member", "autogroup:tagged")


def perturbed() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every single change of a rule: taken away, narrowed, widened; with a name for it."""
    for index, rule in enumerate(DOCUMENT["acls"]):
        who = rule["src"][0]
        (target,) = rule["dst"]
        host, _, listed = target.rpartition(":")
        ports = listed.split(",")

        def change(index: int = index, **fields: Any) -> dict[str, Any]:
            document = copy.deepcopy(DOCUMENT)
            document["acls"][index].update(fields)
            return document

        without = copy.deepcopy(DOCUMENT)
        del without["acls"][index]
        yield f"{who}: rule removed", without
        for port in ports if len(ports) > 1 else []:
            rest = ",".join(other for other in ports if other != port)
            yield f"{who}: {port} removed", change(dst=[f"{host}:{rest}"])
        for port in sorted({str(port) for port in NAMED_BY_THE_DESIGN} - set(ports)):
            yield f"{who}: {port} added", change(dst=[f"{target},{port}"])
        yield f"{who}: all ports", change(dst=[f"{host}:*"])
        yield (
            f"{who}: a range",
            change(dst=[f"{host}:{min(map(int, ports))}-65535,{listed}", f"{host}:1-443"]),
        )
        yield f"{who}: all machines", change(dst=[f"*:{listed}"])
        yield f"{who}: members' machines", change(dst=[target, f"autogroup:member:{listed}"])
        yield f"{who}: any protocol", change(proto="")
        yield f"{who}: UDP instead", change(proto="udp")
        for source in set(SOURCES) - {who}:
            yield f"{who}: {source} as well", change(src=[who, source])
            yield f"{who}: {source} instead", change(src=[source])


CHANGES = dict(perturbed())


def test_the_policy_itself_passes() -> None:
    """The control: unchanged, and through the same way, it is taken; each rule has its changes."""
    parse(json.dumps(DOCUMENT))
    assert {name.rpartition(":")[0].split(": ")[0] for name in CHANGES} == {
        "tag:fargate-mx",
        "autogroup:member",
    }
    assert len(CHANGES) >= 35


@pytest.mark.parametrize("what", sorted(CHANGES))
def test_any_change_of_a_rule_is_refused(what: str) -> None:
    """By a failing test of the policy's own, not by its form."""
    with pytest.raises(PolicyError) as caught:
        parse(json.dumps(CHANGES[what]))
    assert all(reason.startswith("test(s) failed for user: ") for reason in caught.value.reasons)


@pytest.mark.parametrize("index", range(len(DOCUMENT["tests"])))
def test_no_test_of_the_policy_is_idle(index: int) -> None:
    """Each of its tests is the only one to see some change: without it, that change would be saved."""
    fewer = [test for place, test in enumerate(DOCUMENT["tests"]) if place != index]
    saved = []
    for what, document in CHANGES.items():
        try:
            parse(json.dumps({**document, "tests": fewer}))
        except PolicyError:
            continue
        saved.append(what)
    assert saved
