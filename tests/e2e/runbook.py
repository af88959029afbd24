"""The places of docs/runbook.md, in which its commands run as they are written."""

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from fixtures.engine.execute import Result
from fixtures.engine.labels import container_name
from fixtures.proof.runbook import Command, read
from fixtures.targets.sim import Sim
from fixtures.wait import wait_for
from fixtures.world.images import ROOT
from fixtures.world.state import RUN_DIR

DOCUMENT = ROOT / "docs/runbook.md"
# The owner's machine asks the simulated Internet's name server; this process' own machine has another one.
_DIG = f"""#!{sys.executable}
import os, sys
os.environ.update({ {name: value for name, value in os.environ.items() if name.startswith("DOCKER_")}!r})
sys.path.insert(0, {str(ROOT)!r})
from fixtures.engine.containers import get
from fixtures.engine.execute import execute
done = execute(get("tailnet-pc"), ["dig", *sys.argv[1:]])
sys.stdout.write(done.stdout)
sys.stderr.write(done.stderr)
sys.exit(done.status)
"""
# No wire leads from this process to the simulated host, so its console carries what ssh would.
_ENGINE = "".join(
    f"export {name}={shlex.quote(value)}\n"
    for name, value in os.environ.items()
    if name.startswith("DOCKER_")
)
_SSH = f"""#!/bin/bash
{_ENGINE}for word; do host=$command command=$word; done
[ "$host" = root@mailserver ] || {{ echo "ssh: no route to $host" >&2; exit 255; }}
exec docker exec -i {container_name("dell")} bash -c "$command"
"""


@dataclass(frozen=True)
class Runbook:
    """The document and the two places that it speaks of; ``folder`` is the owner's checkout."""

    world: Sim
    folder: Path

    def commands(self, heading: str, part: str = "") -> list[Command]:
        """The commands under the headings that begin so; raises LookupError when there are none."""
        found = [c for c in read(DOCUMENT) if c.heading.startswith(heading) and c.part == part]
        if not found:
            raise LookupError(f"{DOCUMENT.name} has no command under {heading!r}, {part or 'no part'}")
        return found

    def show(self, command: Command, said: str = "") -> str:
        """Run one; what it shows, once it agrees with the document. Raises AssertionError when it does not.

        One that is marked ``until`` is repeated for as long as a replaced task may take, one that is marked
        ``again`` is run once before.
        """
        if "until" in command.words:
            return wait_for(
                f"{command.name} to show what the runbook says",
                lambda: self.run(command, said).stdout,
                until=command.agrees,
                timeout=timedelta(minutes=3),
                interval=timedelta(seconds=1),
            )
        if "again" in command.words:
            before = self.run(command, said)
            assert before.status == 0, (command.name, command.text, before)
        done = self.run(command, said)
        output = done.stdout
        assert done.status == 0, (command.name, command.text, done)
        assert command.agrees(output), (
            f"{command.name}: the runbook says\n{command.shows}\nand it is\n{output}"
        )
        return output

    def run(self, command: Command, said: str = "") -> Result:
        """Run one as it is written, after the lines that the document has every shell begin with."""
        [preamble] = [c for c in read(DOCUMENT) if c.place == command.place and "preamble" in c.words]
        script = "exec 2>&1\n" + preamble.text + command.text  # in the order that a terminal shows
        if command.place == "dell":
            return self.world.dell.run(["bash", "-eu", "-c", script], said.encode(), check=False)
        environment = self.world.aws.cli_environment()
        environment["PATH"] = f"{self.folder}/.bin:{ROOT / '.mailproof/venv/bin'}:{environment['PATH']}"
        done = subprocess.run(
            ["bash", "-eu", "-c", script], cwd=self.folder, env=environment,
            input=said, capture_output=True, text=True, check=False, timeout=240,
        )  # fmt: skip
        return Result(("bash",), done.returncode, done.stdout, done.stderr)

    @contextmanager
    def problem(self, heading: str, said: str = "") -> Iterator[list[str]]:
        """Find it by the document's commands, then cure it by its remedy and see it cured.

        The block in between is for what lies outside the commands, such as a plan that is bought; it gets
        what was shown.
        """
        shown = [self.show(command) for command in self.commands(heading, "Found by")]
        yield shown
        for part in ("Remedy", "Cured when"):
            shown += [self.show(c, said if "asks" in c.words else "") for c in self.commands(heading, part)]


def checkout(folder: Path) -> Path:
    """A folder as the owner's checkout is: site file, Terraform with its state, scripts; dig and ssh."""
    for name, target in (
        ("site.toml", ROOT / "site.toml"),
        ("infra/terraform", RUN_DIR / "infra/terraform"),
        ("infra/scripts", ROOT / "infra/scripts"),
        ("compose", ROOT / "compose"),
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).symlink_to(target)
    (folder / ".bin").mkdir()
    (folder / ".bin/dig").write_text(_DIG)
    (folder / ".bin/ssh").write_text(_SSH)
    for name in ("dig", "ssh"):
        (folder / ".bin" / name).chmod(0o755)
    return folder
