"""Small SMTP dialogues from inside: the Dell host, its containers' network namespaces, the gateway's task."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

from fixtures.engine.execute import Result, execute
from fixtures.mail.outcome import Reply
from fixtures.targets.sim import Sim

_PROGRAM = """
import json, smtplib, ssl

def said(host, port, commands, tls, login):
    try:
        with smtplib.SMTP(host, port, "inside.example.org", 30) as smtp:
            smtp.ehlo()
            if tls:
                context = ssl.create_default_context()  # the question is who may send, not who answers
                context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
                smtp.starttls(context=context)
                smtp.ehlo()
            if login:
                smtp.login(*login)
            for command in commands:
                code, text = smtp.docmd(command)
                yield code, text.decode()
    except (OSError, smtplib.SMTPException) as error:
        yield -1, repr(error)

print(json.dumps({name: list(said(**asked)) for name, asked in json.loads(ASKED).items()}))
"""


@dataclass(frozen=True)
class Dialogue:
    """What to say to a server after EHLO, after TLS and a login when they are wanted."""

    host: str
    port: int
    commands: Sequence[str]
    tls: bool = False
    login: tuple[str, str] | None = None


@dataclass(frozen=True)
class Place:
    """Somewhere with a network of its own, and how to run a program there that reads standard input."""

    name: str
    run: Callable[[Sequence[str], bytes], Result]

    @classmethod
    def host(cls, world: Sim) -> "Place":
        """The Dell itself, which its containers see as their bridge's gateway, 172.20.0.1."""
        return cls("host", world.dell.run)

    @classmethod
    def container(cls, world: Sim, service: str) -> "Place":
        """A container's network, with the host's programs."""
        asked = ["docker", "inspect", "-f", "{{.State.Pid}}", f"mailserver-{service}"]
        enter = ["nsenter", f"--net=/proc/{world.dell.run(asked).stdout.strip()}/ns/net", "--"]
        return cls(service, lambda argv, stdin: world.dell.run([*enter, *argv], stdin))

    @classmethod
    def task(cls, world: Sim) -> "Place":
        """The gateway's task."""
        inside = world.gateway.container("pause")
        return cls("task", lambda argv, stdin: execute(inside, argv, stdin=stdin).check())

    def talk(self, dialogues: Mapping[str, Dialogue]) -> dict[str, list[Reply]]:
        """Hold the dialogues one after another; each command's reply, or -1 where a session broke off."""
        asked = json.dumps({name: asdict(dialogue) for name, dialogue in dialogues.items()})
        done = self.run(["python3", "-"], f"ASKED = {asked!r}\n{_PROGRAM}".encode())
        told = json.loads(done.stdout)
        return {name: [Reply(code, text) for code, text in told[name]] for name in dialogues}
