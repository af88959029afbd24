"""No secret of the world is found by its value where it may not be (design 6.1.2, F83)."""

import secrets as random
from collections.abc import Iterator
from pathlib import Path

import pytest

from fixtures.dell.environment import generate
from fixtures.dell.layout import KEY_FILE, TARGET
from fixtures.internet.sendgrid.spec import new_api_key
from fixtures.probe.leaks import leaks
from fixtures.targets.sim import Sim
from tests.e2e.boxes import newcomer, script
from tests.e2e.home_line import secrets_manager_at_home
from tests.e2e.where_secrets_leak import (
    command_lines,
    in_layers,
    in_layers_of_the_gateway,
    places_of,
    secrets_of,
)

pytestmark = pytest.mark.req("R-6.1.2-no-secret-leaks")


@pytest.fixture
def used(world: Sim) -> Iterator[dict[str, str]]:
    """Secrets that this spec's commands are given; what they change is put back."""
    key = new_api_key()
    world.sendgrid.issue(key, "mail.send")
    world.aws.client("secretsmanager").put_secret_value(
        SecretId="mailserver/sendgrid/api-key", SecretString=key
    )
    user = newcomer(world.site.mail.primary)
    yield {"user": user, "password": str(generate(20)), "key": key}
    script(world, "remove-user.sh", user)
    world.dell.run(["rm", "-f", f"{TARGET}/{KEY_FILE}"])
    script(world, "set-secret.sh", "SENDGRID_API_KEY", said=f"{world.state.sendgrid_key}\n").check()
    world.sendgrid.revoke(key)


def test_no_secret_is_where_others_look(world: Sim, used: dict[str, str]) -> None:
    """While users are added, keys set and fetched, certificates renewed, and in all that they leave."""
    marker = random.token_hex(16)
    with command_lines(world) as seen, secrets_manager_at_home(world) as settings:
        script(world, "add-user.sh", used["user"], said=f"{used['password']}\n").check()
        script(world, "set-secret.sh", "SENDGRID_API_KEY", said=f"{used['key']}\n").check()
        fetch = [f"{TARGET}/scripts/fetch-sendgrid-key.sh", "--region", world.site.aws.region]
        done = world.dell.run(["env", *settings, *fetch])
        script(world, "renew-certificate.sh").check()
        world.dell.run(["sh", "-c", "sleep 1", marker])
    assert used["key"] not in done.stdout + done.stderr
    secrets = secrets_of(world) | {"a new user's password": used["password"], "a new key": used["key"]}
    assert len(secrets) > 12
    places = places_of(world) | {"command lines meanwhile": seen[0]}
    assert len(places) > 18
    silent = {name for name, content in places.items() if not content}
    assert {name for name in silent if not name.startswith(("log of ", "/aws/lambda/"))} == set()
    assert b"add-user.sh" in seen[0]
    assert marker.encode() in seen[0]
    assert leaks(secrets, places) == []


def test_the_same_search_finds_what_is_planted(world: Sim) -> None:
    """One value, put into each kind of place on purpose, and found there: the search is not blind."""
    value = f"planted-{random.token_hex(16)}"
    dell = world.dell
    image = dell.run(["sh", "-c", f'. {TARGET}/.env; echo "$IMAGE_REDIS"']).stdout.strip()
    stream = f"planted/{random.token_hex(4)}"
    group = str(world.state.outputs["log_group"])
    logs = world.aws.client("logs")
    run = ["docker", "run", "-d", "--name", "planted", "-e", f"SECRET={value}", "--entrypoint", "sh"]
    try:
        dell.run([*run, image, "-c", f"echo said {value}; sleep 60; exit", value])
        dell.run(["logger", f"somebody said {value}"])
        logs.create_log_stream(logGroupName=group, logStreamName=stream)
        now = int(dell.run(["date", "+%s"]).stdout) * 1000
        logs.put_log_events(
            logGroupName=group, logStreamName=stream, logEvents=[{"timestamp": now, "message": value}]
        )
        with command_lines(world) as seen:
            dell.run(["sh", "-c", "sleep 1", value])
        places = places_of(world) | {"command lines meanwhile": seen[0]}
        found = {place for _, place in leaks({"it": value}, places)}
    finally:
        dell.run(["docker", "rm", "-f", "planted"], check=False)
        logs.delete_log_stream(logGroupName=group, logStreamName=stream)
    assert found == {
        "docker inspect on the Dell", "log of planted", "journal", "process list of the Dell", group,
        "command lines meanwhile",
    }  # fmt: skip


def test_no_secret_is_in_a_layer(world: Sim, tmp_path: Path) -> None:
    """Of any deployed image; a file that was put into one and deleted again is found."""
    dell, values = world.dell, list(secrets_of(world).values())
    images = dell.run(["sh", "-c", f"cd {TARGET} && docker compose config --images"]).stdout.split()
    assert len(set(images)) == 9
    assert in_layers(world, images, values) == ""
    for name in ("postfix", "tunnel"):
        assert in_layers_of_the_gateway(world.state.images[name], values, tmp_path) == ""
    value = f"planted-{random.token_hex(16)}"
    redis = next(image for image in images if "redis" in image)
    plant = f"""
        set -eu
        docker create --name planted --entrypoint sh {redis} -c 'rm /planted' >/dev/null
        cat >/run/planted
        docker cp /run/planted planted:/planted
        docker commit planted planted:1 >/dev/null
        docker rm -f planted >/dev/null
        docker run --name planted planted:1 -c 'rm /planted'
        docker commit planted planted:2 >/dev/null
    """
    try:
        dell.run(["sh", "-c", plant], f"{value}\n".encode())
        assert in_layers(world, ["planted:2"], [*values, value]).strip() == value
    finally:
        dell.run(["sh", "-c", "docker rm -f planted; docker rmi -f planted:2 planted:1; rm -f /run/planted"])
