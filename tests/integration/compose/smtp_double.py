"""A scripted SMTP server that tells what it was told; runs inside a container with nothing but Python.

One JSON object a line on standard output: ``{"event": "command", "line": …}`` for what clients say (never
credentials), ``{"event": "message", "size": …}``, ``{"event": "auth", "ok": …}``. Recipients that begin
with ``unknown`` are refused, ``--hang`` greets nobody.
"""

import argparse
import asyncio
import base64
import json
import ssl
import sys
from pathlib import Path


def _say(**event: object) -> None:
    print(json.dumps(event), flush=True)


class Session:
    """One conversation."""

    def __init__(
        self, options: argparse.Namespace, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.options, self.reader, self.writer = options, reader, writer
        self.encrypted = self.authenticated = False

    async def _reply(self, *lines: str) -> None:
        code, last = lines[0], lines[-1]
        text = "".join(f"{code}-{line}\r\n" for line in lines[1:-1]) + f"{code} {last}\r\n"
        self.writer.write(text.encode())
        await self.writer.drain()

    async def run(self) -> None:
        """Converse until the client leaves."""
        if self.options.hang:
            await self.reader.read()
            return
        await self._reply("220", "double.example.net ESMTP")
        while line := (await self.reader.readline()).decode("latin-1").strip():
            verb = line.split(" ")[0].upper()
            _say(event="command", line=line if verb != "AUTH" else "AUTH")
            if verb == "QUIT":
                await self._reply("221", "bye")
                return
            await self._answer(verb, line)

    async def _answer(self, verb: str, line: str) -> None:
        if verb == "EHLO":
            tls = ["STARTTLS"] if self.options.cert and not self.encrypted else []
            login = ["AUTH PLAIN LOGIN"] if self.options.password_file and self.encrypted else []
            await self._reply("250", "double", *tls, *login, "XFORWARD NAME ADDR PROTO HELO", "8BITMIME")
        elif verb == "STARTTLS":
            await self._start_tls()
        elif verb == "AUTH":
            await self._login(line)
        elif verb == "MAIL" and self.options.password_file and not self.authenticated:
            await self._reply("530", "5.7.0 log in first")
        elif verb == "RCPT" and "<unknown" in line.lower():
            await self._reply("550", "5.1.1 no such user here")
        elif verb == "DATA":
            await self._reply("354", "go on")
            message = await self.reader.readuntil(b"\r\n.\r\n")
            _say(event="message", size=len(message), text=message.decode("utf-8", "replace"))
            await self._reply("250", "2.0.0 Ok: queued as DOUBLE1")
        else:
            await self._reply("250", "2.0.0 Ok")

    async def _start_tls(self) -> None:
        await self._reply("220", "2.0.0 ready")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.options.cert, self.options.key)
        await self.writer.start_tls(context)
        self.encrypted = True
        _say(event="tls", version=self.writer.get_extra_info("ssl_object").version())

    async def _login(self, line: str) -> None:
        """AUTH PLAIN with an initial response, which is what Postfix sends."""
        _, user, password = base64.b64decode(line.split(" ")[2]).decode().split("\0")
        self.authenticated = [user, password] == Path(self.options.password_file).read_text().split(":", 1)
        _say(event="auth", ok=self.authenticated, user=user)
        await self._reply(*(("235", "2.7.0 ok") if self.authenticated else ("535", "5.7.8 no")))


async def _main(options: argparse.Namespace) -> None:
    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await Session(options, reader, writer).run()
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError) as error:
            _say(event="broken", why=repr(error))
        finally:
            writer.close()

    server = await asyncio.start_server(converse, "0.0.0.0", options.port, limit=64 << 20)
    _say(event="ready")
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("--hang", action="store_true")
    parser.add_argument("--cert")
    parser.add_argument("--key")
    parser.add_argument("--password-file", help="holds user:password, which AUTH must give")
    sys.exit(asyncio.run(_main(parser.parse_args())))
