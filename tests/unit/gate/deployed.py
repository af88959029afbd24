"""A small repository, what was deployed of it, and the programs between them as stand-ins on PATH.

The host is this machine: the stand-in of ssh runs what it is told here, and keeps what came back.
"""

import hashlib
import json
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from fixtures.gate.answer import Answer
from fixtures.gate.command import answers
from fixtures.world.images import ROOT
from tests.unit.operations.fake_host import ID, SUDO

SERVICES = ("clamav", "dovecot", "mariadb", "nginx", "postfix", "redis", "roundcube", "rspamd", "unbound")
GATEWAY = ("postfix", "tunnel", "tailscale")
SECRET = "of-the-first-day"
# The names that the deployed .env needs, and one that it may have.
NEEDED = [
    "MAIL_DOMAIN",
    "MAIL_ADDITIONAL_DOMAINS",
    "MAIL_FQDN",
    "MAIL_HOSTNAME",
    "ADMIN_EMAIL",
    "MESSAGE_SIZE_MB",
    "MESSAGE_SIZE_LIMIT",
    "SMARTHOST",
    "WEBMAIL_LANGUAGE",
    "TZ",
    "TAILNET_IP",
    "TAILSCALE_HOSTNAME",
    "CA_BUNDLE",
    "RESOLVER_FORWARD",
    "CLAMAV_UPDATE",
    "MYSQL_DATABASE",
    "MYSQL_USER",
    "MYSQL_ROOT_PASSWORD",
    "MYSQL_PASSWORD",
    "ROUNDCUBE_DES_KEY",
    "RSPAMD_PASSWORD",
    "SENDGRID_API_KEY",
    "TAILSCALE_AUTHKEY",
    "IMAGE_CLAMAV",
    "IMAGE_DOVECOT",
    "IMAGE_MARIADB",
    "IMAGE_NGINX",
    "IMAGE_POSTFIX",
    "IMAGE_REDIS",
    "IMAGE_ROUNDCUBE",
    "IMAGE_RSPAMD",
    "IMAGE_UNBOUND",
]
FILES = {
    "compose/docker-compose.yml": "services: {}\n",
    "compose/deploy.sh": "#!/bin/bash\n",
    "compose/config/nginx/nginx.conf": "listen 443;\n",
    "compose/config/postfix/main.cf": "mynetworks = 127.0.0.0/8\n",
    "compose/scripts/add-user.sh": "#!/bin/bash\n",
    "compose/images/postfix/Dockerfile": "FROM scratch\n",
    "infra/terraform/main.tf": 'variable "region" {}\n',
    "infra/tailscale/policy.hujson": "{}\n",
}
SHIPPED = (
    ".env.example",
    "config/nginx/nginx.conf",
    "config/postfix/main.cf",
    "docker-compose.yml",
    "scripts/add-user.sh",
)
SSH = """#!/bin/bash
printf '%s\\n' "$*" >>"$STATE/ssh"
for last; do :; done
[ ! -e "$STATE/refuses" ] || { cat "$STATE/refuses" >&2; exit 255; }
[ ! -e "$STATE/slow" ] || exec sleep 60
bash -c "$last" | head -c "$(cat "$STATE/cut" 2>/dev/null || echo 9999999)" | tee "$STATE/said"
exit "${PIPESTATUS[0]}"
"""
DOCKER = """#!/bin/sh
echo "$1 $2" >>"$STATE/docker"
case "$1 $2" in
"ps --all") ! [ -e "$STATE/no-docker" ] || { echo 'Cannot connect to the Docker daemon' >&2; exit 1; }
    ls "$STATE/containers" ;;
"inspect --format") cat "$STATE/containers/$4" ;;
"image inspect") cat "$STATE/images/$5" ;;
*) exit 64 ;;
esac
"""
TERRAFORM = """#!/bin/bash
printf '%s\\n' "$*" >>"$STATE/terraform"
pwd >>"$STATE/where"
case $1 in
plan)
    [ ! -e "$STATE/slow" ] || exec sleep 60
    for word; do
        case $word in -out=*)
            echo plan >"${word#-out=}"
            stat -c %a "$(dirname "${word#-out=}")" >"$STATE/mode" ;;
        esac
    done
    [ ! -e "$STATE/error" ] || { cat "$STATE/error" >&2; exit 1; }
    exit "$(cat "$STATE/status" 2>/dev/null || echo 0)" ;;
show) cat "$STATE/plan.json" ;;
*) exit 64 ;;
esac
"""


def hashed(content: bytes) -> str:
    """SHA-256 in hex."""
    return hashlib.sha256(content).hexdigest()


