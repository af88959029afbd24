"""Reading Terraform files as far as the specs here need it: blocks, their labels, and attributes as text."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

TERRAFORM = Path(__file__).resolve().parents[3] / "infra/terraform"
_BLOCK = re.compile(r'^(\w+)((?: "[^"]*")*) \{$')
_STRING = re.compile(r'"(?:\\.|[^"\\])*"')


@dataclass(frozen=True)
class Block:
    """``kind "label" "label" { … }``; an attribute's value is its source text with single spaces."""

    kind: str
    labels: tuple[str, ...] = ()
    attributes: dict[str, str] = field(default_factory=dict)
    blocks: list["Block"] = field(default_factory=list)

    def inner(self, kind: str) -> list["Block"]:
        """The blocks of a kind directly inside."""
        return [block for block in self.blocks if block.kind == kind]


@cache
def everything() -> Block:
    """All files of the folder as one block without a name."""
    lines = (line for path in sorted(TERRAFORM.glob("*.tf")) for line in path.read_text("utf-8").splitlines())
    return _fill(Block(""), filter(None, map(_code, lines)))


def resources(kind: str) -> dict[str, Block]:
    """The resources of a type by name."""
    return {block.labels[1]: block for block in everything().inner("resource") if block.labels[0] == kind}


def document(name: str) -> list[Block]:
    """The statements of a policy document."""
    [found] = [block for block in everything().inner("data") if block.labels[1] == name]
    return found.inner("statement")


def _code(line: str) -> str:
    """A line without its comment and outer spaces; a # inside a string is text."""
    hidden = _STRING.sub(lambda found: "x" * len(found[0]), line)
    return line[: hidden.index("#")].strip() if "#" in hidden else line.strip()


def _fill(block: Block, lines: Iterator[str]) -> Block:
    for line in lines:
        if line == "}":
            return block
        if opened := _BLOCK.match(line):
            labels = tuple(re.findall(r'"([^"]*)"', opened[2]))
            block.blocks.append(_fill(Block(opened[1], labels), lines))
            continue
        name, _, value = line.partition("=")
        while not _balanced(value):
            value += f" {next(lines)}"
        block.attributes[name.strip()] = " ".join(value.split())
    return block


def _balanced(text: str) -> bool:
    plain = _STRING.sub("", text)
    return all(plain.count(one) == plain.count(other) for one, other in ("()", "[]", "{}"))
