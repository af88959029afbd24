"""A deployed folder of a spec's own, in which the owner's scripts run with stand-ins for other programs."""

import shutil
import subprocess
from pathlib import Path

from tests.unit.compose.conf import COMPOSE

ENV = """MAIL_DOMAIN='one.example.org'
MAIL_ADDITIONAL_DOMAINS='two.example.org'
MAIL_HOSTNAME='mailserver.tailnet.ts.net'
MAIL_FQDN='mail.one.example.org'
ADMIN_EMAIL='admin@example.net'
IMAGE_DOVECOT='dovecot:1'
SMARTHOST='[smtp.sendgrid.net]:587'
SENDGRID_API_KEY=''
"""
HASH = "{BLF-CRYPT}$2y$10$" + "standin" * 7 + "last"
DOCKER = """#!/bin/sh
echo "$*" >>"$LOG"
case "$*" in
*"pw -s BLF-CRYPT -r 10"*) cat >/dev/null; echo '{hash}' ;;
*" smarthost-key try") cat >"$LOG.tried"; exit "$(cat "$LOG.try" 2>/dev/null || echo 0)" ;;
*" doveadm user "*)
    cut -d : -f 1 "$(dirname "$LOG")/config/dovecot/users" | grep -qxF "${*##* }" && known=0 || known=67
    ! rm "$LOG.stale" 2>/dev/null || known=$((67 - known))
    exit "$known" ;;
*" sendmail "*) cat >"$LOG.mail"; ! [ -e "$LOG.refuse" ] ;;
*) ! [ -e "$LOG.refuse" ] ;;
esac
"""
TAILSCALE = """#!/bin/sh
echo "tailscale $*" >>"$LOG"
[ -e "$LOG.kept" ] || { echo certificate >"$3"; echo key >"$5"; }
"""
AWS = """#!/bin/sh
echo "aws $*" >>"$LOG"
cat "$LOG.secret"
"""
JOURNALCTL = """#!/bin/sh
echo "journalctl $*" >>"$LOG"
echo 'too many certificates'
"""
PASSWORD = "a long enough password"


class Site:
    """A deployed folder, its users' file, and what the stand-ins were called with."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.users = root / "config/dovecot/users"
        self.log = root / "log"
        shutil.copytree(COMPOSE / "scripts", root / "scripts")
        for folder in ("config/dovecot", "config/postfix", "data/certs", "bin"):
            (root / folder).mkdir(parents=True)
        (root / ".env").write_text(ENV)
        (root / ".env").chmod(0o600)
        stand_ins = {
            "docker": DOCKER.replace("{hash}", HASH),
            "tailscale": TAILSCALE,
            "aws": AWS,
            "journalctl": JOURNALCTL,
        }
        for name, text in stand_ins.items():
            (root / "bin" / name).write_text(text)
            (root / "bin" / name).chmod(0o755)

    def run(
        self, script: str, *arguments: str, said: str = "", **variables: str
    ) -> "subprocess.CompletedProcess[str]":
        """Run a script with something on its standard input."""
        environment = {
            "PATH": f"{self.root}/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "LOG": str(self.log),
            "STATE_DIRECTORY": str(self.root / "state"),
        }
        environment |= variables
        argv = ["bash", str(self.root / "scripts" / script), *arguments]
        return subprocess.run(argv, env=environment, input=said, capture_output=True, text=True, check=False)

    def add(self, address: str, *options: str, password: str = PASSWORD) -> int:
        """Add a user; the exit status."""
        return self.run("add-user.sh", address, *options, said=f"{password}\n").returncode

    def calls(self) -> list[str]:
        """Command lines of the stand-ins so far."""
        return self.log.read_text().splitlines() if self.log.exists() else []
