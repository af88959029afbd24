"""Mail while the gateway's task is replaced: with a new key, with a useless one, and by sudden death."""

import subprocess
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from fixtures.mail.mailbox import ImapMailbox
from fixtures.mail.message import make, sized
from fixtures.mail.outcome import Verdict
from fixtures.mail.stream import Stream
from fixtures.tailnet.coordinator import key_id
from fixtures.targets.sim import Sim
from fixtures.wait import wait_for
from fixtures.world.images import ROOT
from tests.e2e.conftest import STRANGER, Arrive

SCRIPT = ROOT / "infra/scripts/rotate-tailscale-key.sh"
TAG = "tag:fargate-mx"

Rotate = Callable[[str], "subprocess.CompletedProcess[str]"]


@pytest.fixture
def rotate(world: Sim) -> Rotate:
    """Run the owner's script with a key on its standard input."""
    environment = world.aws.cli_environment()
    environment["PATH"] = f"{ROOT / '.mailproof/venv/bin'}:{environment['PATH']}"

    def act(key: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            ["bash", str(SCRIPT), "--timeout", "150"],
            env=environment, input=f"{key}\n", capture_output=True, text=True, check=False, timeout=200,
        )  # fmt: skip

    return act


def gateway_keys(world: Sim) -> set[str]:
    """Ids of the keys of the gateway's machines that are online; a killed one is listed for a while."""
    nodes = world.controlplane.nodes().values()
    return {node.auth_key for node in nodes if TAG in node.tags and node.online}


def copies(world: Sim, user: str, markers: list[str]) -> Counter[str]:
    """How often each message lies in a user's inbox, in one session."""
    mailbox = world.mailbox("imap", user)
    assert isinstance(mailbox, ImapMailbox)
    with mailbox.session() as client:
        client.select_folder("INBOX", readonly=True)
        return Counter({marker: len(client.search(["TEXT", marker])) for marker in markers})


def secret(world: Sim) -> str:
    """The auth key that the next task would get."""
    asked = world.aws.client("secretsmanager").get_secret_value(
        SecretId=world.state.outputs["auth_key_secret_arn"]
    )
    return str(asked["SecretString"])


@pytest.mark.req("R-2.5.4-gateway-key-rotation")
def test_a_new_key_takes_over_while_mail_comes_in(
    world: Sim, arrive: Arrive, alice: str, rotate: Rotate
) -> None:
    """The new task joins with the new key, the old one is revoked, and no message is lost (F28)."""
    old, former = world.gateway.healthy(), gateway_keys(world)
    key = world.controlplane.create_key(tags=[TAG], reusable=True, ephemeral=True)
    with Stream(lambda: make(STRANGER, [alice]), lambda message: arrive(message, [alice])) as stream:
        done = rotate(key)
        assert done.returncode == 0, done
        new = world.gateway.healthy(other_than=old.arn)
        wait_for(
            "the old task's machine to leave the tailnet",
            lambda: gateway_keys(world),
            until=lambda keys: keys == {key_id(key)},
            timeout=timedelta(seconds=30),
        )
        for name in former:
            world.controlplane.revoke_key(name)
        before = stream.taken
        wait_for(
            "mail by the new key alone", lambda: stream.taken >= before + 2, timeout=timedelta(seconds=30)
        )
    assert world.gateway.healthy() == new
    assert secret(world) == key
    assert key not in done.stdout + done.stderr
    assert len(stream.attempts) > 10
    unknown = {
        marker: sum(made.verdict is Verdict.UNKNOWN for made in attempts)
        for marker, attempts in stream.attempts.items()
    }
    found = copies(world, alice, list(stream.attempts))
    assert {m: n for m, n in found.items() if not 1 <= n <= 1 + unknown[m]} == {}, unknown


@pytest.mark.req("R-2.5.4-useless-key-put-back")
def test_a_key_that_lets_nobody_in_is_put_back(
    world: Sim, arrive: Arrive, alice: str, rotate: Rotate
) -> None:
    """The script says so, the old key is in the secret again, and the old task has served all along (F28)."""
    old, before = world.gateway.healthy(), secret(world)
    expired = world.controlplane.create_key(tags=[TAG], reusable=True, ephemeral=True, lifetime=timedelta(0))
    done = rotate(expired)
    assert (done.returncode, secret(world)) == (1, before), done
    assert "no task became healthy with the new key. The old key is in the secret again" in done.stderr
    message = make(STRANGER, [alice])
    assert arrive(message, [alice]).accepted
    world.mailbox("imap", alice).wait_for(message.marker)
    assert world.gateway.healthy() == old
    said = world.aws.client("logs").filter_log_events(
        logGroupName=world.state.outputs["log_group"], filterPattern=f'"{key_id(expired)}"'
    )["events"]
    assert [event for event in said if f"API key {key_id(expired)} not valid" in event["message"]]
    wait_for("the service to be steady", world.gateway.settled, timeout=timedelta(seconds=30))


@pytest.mark.req("R-1.1-every-250-survives")
def test_what_got_250_is_there_although_the_task_dies_at_once(world: Sim, arrive: Arrive, alice: str) -> None:
    """All three containers are killed right after the last reply; every message is there once (F11).

    The messages are large, so that a gateway which takes them into a queue of its own would still hold some.
    """
    task = world.gateway.healthy()
    containers = [world.gateway.container(name, task) for name in ("postfix", "tunnel", "tailscale")]
    messages = [sized(STRANGER, [alice], 1_000_000) for _ in range(3)]
    with ThreadPoolExecutor(len(messages)) as pool:
        outcomes = list(pool.map(lambda message: arrive(message, [alice]), messages))
        list(pool.map(lambda container: container.kill(), containers))
    world.gateway.healthy(timedelta(seconds=150), other_than=task.arn)
    assert [outcome.accepted for outcome in outcomes] == [True] * 3, outcomes
    gone = world.aws.client("ecs").describe_tasks(cluster=world.state.outputs["cluster"], tasks=[task.arn])
    assert {c["name"]: c["exitCode"] for c in gone["tasks"][0]["containers"]}["postfix"] == 137
    assert set(copies(world, alice, [message.marker for message in messages]).values()) == {1}
