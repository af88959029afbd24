"""The places in which a secret may not lie, as bytes to search: what hosts, engines and accounts show."""

import json
import subprocess
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from fixtures.dell.layout import TARGET
from fixtures.engine.client import engine
from fixtures.engine.execute import execute
from fixtures.probe.leaks import patterns
from fixtures.targets.sim import Sim
from fixtures.world.state import RUN_DIR

SECRET_VARIABLES = (
    "MYSQL_ROOT_PASSWORD", "MYSQL_PASSWORD", "ROUNDCUBE_DES_KEY", "RSPAMD_PASSWORD", "SENDGRID_API_KEY",
)  # fmt: skip
_STOP = "/run/mailproof-stop-watching"
# Every command line that any process of the host or of its containers has, as often as one core can look.
_WATCH = f"""
import glob, os, sys
seen = set()
while not os.path.exists({_STOP!r}):
    for path in glob.iglob("/proc/[0-9]*/cmdline"):
        try:
            with open(path, "rb") as file:
                seen.add(file.read().replace(b"\\0", b" "))
        except OSError:
            pass
os.remove({_STOP!r})
sys.stdout.buffer.write(b"\\n".join(sorted(seen)))
"""


def secrets_of(world: Sim) -> dict[str, str]:
    """Every secret value of the world, by a name that may be shown."""
    show = '. "$1/.env"; shift; for name; do eval "printf \'%s\\n\' \\"\\$$name\\""; done'
    values = world.dell.run(["sh", "-c", show, "show", TARGET, *SECRET_VARIABLES]).stdout.splitlines()
    found = dict(zip(SECRET_VARIABLES, values, strict=True))
    found |= {f"password of {user}": password for user, password in world.passwords.items()}
    manager = world.aws.client("secretsmanager")
    for secret in manager.list_secrets()["SecretList"]:
        versions = manager.list_secret_version_ids(SecretId=secret["ARN"], IncludeDeprecated=True)["Versions"]
        for number, version in enumerate(versions):
            value = manager.get_secret_value(SecretId=secret["ARN"], VersionId=version["VersionId"])
            found[f"{secret['Name']}, version {number}"] = value["SecretString"]
    found["key of the server's certificate"] = world.dell.run(
        ["cat", f"{TARGET}/data/certs/mailserver.key"]
    ).stdout
    gateway = world.gateway.container("postfix")
    found["key of the gateway's certificate"] = (
        execute(gateway, ["cat", "/run/mailserver/tls.pem"]).check().stdout
    )
    return found


def places_of(world: Sim) -> dict[str, bytes]:
    """What an account without the right to the secrets may see, or somebody who is shown a log."""
    dell, outputs = world.dell, world.state.outputs
    names = dell.run(["docker", "ps", "--all", "--format", "{{.Names}}"]).stdout.split()
    places = {"docker inspect on the Dell": dell.run(["docker", "inspect", *names]).stdout}
    for name in names:
        log = dell.run(["docker", "logs", name])
        places[f"log of {name}"] = log.stdout + log.stderr
    places["journal"] = dell.run(["journalctl", "--no-pager", "--all", "--output", "cat"]).stdout
    places["process list of the Dell"] = dell.run(["ps", "-eww", "-o", "args"]).stdout
    images = dell.run(["docker", "image", "ls", "-q"]).stdout.split()
    places["image history"] = "".join(
        dell.run(["docker", "history", "--no-trunc", image]).stdout for image in images
    )
    # The agent's own container has its key in the environment, which is ECS's way; nobody inspects it there.
    for name in ("postfix", "tunnel"):
        container = world.gateway.container(name)
        places[f"inspect of the gateway's {name}"] = json.dumps(container.attrs)
    ecs, logs = world.aws.client("ecs"), world.aws.client("logs")
    task = ecs.describe_tasks(cluster=outputs["cluster"], tasks=[world.gateway.healthy().arn])
    definition = ecs.describe_task_definition(taskDefinition=task["tasks"][0]["taskDefinitionArn"])
    places["what ECS shows"] = json.dumps([task["tasks"], definition["taskDefinition"]], default=str)
    for group in logs.describe_log_groups()["logGroups"]:
        pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group["logGroupName"])
        places[group["logGroupName"]] = "\n".join(e["message"] for page in pages for e in page["events"])
    places["Terraform's outputs"] = json.dumps(outputs)
    for path in sorted((RUN_DIR / "infra/terraform").glob("terraform.tf*")):
        places[path.name] = path.read_text(encoding="utf-8")
    return {name: text.encode() for name, text in places.items()}


@contextmanager
def command_lines(world: Sim) -> Iterator[list[bytes]]:
    """Every command line on the Dell within the block; the list has it afterwards."""
    seen: list[bytes] = []
    with ThreadPoolExecutor(1) as pool:
        watching = pool.submit(world.dell.run, ["python3", "-c", _WATCH])
        try:
            yield seen
        finally:
            world.dell.run(["touch", _STOP])
            seen.append(watching.result().stdout.encode())


def in_layers(world: Sim, images: Sequence[str], secrets: Sequence[str]) -> str:
    """Lines of the files and settings in images of the Dell's engine that hold one of the secrets."""
    file = "/run/mailproof-patterns"
    world.dell.put(file, patterns(secrets), 0o600)
    try:
        # 1: no line is chosen; anything above is grep's own failure.
        search = 'set -o pipefail; f=$1; shift; docker save "$@" | { grep -a -F -o -f "$f" || [ $? -eq 1 ]; }'
        return world.dell.run(["bash", "-c", search, "search", file, *images]).stdout
    finally:
        world.dell.run(["rm", "-f", file])


def in_layers_of_the_gateway(image: str, secrets: Sequence[str], folder: Path) -> str:
    """The same for an image of the task."""
    file = folder / "patterns"
    file.touch(0o600)
    file.write_bytes(patterns(secrets))
    argv = ["grep", "-a", "-F", "-o", "-f", str(file)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as grep:
        assert grep.stdin is not None
        assert grep.stdout is not None
        for chunk in engine().images.get(image).save():
            grep.stdin.write(chunk)
        grep.stdin.close()
        return grep.stdout.read().decode(errors="replace")
