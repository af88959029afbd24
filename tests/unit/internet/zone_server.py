"""A name server in memory, for checkers that look records up by themselves."""

from collections.abc import Mapping
from typing import Any

import dns.flags
import dns.message
import dns.name
import dns.nameserver
import dns.rcode
import dns.rdataset
import dns.rdatatype
import dns.rrset
import dns.zone

from fixtures.internet.zones import ROOT


class ZoneServer(dns.nameserver.Nameserver):
    """Answers from zones as ``fixtures.internet.zones`` makes them, aliases followed, nothing else known."""

    def __init__(self, zones: Mapping[str, str]) -> None:
        self._records: dict[dns.name.Name, list[dns.rdataset.Rdataset]] = {}
        for name, text in zones.items():
            zone = dns.zone.from_text(text, origin="." if name == ROOT else f"{name}.", relativize=False)
            for owner, node in zone.nodes.items():
                self._records.setdefault(owner, []).extend(node.rdatasets)

    def __str__(self) -> str:
        return "zones in memory"

    def kind(self) -> str:
        """What it is, for messages."""
        return "memory"

    def is_always_max_size(self) -> bool:
        """No answer is cut."""
        return True

    def answer_nameserver(self) -> str:
        """Its address, for messages."""
        return "memory"

    def answer_port(self) -> int:
        """Its port, for messages."""
        return 53

    def query(self, request: dns.message.QueryMessage, *_: Any, **__: Any) -> dns.message.Message:
        """The answer, through the wire's form and back, as a real one comes."""
        answer = dns.message.make_response(request)
        answer.flags |= dns.flags.RA
        [question] = request.question
        answer.answer = self._found(question.name, question.rdtype)
        if question.name not in self._records:
            answer.set_rcode(dns.rcode.NXDOMAIN)
        return dns.message.from_wire(answer.to_wire())

    def _found(self, name: dns.name.Name, wanted: dns.rdatatype.RdataType) -> list[dns.rrset.RRset]:
        """The aliases on the way, and the records at its end."""
        kinds = {found.rdtype: found for found in self._records.get(name, [])}
        found = kinds.get(wanted) or kinds.get(dns.rdatatype.CNAME)
        if found is None:
            return []
        here = [dns.rrset.from_rdata_list(name, found.ttl, list(found))]
        return here if found.rdtype == wanted else here + self._found(found[0].target, wanted)
