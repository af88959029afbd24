"""How real mail programs are called, each with the security that it has by default."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from shlex import quote
from urllib.parse import quote as percent

from docker.models.containers import Container

from fixtures.engine.execute import Result, execute
from fixtures.mail.message import Message

CA_FILE = "/etc/ssl/certs/ca-certificates.crt"


@dataclass(frozen=True)
class User:
    """Who uses a program, and where his server is."""

    server: str
    address: str
    password: str = field(repr=False)

    @property
    def in_url(self) -> str:
        """The login as URLs write it."""
        return f"{percent(self.address, safe='')}:{percent(self.password, safe='')}"


Sends = Callable[[User, str], str]
"""A shell script that sends the message in /tmp/mail/message to a recipient."""

Fetches = Callable[[User, str], str]
"""A shell script that prints the user's message that has a marker."""


def _swaks(user: User, recipient: str) -> str:
    return (
        f"swaks --server {user.server}:587 --tls --tls-verify --tls-ca-path {CA_FILE} "
        f"--auth PLAIN --auth-user {user.address} --auth-password {quote(user.password)} "
        f"--from {user.address} --to {recipient} --data - </tmp/mail/message"
    )


def _curl(user: User, recipient: str) -> str:
    return (
        f"curl --silent --show-error --ssl-reqd --url smtp://{user.server}:587 "
        f"--user {quote(f'{user.address}:{user.password}')} "
        f"--mail-from {user.address} --mail-rcpt {recipient} --upload-file /tmp/mail/message"
    )


def _msmtp(user: User, recipient: str) -> str:
    return (
        f"msmtp --host={user.server} --port=587 --tls=on --auth=on --user={user.address} "
        f"--passwordeval={quote(f'printf %s {quote(user.password)}')} "
        f"--from={user.address} -- {recipient} </tmp/mail/message"
    )


def _neomutt(user: User, recipient: str) -> str:
    settings = (
        f"set from={user.address} use_envelope_from copy=no smtp_pass={quote(user.password)} "
        f"smtp_url=smtp://{percent(user.address)}@{user.server}:587"
    )
    return (
        f"printf '%s\\n' {quote(settings)} >/tmp/mail/rc; "
        "marker=$(grep -o 'mark[0-9a-f]*' /tmp/mail/message | head -n 1); "
        f'echo "$marker" | HOME=/tmp/mail neomutt -F /tmp/mail/rc -s "$marker" -- {recipient}'
    )


SENDING: Mapping[str, Sends] = {"swaks": _swaks, "curl": _curl, "msmtp": _msmtp, "neomutt": _neomutt}


def _mbsync(user: User, marker: str) -> str:
    settings = f"""IMAPAccount a
Host {user.server}
User {user.address}
PassCmd "printf %s {quote(user.password)}"
SSLType IMAPS

IMAPStore far
Account a

MaildirStore near
Path /tmp/mail/near/
Inbox /tmp/mail/near/INBOX

Channel a
Far :far:
Near :near:
Create Near
"""
    return (
        f"mkdir -p /tmp/mail/near; printf %s {quote(settings)} >/tmp/mail/mbsyncrc; "
        f"mbsync -c /tmp/mail/mbsyncrc a && cat $(grep -rl {marker} /tmp/mail/near/INBOX)"
    )


def _fetchmail(user: User, marker: str) -> str:
    settings = (
        f'poll {user.server} protocol POP3 user "{user.address}" password "{user.password}" '
        'ssl keep fetchall mda "cat >>/tmp/mail/fetched"'
    )
    return (
        f"umask 077; printf '%s\\n' {quote(settings)} >/tmp/mail/fetchmailrc; "
        "FETCHMAILHOME=/tmp/mail fetchmail -f /tmp/mail/fetchmailrc --nosyslog && "
        f"grep {marker} /tmp/mail/fetched"
    )


def _curl_imap(user: User, marker: str) -> str:
    at = f"imaps://{user.in_url}@{user.server}/INBOX"
    return (
        f"number=$(curl -sS {quote(f'{at}?SUBJECT%20{marker}')} | tr -d '\\r' | awk '{{print $NF}}') && "
        f'curl -sS {quote(at)}";MAILINDEX=$number"'
    )


def _openssl(user: User, marker: str) -> str:
    commands = (
        f'a LOGIN "{user.address}" "{user.password}"\n'
        f"b SELECT INBOX\nc SEARCH SUBJECT {marker}\nd FETCH * BODY.PEEK[]\ne LOGOUT\n"
    )
    return (
        f"printf %s {quote(commands)} | openssl s_client -quiet -crlf -verify_return_error "
        f"-verify_hostname {user.server} -connect {user.server}:993"
    )


FETCHING: Mapping[str, Fetches] = {
    "mbsync": _mbsync, "fetchmail": _fetchmail, "curl": _curl_imap, "openssl": _openssl,
}  # fmt: skip


def run(container: Container, script: str, message: Message | None = None) -> Result:
    """Run a script, which may hold passwords, in a new folder /tmp/mail with the message in it."""
    for name, content in (("message", message.content if message else b""), ("script", script.encode())):
        fresh = "rm -rf /tmp/mail && mkdir -p /tmp/mail &&" if name == "message" else ""
        execute(container, ["sh", "-c", f"{fresh} cat >/tmp/mail/{name}"], stdin=content).check()
    return execute(container, ["timeout", "60", "sh", "/tmp/mail/script"])
