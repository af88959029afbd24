"""Runs inside a machine of the tailnet: which of many ports answer with their own number, all tried at once.

``python3 - HOST,HOST PORT,PORT [PROXY-PORT]`` prints a line ``HOST PORT`` for each. Needs nothing but Python.
"""

import asyncio
import contextlib
import sys
from itertools import product

PATIENCE = 3.0


async def greeting(host: str, port: int, proxy: int) -> bytes:
    """The first line that a port says, directly or through the CONNECT proxy on this machine."""
    reader, writer = await asyncio.open_connection(*(("127.0.0.1", proxy) if proxy else (host, port)))
    try:
        if proxy:
            writer.write(f"CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode())
            await reader.readuntil(b"\r\n\r\n")
        return await reader.readline()
    finally:
        writer.close()


async def look(host: str, port: int, proxy: int) -> None:
    """Print host and port when the port's own listener answers in time."""
    with contextlib.suppress(OSError, EOFError, asyncio.TimeoutError):
        said = await asyncio.wait_for(greeting(host, port, proxy), PATIENCE)
        if said == f"port {port}\n".encode():
            print(host, port)


async def main(hosts: str, ports: str, proxy: str = "0") -> None:
    """Try every port of every host."""
    pairs = product(hosts.split(","), map(int, ports.split(",")))
    await asyncio.gather(*(look(host, port, int(proxy)) for host, port in pairs))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
