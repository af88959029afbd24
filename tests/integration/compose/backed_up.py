"""MariaDB, Redis and Dovecot as deployed, on a folder as the Dell's, for backup.sh and restore.sh."""

import os
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from docker.models.containers import Container

from fixtures.engine.execute import execute
from fixtures.world.images import ROOT, catalogue
from tests.integration.compose.parts import DOMAIN, Bench, wait_until_healthy

ALICE = f"alice@{DOMAIN}"
SERVICES = ("mariadb", "redis", "dovecot")
# Compose's part: it names the containers of this bench, and starts those that are to be up.
_DOCKER = """#!/bin/bash
set -eu
declare -A names=({names})
up() {{ for name in "$@"; do {docker} start "${{names[$name]}}"; done; }}
healthy() {{
    timeout 60 bash -c 'until "$@" healthcheck; do read -rt 0.2 <> <(:) || :; done' x {docker} exec "$1"
}}
case "$*" in
"compose "*" config --quiet" | "ps "*) ;;
"compose "*" config --images") echo {image} ;;
"compose "*" up -d --wait mariadb") up mariadb; healthy "${{names[mariadb]}}" >/dev/null 2>&1 ;;
"compose "*" up -d --wait")
    up "${{!names[@]}}"
    for name in "${{names[@]}}"; do healthy "$name" >/dev/null 2>&1; done ;;
*)
    words=()
    for word in "$@"; do
        short=${{word#mailserver-}}
        [ "$word" = "$short" ] || word=${{names[$short]}}
        words+=("$word")
    done
    exec {docker} "${{words[@]}}" ;;
esac
"""


@dataclass
class Server:
    """The three services and the folder that they work on."""

    bench: Bench
    key: Path
    services: dict[str, Container] = field(default_factory=dict)

    @classmethod
    def start(cls, bench: Bench, folder: Path) -> "Server":
        """Start the services, with one user; the private key and both disks are in ``folder``."""
        server = cls(bench, folder / "backup.key")
        root = bench.folder
        shutil.copytree(ROOT / "compose/scripts", root / "scripts")
        shutil.copytree(root / "certs", root / "data/certs")
        for name in ("mail", "db", "redis"):
            (root / "data" / name).mkdir()
        for name in ("mysql_root_password", "mysql_password", "rspamd_password"):
            bench.secret(name, "a password of a test")
        (root / "config/dovecot/users").write_text(f"{ALICE}:{{PLAIN}}correct horse battery::::::\n")
        subprocess.run(["age-keygen", "-o", str(server.key)], capture_output=True, check=True)
        argv = ["age-keygen", "-y", str(server.key)]
        public = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.strip()
        lines = {"MAIL_DOMAIN": DOMAIN, "MAIL_FQDN": f"mail.{DOMAIN}", "MYSQL_DATABASE": "roundcube"}
        lines |= {"BACKUP_LOCAL": f"{folder}/local", "BACKUP_EXTERNAL": f"{folder}/external"}
        lines["BACKUP_RECIPIENT"] = public
        (root / ".env").write_text("".join(f"{name}='{value}'\n" for name, value in lines.items()))
        (root / ".env").chmod(0o600)
        shutil.copy(root / ".env", root / ".env.example")
        server._start()
        server._programs()
        return server

    def _start(self) -> None:
        database = {"MYSQL_DATABASE": "roundcube", "MYSQL_USER": "roundcube"}
        secrets = {"secrets": "/run/secrets"}
        own = {
            "mariadb": (database, {"data/db": "/var/lib/mysql", **secrets}),
            "redis": ({}, {"data/redis": "/var/lib/redis"}),
            "dovecot": ({}, {"data/mail": "/var/mail/vhosts", "data/certs": "/certs", **secrets}),
        }
        for name, (env, mounts) in own.items():
            config = "/etc/dovecot" if name == "dovecot" else f"/etc/mailserver/{name}"
            at = {f"config/{name}": config, **mounts}
            self.services[name] = self.bench.start(name, name, env, at)
        for container in self.services.values():
            wait_until_healthy(container)

    def _programs(self) -> None:
        names = " ".join(f"[{name}]={container.name}" for name, container in self.services.items())
        docker, image = shutil.which("docker"), catalogue()["redis"].tag
        folder = self.bench.folder / "bin"
        folder.mkdir()
        # A disk is a folder here: which of them is a mount point is the unit specs' matter.
        for name, text in (
            ("docker", _DOCKER.format(names=names, docker=docker, image=image)),
            ("mountpoint", "#!/bin/sh\n"),
        ):
            (folder / name).write_text(text)
            (folder / name).chmod(0o755)

    def script(self, name: str, *arguments: str) -> str:
        """Run one of the owner's scripts on this machine; what it says. Raises AssertionError."""
        environment = {**os.environ, "PATH": f"{self.bench.folder}/bin:{os.environ['PATH']}"}
        argv = ["bash", str(self.bench.folder / "scripts" / name), *arguments]
        done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False, timeout=180)
        assert done.returncode == 0, done
        return done.stdout

    def backup(self, kind: str) -> str:
        """Make a backup; its path on the external disk."""
        name = self.script("backup.sh", kind).split(" is in ")[0].splitlines()[-1]
        return str(self.key.with_name("external") / name)

    def restore(self, *words: str) -> str:
        """Restore with the owner's key; what the script says."""
        return self.script("restore.sh", *words, "--identity", str(self.key))

    def run(self, service: str, *argv: str, stdin: bytes | None = None) -> str:
        """What a program in a service's container prints; raises CommandError."""
        return execute(self.services[service], argv, stdin=stdin).check().stdout

    def lose_everything(self) -> None:
        """Stop the services and empty the disk, but for what was deployed."""
        for container in self.services.values():
            container.stop(timeout=20)
        shutil.rmtree(self.bench.folder / "data")
        (self.bench.folder / ".env").unlink()
        (self.bench.folder / "config/dovecot/users").unlink()
        # The bind mounts of stopped containers need their folders.
        for name in ("mail", "db", "redis", "certs"):
            (self.bench.folder / "data" / name).mkdir(parents=True)