class Deployed:
    """``root`` is the checkout, ``host`` the folder on the host, ``state`` what the stand-ins go by."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "checkout"
        self.host = folder / "host/opt/mailserver"
        self.state = folder / "state"
        self.bin = folder / "bin"
        self.record = folder / "proved.json"
        for made in (self.root, self.bin, self.state / "containers", self.state / "images"):
            made.mkdir(parents=True)
        programs = {"ssh": SSH, "docker": DOCKER, "terraform": TERRAFORM, "id": ID, "sudo": SUDO}
        for name, text in programs.items():
            (self.bin / name).write_text(text)
            (self.bin / name).chmod(0o755)
        for name, text in FILES.items():
            self.write(name, text)
        shutil.copy(ROOT / "site.toml", self.root)
        shutil.copy(ROOT / "compose/.env.example", self.root / "compose")
        self.git("init", "--quiet")
        self.commit()
        self._deploy()
        self.prove()
        self.plan([])

    def write(self, name: str, text: str) -> None:
        """Write a file of the checkout; scripts can be run."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755 if name.endswith(".sh") else 0o644)

    def git(self, *arguments: str) -> str:
        """Run git in the checkout."""
        identity = ["-c", "user.name=a", "-c", "user.email=a@example.net"]
        argv = ["git", *identity, *arguments]
        return subprocess.run(argv, cwd=self.root, check=True, capture_output=True, text=True).stdout.strip()

    def commit(self) -> str:
        """Commit everything; returns the id."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message=a change")
        return self.git("rev-parse", "HEAD")

    def hashes(self) -> dict[str, str]:
        """Of every deployable file of the checkout."""
        names = (*FILES, "site.toml", "compose/.env.example")
        return {name: hashed((self.root / name).read_bytes()) for name in names}

    def prove(self, **other: Any) -> None:
        """Record a green run of the checkout as it is; ``other`` keys differ from it."""
        known = {
            name: {
                "tag": f"mailproof/{name}:{name}-1",
                "id": f"sha256:{name}1",
                "content": hashed(f"{name}\n".encode()),
            }
            for name in sorted({*SERVICES, *GATEWAY})
        }
        record = {
            "commit": self.git("rev-parse", "HEAD"), "clean": True, "files": self.hashes(), "images": known,
            "time": "2026-11-29T12:00:00Z", "specs": 340,
        }  # fmt: skip
        self.record.write_text(json.dumps(record | other))

    def container(self, service: str, image: str = "", content: str = "", **other: str) -> None:
        """Have a container run, of the proved image unless told otherwise."""
        soon = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%S.123456789Z")
        facts = {"state": "running", "started": soon} | other
        image = image or f"sha256:{service}1"
        line = f"{service} {facts['state']} {facts['started']} {image} mailproof/{service}:{service}-1\n"
        (self.state / "containers" / service).write_text(line)
        (self.state / "images" / image).write_text(f"{content or service}\n")

    def say(self, name: str, text: str = "") -> None:
        """Tell the stand-ins how to behave."""
        (self.state / name).write_text(text)

    def heard(self, name: str) -> str:
        """What a stand-in noted."""
        path = self.state / name
        return path.read_text() if path.exists() else ""

    def plan(self, changes: list[dict[str, Any]], **more: Any) -> None:
        """Have Terraform plan so; the task's images are the proved ones."""
        images_ = [{"name": n, "image": f"registry.example.net/{n}:{n}-1"} for n in GATEWAY]
        task = {
            "type": "aws_ecs_task_definition", "address": "aws_ecs_task_definition.mx",
            "values": {"container_definitions": json.dumps(more.pop("images", images_))},
        }  # fmt: skip
        planned = {"root_module": {"resources": [task]}}
        self.say("plan.json", json.dumps({"planned_values": planned, "resource_changes": changes} | more))
        self.say("status", "2" if changes or more else "0")

    def answers(self, *parts: str) -> dict[str, Answer]:
        """What the gate says, with the parts that are asked for."""
        found = answers(
            "ssh://root@mailserver" if "host" in parts else "",
            self.root / "infra/terraform" if "AWS" in parts else None,
            root=self.root,
            path=self.record,
            folder=str(self.host),
        )
        return {answer.part: answer for answer in found}

    def _deploy(self) -> None:
        for name in SHIPPED:
            (self.host / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(self.root / "compose" / name, self.host / name)
        own = {
            ".env": "# values\n\n"
            + "".join(f"{name}='{SECRET}'\n" for name in NEEDED)
            + "export BACKUP_LOCAL=/mnt\n",
            ".deployed": "docker-compose.yml\n",
            "config/dovecot/users": "alice\n",
            "config/postfix/sasl_passwd": "key\n",
            "config/.users.lock": "",
            "data/mail/alice": "mail\n",
            "logs/deploy.log": "done\n",
        }
        for name, text in own.items():
            (self.host / name).parent.mkdir(parents=True, exist_ok=True)
            (self.host / name).write_text(text)
        for service in SERVICES:
            self.container(service)
