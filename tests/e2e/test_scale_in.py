"""Fewer tasks than before: the one that has to go ends its sessions first (design 3.3, F15)."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import timedelta
from typing import Any

import pytest

from fixtures.mail.message import Message, make
from fixtures.mail.outcome import Outcome, Reply
from fixtures.probe.lines import Lines, Spot, smtp
from fixtures.targets.gateway import Task
from fixtures.targets.sim import Sim
from fixtures.wait import wait_for
from tests.e2e import odd_senders
from tests.e2e.conftest import STRANGER
from tests.e2e.outgoing import wait_until_delivered
from tests.e2e.reading import arrivals, copies

Scale = Callable[[int], None]


@pytest.fixture
def scale(world: Sim) -> Iterator[Scale]:
    """Set how many tasks the service wants, as auto scaling does; afterwards it is one again."""
    names = {"cluster": world.state.outputs["cluster"], "service": world.state.outputs["service"]}
    ecs = world.aws.client("ecs")

    def act(count: int) -> None:
        ecs.update_service(**names, desiredCount=count)

    yield act
    act(1)
    wait_for("the service to be steady", world.gateway.settled, timeout=timedelta(seconds=120))


def two_healthy(world: Sim) -> list[Task]:
    """Both tasks, once they run and are healthy."""

    def good() -> list[Task]:
        return [t for t in world.gateway.tasks() if (t.status, t.health) == ("RUNNING", "HEALTHY")]

    timeout = timedelta(seconds=150)
    return wait_for("two healthy tasks", good, until=lambda tasks: len(tasks) == 2, timeout=timeout)


def described(world: Sim, task: Task) -> dict[str, Any]:
    """What ECS says of a task, also of one that has stopped."""
    ecs, cluster = world.aws.client("ecs"), world.state.outputs["cluster"]
    found: dict[str, Any] = ecs.describe_tasks(cluster=cluster, tasks=[task.arn])["tasks"][0]
    return found


def finish(world: Sim, lines: Lines, message: Message, user: str) -> Outcome:
    """Send the second half of a text whose first half the server has, and hear what becomes of it."""

    def act() -> Outcome:
        lines.send(message.content[len(message.content) // 2 :] + b".\r\n")
        reply = lines.reply()
        return Outcome(reply.verdict, "data", reply)

    return world.ledger.hand_over(message, STRANGER, [user], act)


def first_reply(spot: Spot) -> Reply:
    """How a server greets a newcomer."""
    with Lines(spot, 25) as lines:
        return lines.reply()


@pytest.mark.req("R-3.3-scale-in-loses-nothing", "R-1.2.2-stopped-in-order")
def test_a_task_that_is_scaled_in_ends_its_sessions(world: Sim, alice: str, scale: Scale) -> None:
    """In the middle of a text at either task one of them is told to go: both texts are taken, once."""
    scale(2)
    tasks = two_healthy(world)
    host = world.vantage("internet-host")
    spots = [Spot(host, world.gateway.public_address(task), world.ssl_context) for task in tasks]
    messages = [make(STRANGER, [alice]) for _ in tasks]
    with ExitStack() as open_sessions:
        sessions = [open_sessions.enter_context(smtp(spot, 25)) for spot in spots]
        for lines, message in zip(sessions, messages, strict=True):
            odd_senders.begin(lines, alice)
            lines.send(message.content[: len(message.content) // 2])
        scale(1)
        [gone] = wait_for(
            "one of the tasks to be told to stop",
            lambda: [task for task in tasks if described(world, task)["lastStatus"] == "STOPPING"],
            until=bool,
            timeout=timedelta(seconds=60),
        )
        leaving = spots[tasks.index(gone)]
        wait_for(
            "newcomers to be put off there",
            lambda: first_reply(leaving).code,
            until=lambda code: code in (421, 450),
            timeout=timedelta(seconds=15),
        )
        with ThreadPoolExecutor(len(tasks)) as pool:
            ends = [pool.submit(finish, world, *pair, alice) for pair in zip(sessions, messages, strict=True)]
        outcomes = [end.result() for end in ends]
    assert [outcome.code for outcome in outcomes] == [250, 250], outcomes
    wait_for(
        "the task to have stopped",
        lambda: described(world, gone)["lastStatus"],
        until=lambda status: status == "STOPPED",
        timeout=timedelta(seconds=60),
    )
    ended = {container["name"]: container["exitCode"] for container in described(world, gone)["containers"]}
    assert ended["postfix"] == 0, ended
    arrivals(world, alice, [message.marker for message in messages])
    wait_until_delivered(world, alice)
    found = copies(world, alice, [message.marker for message in messages])
    assert [len(found[message.marker]) for message in messages] == [1, 1]
