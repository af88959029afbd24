"""Captures are read as tcpdump writes them, and WireGuard is told from what only looks like it."""

import struct

import pytest

from fixtures.probe.pcap import TCP, UDP, Packet, PcapError, holding, parse, streams, wireguard_type

pytestmark = pytest.mark.req("R-0-captures")

_PORTS = struct.pack(">HH", 51820, 25)


def datagram(protocol: int, body: bytes, fragment: int = 0) -> bytes:
    """An IPv4 packet from 198.51.100.1 to 198.51.100.2, by RFC 791."""
    header = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(body), 1, fragment, 64, protocol, 0)
    return header + bytes([198, 51, 100, 1]) + bytes([198, 51, 100, 2]) + body


def tcp(payload: bytes) -> bytes:
    """A TCP segment with twelve bytes of options, by RFC 9293."""
    return datagram(TCP, _PORTS + bytes(8) + bytes([8 << 4, 0x18]) + bytes(6) + bytes(12) + payload)


def udp(payload: bytes) -> bytes:
    """A UDP datagram, by RFC 768."""
    return datagram(UDP, _PORTS + struct.pack(">HH", 8 + len(payload), 0) + payload)


def recorded(*frames: bytes, link: int = 101, order: str = "<") -> bytes:
    """A capture file with these frames (draft-ietf-opsawg-pcap)."""
    head = struct.pack(f"{order}IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, link)
    return head + b"".join(struct.pack(f"{order}IIII", 0, 0, len(f), len(f)) + f for f in frames)


@pytest.mark.parametrize("order", ["<", ">"])
def test_payload_is_what_stands_behind_all_headers(order: str) -> None:
    """TCP options and the Ethernet header are none of it, nor is the padding of a short frame."""
    ethernet = bytes(12) + struct.pack(">H", 0x0800)
    frames = [ethernet + tcp(b"MAIL") + b"padding", ethernet + udp(b"x"), bytes(12) + b"\x08\x06" + bytes(28)]
    ends = ("198.51.100.1", 51820, "198.51.100.2", 25)
    assert parse(recorded(*frames, link=1, order=order)) == [
        Packet(TCP, *ends, b"MAIL"),
        Packet(UDP, *ends, b"x"),
    ]
    assert parse(recorded(tcp(b"MAIL"), order=order)) == [Packet(TCP, *ends, b"MAIL")]


def test_a_fragment_without_ports_is_not_overlooked() -> None:
    """What follows in a fragmented packet has no header of its own: all of it is payload."""
    [packet] = parse(recorded(datagram(UDP, b"a later part of it", fragment=100)))
    assert (packet.source_port, packet.payload) == (0, b"a later part of it")


def test_what_is_no_whole_capture_is_an_error() -> None:
    """Nothing passes for an empty recording: neither another file, nor a cut one, nor cut packets."""
    whole = recorded(tcp(b"MAIL"))
    for broken in (b"", b"x" * 40, whole[:-1], whole[:30], recorded(tcp(b""), link=113)):
        with pytest.raises(PcapError):
            parse(broken)
    cut = bytearray(whole)
    struct.pack_into("<I", cut, 24 + 12, 1500)  # the original was longer than what was kept
    with pytest.raises(PcapError, match="1500"):
        parse(bytes(cut))


def test_a_word_is_found_across_packets_and_in_any_case() -> None:
    """A marker that two segments share is one word, and each direction is a stream of its own."""
    packets = parse(recorded(tcp(b"rcpt t"), udp(b"between"), tcp(b"o:<a>")))
    assert sorted(map(len, streams(packets).values())) == [7, 11]
    assert holding(packets, ["RCPT TO:", "between", "nowhere"]) == {
        "RCPT TO:": [packets[0].flow],
        "between": [packets[1].flow],
    }


def shaped(kind: int, length: int, reserved: bytes = bytes(3)) -> Packet:
    """A UDP packet that begins as WireGuard's do."""
    [packet] = parse(recorded(udp(bytes([kind]) + reserved + bytes(length - 4))))
    return packet


def test_wireguards_four_messages_are_known_by_their_form() -> None:
    """Type, reserved bytes and length as its protocol page gives them; the shortest data is a keepalive."""
    lengths = {1: [148], 2: [92], 3: [64], 4: [32, 48, 1456]}
    for kind, allowed in lengths.items():
        assert [wireguard_type(shaped(kind, length)) for length in allowed] == [kind] * len(allowed)


@pytest.mark.parametrize(
    "packet",
    [
        shaped(0, 148),
        shaped(5, 64),
        shaped(1, 147),
        shaped(2, 148),
        shaped(4, 40),
        shaped(4, 16),
        shaped(4, 64, b"\0\1\0"),
        parse(recorded(udp(b"EHLO mail.example.org\r\n" * 4)))[0],
        parse(recorded(tcp(bytes([4]) + bytes(47))))[0],
    ],
    ids=repr,
)
def test_what_differs_in_one_of_these_is_not(packet: Packet) -> None:
    """Another type, another length, a reserved byte that is set, clear text, TCP."""
    assert wireguard_type(packet) is None
