"""Small servers on loopback that stand for a deployed system, and a SOCKS5 proxy that leads to them."""

import socket
import socketserver
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import dns.message
import dns.rcode
import dns.rrset

from fixtures.authority import Issued

Where = Mapping[int, int | str]
"""By the port that is asked for: the loopback port that serves it, or ``refused`` or ``filtered``."""

_REFUSED, _UNREACHABLE = 5, 4  # SOCKS replies (RFC 1928 section 6)


class _Tcp(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True

    def handle_error(self, *_: object) -> None:
        """A client that has seen enough hangs up, also in the middle."""


@contextmanager
def serving(handle: Callable[[socket.socket], None], port: int = 0) -> Iterator[int]:
    """A TCP server on loopback, at a free port unless one is given; yields its port."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            handle(self.request)

    with _Tcp(("127.0.0.1", port), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def proxy(where: Where, at: int = 0) -> Iterator[int]:
    """A SOCKS5 proxy (RFC 1928) for every name; ports that ``where`` does not name are filtered."""

    def handle(client: socket.socket) -> None:
        reader = client.makefile("rb")
        _, methods = reader.read(2)
        reader.read(methods)
        client.sendall(b"\x05\x00")
        kind = reader.read(4)[3]
        reader.read({1: 4, 4: 16}.get(kind) or reader.read(1)[0])
        port = int.from_bytes(reader.read(2), "big")
        there = where.get(port, "filtered")
        if isinstance(there, str):
            code = _REFUSED if there == "refused" else _UNREACHABLE
            client.sendall(bytes([5, code, 0, 1]) + bytes(6))
            return
        with socket.create_connection(("127.0.0.1", there)) as server:
            client.sendall(bytes([5, 0, 0, 1]) + bytes(6))
            back = threading.Thread(target=_pump, args=(server, client), daemon=True)
            back.start()
            _pump(client, server)
            back.join()

    with serving(handle, at) as port:
        yield port


def _pump(source: socket.socket, sink: socket.socket) -> None:
    try:
        while data := source.recv(4096):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        source.close()


def server_context(issued: Issued, folder: Path) -> ssl.SSLContext:
    """A server's TLS settings with this certificate."""
    (folder / "pair.pem").write_bytes(issued.certificate + issued.key)
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(folder / "pair.pem")
    return made


def tls(context: ssl.SSLContext) -> Callable[[socket.socket], None]:
    """A server that shakes hands and waits for the other side to leave."""

    def handle(client: socket.socket) -> None:
        with context.wrap_socket(client, server_side=True) as inside:
            inside.recv(1)

    return handle


def submission(context: ssl.SSLContext) -> Callable[[socket.socket], None]:
    """An SMTP server up to STARTTLS."""

    def handle(client: socket.socket) -> None:
        reader = client.makefile("rb")
        client.sendall(b"220 mx ESMTP\r\n")
        while line := reader.readline():
            if line.upper().startswith(b"STARTTLS"):
                client.sendall(b"220 go on\r\n")
                tls(context)(client)
                return
            client.sendall(b"250-mx\r\n250 STARTTLS\r\n")

    return handle


def imap(context: ssl.SSLContext, password: str) -> Callable[[socket.socket], None]:
    """An IMAP server over TLS that knows one password and nothing else."""

    def handle(client: socket.socket) -> None:
        with context.wrap_socket(client, server_side=True) as inside:
            reader = inside.makefile("rb")
            inside.sendall(b"* OK [CAPABILITY IMAP4rev1] ready\r\n")
            while line := reader.readline():
                tag, command, *words = line.split()
                if command.upper() == b"LOGIN" and password.encode() not in words[-1]:
                    inside.sendall(tag + b" NO [AUTHENTICATIONFAILED] no\r\n")
                elif command.upper() == b"CAPABILITY":
                    inside.sendall(b"* CAPABILITY IMAP4rev1\r\n" + tag + b" OK done\r\n")
                else:
                    inside.sendall(tag + b" OK done\r\n")

    return handle


@contextmanager
def name_server(records: Mapping[tuple[str, str], str]) -> Iterator[int]:
    """A DNS server (UDP) with these records, by name and kind; yields its port."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            data, back = self.request
            asked = dns.message.from_wire(data)
            [question] = asked.question
            answer = dns.message.make_response(asked)
            kind = question.rdtype.name
            name = question.name.to_text(omit_final_dot=True)
            if (name, kind) in records:
                answer.answer = [dns.rrset.from_text(question.name, 60, "IN", kind, records[name, kind])]
            elif not any(known == name for known, _ in records):
                answer.set_rcode(dns.rcode.NXDOMAIN)
            back.sendto(answer.to_wire(), self.client_address)

    with socketserver.UDPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()
