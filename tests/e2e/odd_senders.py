"""How senders hand over one message when they speak SMTP by hand: slowly, in chunks, not to the end."""

from datetime import timedelta

from fixtures.mail.message import Message
from fixtures.mail.outcome import Reply
from fixtures.probe.lines import Lines, expect
from fixtures.wait import wait_for
from tests.e2e.conftest import STRANGER

PIECES = 20


def begin(lines: Lines, user: str) -> None:
    """Go on to where the text is awaited."""
    for command, code in ((f"MAIL FROM:<{STRANGER}>", 250), (f"RCPT TO:<{user}>", 250), ("DATA", 354)):
        expect(lines.say(command), code)


def slow(lines: Lines, message: Message, user: str) -> Reply:
    """In pieces, a quarter of a second between them."""
    begin(lines, user)
    size = len(message.content) // PIECES + 1
    pieces = [message.content[at : at + size] for at in range(0, len(message.content), size)]

    def dribble() -> bool:
        lines.send(pieces.pop(0))
        return not pieces

    tempo = timedelta(milliseconds=250)
    wait_for("a slow sender to be through", dribble, timeout=timedelta(seconds=60), interval=tempo)
    lines.send(b".\r\n")
    return lines.reply()


def pipelined(lines: Lines, message: Message, user: str) -> Reply:
    """All commands in one packet, as RFC 2920 lets a client do."""
    lines.send(f"MAIL FROM:<{STRANGER}>\r\nRCPT TO:<{user}>\r\nDATA\r\n".encode())
    assert [lines.reply().code for _ in range(3)] == [250, 250, 354]
    lines.send(message.content + b".\r\n")
    return lines.reply()


def chunked(lines: Lines, message: Message, user: str) -> Reply:
    """In chunks instead of lines (RFC 3030), cut in the middle of one."""
    head, tail = message.content[:333], message.content[333:]
    for command, code in ((f"MAIL FROM:<{STRANGER}>", 250), (f"RCPT TO:<{user}>", 250)):
        expect(lines.say(command), code)
    lines.send(f"BDAT {len(head)}\r\n".encode() + head)
    expect(lines.reply(), 250)
    lines.send(f"BDAT {len(tail)} LAST\r\n".encode() + tail)
    return lines.reply()


def broken(lines: Lines, message: Message, user: str) -> Reply:
    """Gone just before the dot that would end the text: nobody can have taken it."""
    begin(lines, user)
    lines.send(message.content)
    return Reply(-1, "hung up before the end of data")


def silent(lines: Lines, message: Message, user: str) -> Reply:
    """Gone after the recipients, without a word of text."""
    begin(lines, user)
    return Reply(-1, "hung up before the text")
