"""What is hidden in a message is really there: a mail program's own library finds it again."""

import base64
import binascii
import io
import tarfile
import zipfile
import zlib
from email.message import EmailMessage, MIMEPart

import pytest

from fixtures.mail.headers import parse
from fixtures.mail.hiding import HIDINGS, message

SECRET = b"a harmless content of " + b"exactly as many octets as any other one"


def _unpacked(content: bytes) -> bytes:
    """The content without the archives around it."""
    while True:
        if content.startswith(b"PK"):
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                content = archive.read(archive.namelist()[0])
        elif content.startswith(b"\x1f\x8b"):
            content = zlib.decompress(content, 31)
        elif b"begin 644 notes.txt" in content:
            lines = content.splitlines()
            start = next(index for index, line in enumerate(lines) if line.startswith(b"begin ")) + 1
            return b"".join(binascii.a2b_uu(line) for line in lines[start:-2])
        elif content[257:262] == b"ustar":
            with tarfile.open(fileobj=io.BytesIO(content)) as archive:
                [name] = archive.getnames()
                found = archive.extractfile(name)
                assert found is not None
                content = found.read()
        else:
            return content


def _leaves(read: MIMEPart) -> list[bytes]:
    if read.is_multipart():
        return [leaf for part in read.iter_parts() for leaf in _leaves(part)]
    return [_unpacked(read.get_payload(decode=True))]  # type: ignore[arg-type]


def _forwarded(read: EmailMessage) -> EmailMessage:
    """The inner message, which RFC 2046 5.2.1 does not allow to be encoded, so that the library leaves it."""
    encoded = read.as_bytes().split(b"message/rfc822", 1)[1].split(b"\n\n", 2)[1]
    return parse(base64.b64decode(encoded))


@pytest.mark.req("R-7.1-hidden-virus")
@pytest.mark.parametrize("name", HIDINGS)
def test_the_content_comes_out_again(name: str) -> None:
    """Each way hides exactly what it was given, and another content is hidden no worse."""
    for content in (SECRET, SECRET.upper()):
        read = parse(message(name, content, "a@example.net", "b@example.org"))
        leaves = _leaves(read if name != "forwarded-base64" else _forwarded(read))
        assert any(content in leaf for leaf in leaves), leaves
