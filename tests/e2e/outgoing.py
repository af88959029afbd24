"""What the server's Postfix says of messages that it has taken."""

import re
from datetime import timedelta

from fixtures.targets.sim import Sim
from fixtures.wait import wait_for

_ON_DELL = ("docker", "exec", "mailserver-postfix")


def attempts(world: Sim, queue_id: str, recipient: str) -> list[str]:
    """The status of each attempt for one recipient with the reason, as ``deferred (…)``, oldest first."""
    log = world.dell.run(["docker", "logs", "mailserver-postfix"]).stdout
    return re.findall(rf" {queue_id}: to=<{re.escape(recipient)}>.* status=(.*)", log)


def wait_for_attempts(world: Sim, queue_id: str, recipient: str, number: int) -> list[str]:
    """The attempts, as soon as there are so many."""
    return wait_for(
        f"attempt {number} of message {queue_id}",
        lambda: attempts(world, queue_id, recipient),
        until=lambda found: len(found) >= number,
        timeout=timedelta(seconds=30),
    )


def try_now(world: Sim) -> None:
    """Have the server try everything that waits, now instead of in some minutes."""
    world.dell.run([*_ON_DELL, "postqueue", "-f"])


def waiting(world: Sim) -> str:
    """What waits in the server's queue, as JSON lines."""
    return world.dell.run([*_ON_DELL, "postqueue", "-j"]).stdout


def wait_until_delivered(world: Sim, user: str) -> None:
    """Return when nothing for a user waits in the server's queue: what was taken is in his mailbox."""
    wait_for(
        f"the server's queue to hold nothing for {user}",
        lambda: f'"{user}"' in waiting(world),
        until=lambda held: not held,
        timeout=timedelta(seconds=30),
    )
