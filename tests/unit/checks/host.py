"""A stand-in for OpenSSH's client that runs commands here, and for the programs of the mail server's host."""

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

SSH = """#!/bin/sh
printf '%s\\n' "$@" >"$FAKE_SSH/arguments"
if [ -s "$FAKE_SSH/refusal" ]; then cat "$FAKE_SSH/refusal" >&2; exit 255; fi
for command; do :; done
PATH="$FAKE_SSH/there:$PATH" exec sh -c "$command"
"""
SUDO = """#!/bin/sh
[ "$1" = -n ] && shift
if [ -e "$FAKE_SSH/no-sudo" ]; then echo "sudo: a password is required" >&2; exit 1; fi
[ "$1" != /usr/bin/timeout ] || shift 2
program=$(basename "$1"); shift
exec "$program" "$@"
"""
ANSWER = """#!/bin/sh
cat "$FAKE_SSH/{name}.out"; exit "$(cat "$FAKE_SSH/{name}.status")"
"""
FIND = """#!/bin/sh
case $1 in /var/lib/mailserver/alerts) name=alerts ;; *) name=backups ;; esac
cat "$FAKE_SSH/$name.out"; exit "$(cat "$FAKE_SSH/$name.status")"
"""


class FakeHost:
    """The host behind the stand-in: what its programs answer, and what ssh says in place of them."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        there = folder / "there"
        there.mkdir(parents=True)
        programs = {"sudo": SUDO, "find": FIND} | {
            name: ANSWER.format(name=name) for name in ("docker", "systemctl", "df")
        }
        for path, text in {
            folder / "bin" / "ssh": SSH,
            **{there / n: t for n, t in programs.items()},
        }.items():
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
            path.chmod(0o755)
        monkeypatch.setenv("FAKE_SSH", str(folder))
        monkeypatch.setenv("PATH", f"{folder / 'bin'}:{os.environ['PATH']}")
        for name in ("backups", "alerts", "docker"):
            self.says(name, "")
        self.says("systemctl", "active\n")
        self.says("df", "Use% Mounted on\n 41% /\n 70% /opt/mailserver\n")

    def says(self, name: str, text: str, status: int = 0) -> None:
        """Have a program answer this."""
        (self.folder / f"{name}.out").write_text(text, encoding="utf-8")
        (self.folder / f"{name}.status").write_text(str(status), encoding="utf-8")

    def refuses(self, text: str) -> None:
        """Have ssh itself fail with these words of OpenSSH."""
        (self.folder / "refusal").write_text(text, encoding="utf-8")

    def without_sudo(self) -> None:
        """Have sudo ask for a password."""
        (self.folder / "no-sudo").touch()

    def arguments(self) -> Mapping[int, str]:
        """The last call's arguments, by position."""
        return dict(enumerate((self.folder / "arguments").read_text(encoding="utf-8").splitlines()))
