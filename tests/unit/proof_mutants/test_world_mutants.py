"""The mutants of the running world are ones that can be deployed, and deploying knows when it has failed."""

import ast
import json
import re
import shutil
from functools import cache
from pathlib import Path
from typing import Any, cast

import pytest
import yaml

from fixtures.aws.fargate.refuse import check_task_definition
from fixtures.progress import Progress
from fixtures.proof.mutants.entry import Mutant, load_mutants
from fixtures.proof.mutants.world import Redeployer, gateway_images, given_up
from fixtures.tailnet.policy import Machine, Policy, packet_filter, parse
from fixtures.targets.sim import Sim
from fixtures.world.images import ROOT, catalogue

DEPLOYED = [
    mutant
    for mutant in load_mutants(ROOT / "tests/meta/mutants")
    if mutant.component in {"server", "gateway", "aws", "policy"}
]
SERVER = Machine("mailserver", ("100.64.0.1",), "tagged-devices", ("tag:mailserver",))
GATEWAY = Machine("gateway", ("100.64.0.2",), "tagged-devices", ("tag:fargate-mx",))
MEMBER = Machine("pc", ("100.64.0.3",), "owner@example.net")
OLD_SERVER = Machine("old-server", ("100.64.0.4",), "tagged-devices", ("tag:mailserver",))

pytestmark = pytest.mark.req("R-0-world-mutants-deployable")


def named(mutants: list[Mutant]) -> list[Any]:
    """Parameters under the mutants' names."""
    return [pytest.param(mutant, id=mutant.name) for mutant in mutants]


def changed(mutant: Mutant, folder: Path) -> str:
    """The mutant's file with its change, below a folder of its own."""
    path = folder / mutant.file
    path.parent.mkdir(parents=True)
    shutil.copy2(ROOT / mutant.file, path)
    mutant.apply(folder)
    return path.read_text(encoding="utf-8")


@cache
def functions(path: str) -> frozenset[str]:
    """Names of a module's test functions."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef))


def test_every_component_has_its_mutants() -> None:
    """Thirty at least, told from those tried in copies by name; each way into the running world is used."""
    assert len(DEPLOYED) >= 30
    assert [mutant.name for mutant in DEPLOYED if not mutant.name.startswith("world-")] == []
    assert {mutant.component for mutant in DEPLOYED} == {"server", "gateway", "aws", "policy"}


@pytest.mark.parametrize("mutant", named(DEPLOYED))
def test_it_changes_its_file_and_names_specs_that_exist(mutant: Mutant, tmp_path: Path) -> None:
    """A deployable file, text that occurs once there, and end-to-end specs by their right names."""
    assert changed(mutant, tmp_path) != (ROOT / mutant.file).read_text(encoding="utf-8")
    folder = {"server": "compose/", "gateway": "compose/images/postfix/", "aws": "infra/"}
    assert mutant.file.startswith(folder.get(mutant.component, "infra/tailscale/"))
    for spec in mutant.specs:
        path, _, name = spec.partition("::")
        assert path.startswith("tests/e2e/")
        assert name.partition("[")[0] in functions(path)


@pytest.mark.parametrize("mutant", named([m for m in DEPLOYED if m.file.endswith(".yml")]))
def test_compose_can_read_it(mutant: Mutant, tmp_path: Path) -> None:
    """Still nine services: what is broken is a promise, not the file."""
    assert len(yaml.safe_load(changed(mutant, tmp_path))["services"]) == 9


@pytest.mark.parametrize("mutant", named([m for m in DEPLOYED if "task-definitions" in m.file]))
def test_ecs_would_register_it(mutant: Mutant, tmp_path: Path) -> None:
    """Fargate refuses none of them at registration, so the specs have to see them."""
    values = {"cpu": "256", "memory": "512", "auth_key_arn": "arn:aws:secretsmanager:r:0:secret:key-AbCdEf"}
    hole = re.compile(r"\$\{jsonencode\((\"\$\{server_name\}:2525\"|[^()]+)\)\}")
    text = hole.sub(lambda found: json.dumps(values.get(found[1], "value")), changed(mutant, tmp_path))
    check_task_definition(json.loads(text))


def _opened(policy: Policy, target: Machine) -> set[tuple[str, int]]:
    """Whose packets the filter of ``target`` lets in, to which of the ports that matter."""
    machines = (SERVER, GATEWAY, MEMBER, OLD_SERVER)
    return {
        (source.name, port)
        for rule in packet_filter(policy, target, machines)
        for source in machines
        if source.addresses[0] in rule.sources
        for port in (22, 443, 587, 993, 995, 2525)
        if any(port in ports for ports in rule.ports)
    }


MEMBERS = {("pc", port) for port in (443, 587, 993, 995)}
UNCHANGED = MEMBERS | {("gateway", 2525)}
OPENED = {
    "world-members-reach-the-inbound-port": UNCHANGED | {("pc", 2525), ("old-server", 2525)},
    "world-members-reach-ssh": UNCHANGED | {("pc", 22)},
    "world-gateway-reaches-mailboxes": UNCHANGED | {("gateway", 993)},
    "world-one-member-instead-of-all": UNCHANGED - MEMBERS,
    "world-servers-reach-each-other": UNCHANGED | {("old-server", port) for _, port in MEMBERS},
    "world-every-machine-reaches-mailboxes": UNCHANGED
    | {(name, port) for name in ("gateway", "old-server") for _, port in MEMBERS},
}


@pytest.mark.parametrize("mutant", named([m for m in DEPLOYED if m.component == "policy"]))
def test_the_policys_own_tests_miss_it(mutant: Mutant, tmp_path: Path) -> None:
    """The coordinator takes it, and the server's filter is then another one: only packets show it."""
    assert _opened(parse((ROOT / mutant.file).read_text(encoding="utf-8")), SERVER) == UNCHANGED
    assert _opened(parse(changed(mutant, tmp_path)), SERVER) == OPENED[mutant.name]


