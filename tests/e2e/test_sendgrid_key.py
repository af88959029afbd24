"""SendGrid's key comes from Secrets Manager and is rotated while users send (design 6.1.3, level 2, F35)."""

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from fixtures.dell.console import Result
from fixtures.dell.layout import KEY_FILE, TARGET
from fixtures.internet.sendgrid.client import key_id
from fixtures.internet.sendgrid.spec import new_api_key
from fixtures.mail.message import make
from fixtures.mail.stream import Stream
from fixtures.targets.sim import Sim
from fixtures.wait import wait_for
from tests.e2e.conftest import Submit
from tests.e2e.home_line import secrets_manager_at_home

FRIEND = "friend@example.net"
SECRET = "mailserver/sendgrid/api-key"
POSTFIX = ["docker", "exec", "mailserver-postfix"]

Fetch = Callable[[], Result]


@pytest.fixture(scope="module")
def home_line(world: Sim) -> Iterator[list[str]]:
    """Secrets Manager where the Dell reaches it, the aws command there, and its settings."""
    with secrets_manager_at_home(world) as settings:
        yield settings


@pytest.fixture
def fetch(world: Sim, home_line: list[str]) -> Iterator[Fetch]:
    """Run the owner's script on the Dell; afterwards the server sends with the key of its .env again."""
    script = [f"{TARGET}/scripts/fetch-sendgrid-key.sh", "--region", world.site.aws.region]
    yield lambda: world.dell.run(["env", *home_line, *script], check=False)
    world.dell.run(["rm", "-f", f"{TARGET}/{KEY_FILE}"])
    for argv in (["smarthost-key"], ["postfix", "reload"], ["postqueue", "-f"]):
        world.dell.run([*POSTFIX, *argv])


@pytest.fixture
def old(world: Sim) -> Iterator[str]:
    """The key that the server has from its .env; good again at the end."""
    key = world.state.sendgrid_key
    yield key
    world.sendgrid.issue(key, "mail.send")


@pytest.fixture
def new(world: Sim) -> Iterator[str]:
    """A second key of the account, in the secret."""
    key = new_api_key()
    world.sendgrid.issue(key, "mail.send")
    _keep(world, key)
    yield key
    world.sendgrid.revoke(key)


def _keep(world: Sim, key: str) -> None:
    """Put a key into the secret, as the owner does."""
    world.aws.client("secretsmanager").put_secret_value(SecretId=SECRET, SecretString=key)


def _logins(world: Sim, key: str) -> int:
    """How many sessions a key has let in."""
    return sum(session.key_id == key_id(key) for session in world.sendgrid.sessions())


@pytest.mark.req("R-6.1.3-rotation")
def test_a_new_key_takes_over_while_users_send(
    world: Sim, submit: Submit, alice: str, fetch: Fetch, old: str, new: str
) -> None:
    """Both are good for a while, then the new one alone; each message arrives once; root alone has it."""
    with Stream(lambda: make(alice, [FRIEND]), lambda m: submit(m, [FRIEND], user=alice)) as stream:
        wait_for("mail by the old key", lambda: _logins(world, old), timeout=timedelta(seconds=20))
        done = fetch()
        assert done.status == 0, done
        wait_for("mail by the new key", lambda: _logins(world, new) >= 2, timeout=timedelta(seconds=20))
        world.sendgrid.revoke(old)
        before = stream.taken
        wait_for("more mail", lambda: stream.taken >= before + 2, timeout=timedelta(seconds=20))
    for marker in stream.attempts:
        world.receiver.wait_for_message(FRIEND, marker)
    assert {len(world.sendgrid.messages(marker)) for marker in stream.attempts} == {1}
    shown = world.dell.run(["stat", "-c", "%a %U", f"{TARGET}/{KEY_FILE}"]).stdout
    inside = world.dell.run([*POSTFIX, "stat", "-c", "%a %U", "/etc/postfix/sasl_passwd"]).stdout
    assert (shown, inside) == ("600 root\n", "600 root\n")
    log = world.dell.run(["docker", "logs", "mailserver-postfix"])
    told = done.stdout + done.stderr + log.stdout + log.stderr
    assert [key for key in (old, new) if key in told] == []
    assert "is in use" in done.stdout


@pytest.mark.req("R-6.1.3-rotation", "R-6.1.3-fetch-key")
def test_a_key_that_sendgrid_refuses_is_not_used(
    world: Sim, submit: Submit, alice: str, fetch: Fetch
) -> None:
    """SendGrid is asked before anything is written; the server sends on with the key that it has."""
    _keep(world, new_api_key())
    before = _logins(world, world.state.sendgrid_key)
    done = fetch()
    assert (done.status, "SendGrid refuses the key" in done.stderr) == (1, True), done
    assert world.dell.run(["test", "-e", f"{TARGET}/{KEY_FILE}"], check=False).status == 1
    message = make(alice, [FRIEND])
    assert submit(message, [FRIEND], user=alice).accepted
    world.receiver.wait_for_message(FRIEND, message.marker)
    assert _logins(world, world.state.sendgrid_key) > before


@pytest.mark.req("R-6.1.3-rotation")
def test_mail_that_waits_for_a_good_key_goes_with_it(
    world: Sim, submit: Submit, alice: str, fetch: Fetch, old: str, new: str
) -> None:
    """The old key was deleted too early: users' mail waits in the queue, and the new key sends it at once."""
    world.sendgrid.revoke(old)
    message = make(alice, [FRIEND])
    outcome = submit(message, [FRIEND], user=alice)
    assert outcome.accepted, outcome

    def put_off() -> bool:
        log = world.dell.run(["docker", "logs", "--since", "1m", "mailserver-postfix"]).stdout
        return any(
            f"{outcome.queue_id}: to=" in line and "status=deferred" in line for line in log.splitlines()
        )

    wait_for("the message to be put off", put_off, timeout=timedelta(seconds=20))
    assert world.sendgrid.messages(message.marker) == []
    done = fetch()
    assert done.status == 0, done
    world.receiver.wait_for_message(FRIEND, message.marker, timeout=timedelta(seconds=20))
