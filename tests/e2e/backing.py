"""Backups on the Dell: two disks for them, a key that stays here, and a server whose disk is lost."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from fixtures.dell import dotenv
from fixtures.dell.console import Result
from fixtures.dell.layout import ENV_FILE, MANIFEST, TARGET
from fixtures.dell.stack import Stack
from fixtures.targets.sim import Sim

LOCAL, EXTERNAL, STICK = "/var/backups", "/mnt/backup", "/mnt/key"
KEY = f"{STICK}/backup.key"
LOST = f"{TARGET}.lost"
_ENV = f"{TARGET}/{ENV_FILE}"
# What was deployed, and the virus signatures, which a new host fetches.
_NEW_DISK = f"""
set -eu
mv {TARGET} {LOST}
mkdir -p {TARGET}/data
cd {LOST}
cat {MANIFEST} | tar -T - -cf - {MANIFEST} | tar -C {TARGET} -xpf -
cp -a data/clamav {TARGET}/data/clamav
"""


@dataclass(frozen=True)
class Backups:
    """The Dell's backups; the private key is a file of this machine."""

    world: Sim
    key: Path

    def make(self, kind: str) -> str:
        """Have the timer's unit make one; its path on the external disk. Raises CommandError."""
        before = set(self.archives(kind))
        self.world.dell.run(["systemctl", "start", f"mailserver-backup-{kind}.service"])
        [made] = set(self.archives(kind)) - before
        return made

    def archives(self, kind: str) -> list[str]:
        """Those on the external disk."""
        folder = f"{EXTERNAL}/mailserver"
        argv = ["find", folder, "-name", f"mailserver-{kind}-*.tar.age"]
        return sorted(self.world.dell.run(argv, check=False).stdout.split())

    def restore(self, *words: str) -> Result:
        """Run restore.sh with the key on a stick, which is taken away again."""
        with self.stick():
            argv = [f"{TARGET}/scripts/restore.sh", *words, "--identity", KEY]
            return self.world.dell.run(argv, check=False)

    @contextmanager
    def stick(self) -> Iterator[None]:
        """The owner's stick with the private key, in the server for a while."""
        dell = self.world.dell
        dell.run(["mkdir", "-p", STICK])
        dell.run(["mount", "-t", "tmpfs", "-o", "size=1m,mode=700", "stick", STICK])
        try:
            dell.put(KEY, self.key.read_bytes(), 0o600)
            yield
        finally:
            dell.run(["umount", STICK])


def set_variables(world: Sim, **variables: str) -> None:
    """Change lines of the server's .env."""
    text = dotenv.merge(world.dell.run(["cat", _ENV]).stdout, variables)
    world.dell.put(_ENV, text.encode(), 0o600)


@contextmanager
def backups_possible(world: Sim, folder: Path) -> Iterator[Backups]:
    """Two disks mounted and .env filled in, for a while; a key pair of its own."""
    key = folder / "backup.key"
    subprocess.run(["age-keygen", "-o", str(key)], capture_output=True, check=True)
    public = subprocess.run(["age-keygen", "-y", str(key)], capture_output=True, text=True, check=True)
    for place in (LOCAL, EXTERNAL):
        world.dell.run(["mkdir", "-p", place])
        world.dell.run(["mount", "-t", "tmpfs", "-o", "size=2g,mode=755", "disk", place])
    try:
        set_variables(
            world,
            BACKUP_LOCAL=f"{LOCAL}/mailserver",
            BACKUP_EXTERNAL=f"{EXTERNAL}/mailserver",
            BACKUP_RECIPIENT=public.stdout.strip(),
        )
        yield Backups(world, key)
    finally:
        world.dell.run(["sed", "-i", "/^BACKUP_/d", _ENV])
        for place in (LOCAL, EXTERNAL):
            world.dell.run(["umount", place])


@contextmanager
def disk_lost(world: Sim) -> Iterator[None]:
    """The Dell has a new disk, with images and what was deployed; a spec that fails gets the old one back."""
    stack = Stack(world.dell, TARGET)
    world.dell.run(["systemctl", "stop", "mailserver.service"])
    stack.down()
    world.dell.run(["sh", "-c", _NEW_DISK])
    try:
        yield
        world.dell.run(["rm", "-rf", LOST])
    except BaseException:
        world.dell.run(["sh", "-c", "docker ps -aq | xargs -r docker rm -f"])
        world.dell.run(["rm", "-rf", f"{TARGET}.failed"])
        world.dell.run(["mv", TARGET, f"{TARGET}.failed"])
        world.dell.run(["mv", LOST, TARGET])
        stack.up()
        raise
    finally:
        world.dell.run(["systemctl", "start", "mailserver.service"])