@pytest.mark.req("R-0-world-mutants-in-force")
def test_unchanged_gateway_images_are_the_worlds_own() -> None:
    """Putting the original back builds nothing."""
    tags = {name: image.tag for name, image in gateway_images(ROOT).items()}
    assert tags == {name: catalogue()[name].tag for name in ("postfix", "tunnel")}


@pytest.mark.req("R-0-world-mutants-in-force")
def test_a_changed_file_gives_another_image_on_the_same_base(tmp_path: Path) -> None:
    """The changed image alone has a new tag."""
    shutil.copytree(ROOT / "compose/images", tmp_path / "compose/images")
    with (tmp_path / "compose/images/postfix/gateway/main.cf").open("a") as stream:
        stream.write("hopcount_limit = 5\n")
    images = gateway_images(tmp_path)
    assert images["postfix"].tag != catalogue()["postfix"].tag
    assert images["postfix"].parents == catalogue()["postfix"].parents
    assert images["tunnel"].tag == catalogue()["tunnel"].tag


@pytest.mark.req("R-0-world-mutants-in-force")
@pytest.mark.parametrize(
    ("service", "reason"),
    [
        ({"taskDefinition": "mx:2", "deployments": [{"rolloutState": "IN_PROGRESS"}]}, None),
        ({"taskDefinition": "mx:2", "deployments": []}, None),
        ({"taskDefinition": "mx:1", "deployments": [{"rolloutState": "COMPLETED"}]}, "gone back to mx:1"),
        (
            {
                "taskDefinition": "mx:2",
                "deployments": [{"rolloutState": "FAILED", "rolloutStateReason": "tasks failed to start"}],
            },
            "tasks failed to start",
        ),
    ],
)
def test_a_deployment_that_ecs_gave_up_is_noticed(service: dict[str, Any], reason: str | None) -> None:
    """Going back to the revision before must not look like success: its specs would be green."""
    found = given_up("mx:2", service)
    assert found is None if reason is None else reason in str(found)


@pytest.mark.req("R-0-world-mutants-in-force")
def test_an_unknown_component_is_named() -> None:
    """With the ones that there are."""
    redeployer = Redeployer(cast(Sim, None), Progress())
    with pytest.raises(LookupError, match="no component 'copy' of the world; there are server, gateway"):
        redeployer.component("copy")
