"""Images by content: the tag changes with every byte, mode and parent, and with nothing else."""

from pathlib import Path

import pytest

from fixtures.engine.images import Image
from fixtures.world.images import catalogue


def _folder(base: Path, text: str = "FROM scratch\n") -> Path:
    base.mkdir()
    (base / "Dockerfile").write_text(text)
    (base / "run.sh").write_text("#!/bin/sh\n")
    return base


@pytest.mark.req("R-0-images-by-content")
def test_equal_content_has_one_tag(tmp_path: Path) -> None:
    """Two folders with the same names, modes and bytes give the same tag, whenever they were written."""
    assert Image("a", _folder(tmp_path / "one")).tag == Image("a", _folder(tmp_path / "two")).tag


@pytest.mark.req("R-0-images-by-content")
def test_a_changed_byte_changes_the_tag(tmp_path: Path) -> None:
    """One character in one file is another image."""
    before = Image("a", _folder(tmp_path / "one"))
    after = Image("a", _folder(tmp_path / "two", "FROM scratch\n#\n"))
    assert before.tag != after.tag


@pytest.mark.req("R-0-images-by-content")
def test_an_executable_bit_changes_the_tag(tmp_path: Path) -> None:
    """A script that lost its mode is another image."""
    before = Image("a", _folder(tmp_path / "one")).tag
    folder = _folder(tmp_path / "two")
    (folder / "run.sh").chmod(0o755)
    assert Image("a", folder).tag != before


@pytest.mark.req("R-0-images-by-content")
def test_a_changed_parent_changes_the_child(tmp_path: Path) -> None:
    """A new base reaches everything that stands on it."""
    child = _folder(tmp_path / "child")
    old = Image("child", child, {"BASE": Image("base", _folder(tmp_path / "old"))})
    new = Image("child", child, {"BASE": Image("base", _folder(tmp_path / "new", "FROM scratch\nUSER 1\n"))})
    assert old.tag != new.tag


@pytest.mark.req("R-1.2-images-built-here")
@pytest.mark.parametrize("name", sorted(set(catalogue()) - {"debian"}))
def test_every_image_of_the_world_stands_on_a_given_parent(name: str) -> None:
    """No Dockerfile names an image of its own: what is built on is what this run built."""
    image = catalogue()[name]
    text = (image.folder / "Dockerfile").read_text(encoding="utf-8")
    bases = [line.split()[1] for line in text.splitlines() if line.startswith("FROM ")]
    allowed = {f"${{{argument}}}" for argument in image.parents}
    stages = {line.split()[3] for line in text.splitlines() if line.startswith("FROM ") and " AS " in line}
    assert bases != []
    assert set(bases) <= allowed | stages


@pytest.mark.req("R-0-images-by-content")
def test_whoever_builds_first_makes_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a bare engine the root is bootstrapped by whatever needs it, not only by a whole world."""
    made: list[str] = []
    monkeypatch.setattr("fixtures.world.images.ensure_root_image", lambda: made.append("root"))
    catalogue()["debian"].build()
    assert made == ["root"]
