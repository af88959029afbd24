"""Nothing stands in the repository that nobody uses, runs or proves, and nothing points into the void."""

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import yaml

from fixtures.aws.variables import CONTAINERS
from fixtures.proof.requirements import CATALOGUE, LIVE, load_catalogue
from fixtures.proof.results import layer_of
from fixtures.world.images import ROOT, catalogue
from tests.lint import tracked

pytestmark = pytest.mark.req("R-0-folders-agree")

COMPOSE = ROOT / "compose"
SERVICES = sorted(yaml.safe_load((COMPOSE / "docker-compose.yml").read_text(encoding="utf-8"))["services"])


@cache
def _files() -> tuple[Path, ...]:
    """Every file of the repository; asked for late, since a copy without git can still be collected."""
    return tuple(tracked())


def _image_folders() -> set[Path]:
    return {path.parent for path in _files() if path.name == "Dockerfile"}


def _run_by() -> dict[str, str]:
    """Images by name, with what runs them: a service, the task, a place, specs, or another image."""
    compose = (COMPOSE / "docker-compose.yml").read_text(encoding="utf-8")
    used = {name.lower(): "a service" for name in re.findall(r"image: \$\{IMAGE_([A-Z_]+):\?\}", compose)}
    task = (ROOT / "infra/task-definitions/mailserver-mx-task.json").read_text(encoding="utf-8")
    used |= dict.fromkeys(re.findall(r"images\.(\w+)", task), "the task")
    for path in (ROOT / "fixtures" / "world").glob("*.py"):
        used |= dict.fromkeys(re.findall(r'\btag\("([\w-]+)"\)', path.read_text("utf-8")), path.name)
    for path in (ROOT / "fixtures" / "targets").glob("*.py"):
        used |= dict.fromkeys(re.findall(r'\.images\["([\w-]+)"\]', path.read_text("utf-8")), path.name)
    for image in catalogue().values():
        used |= {parent.name: f"image {image.name}" for parent in image.parents.values()}
    return used


def test_every_image_folder_is_built() -> None:
    """A Dockerfile that the catalogue of images does not know is never tried; one that is gone cannot be."""
    assert _image_folders() == {image.folder for image in catalogue().values() if image.name != "debian"}


@pytest.mark.parametrize("name", sorted(catalogue()))
def test_every_image_is_run_by_something(name: str) -> None:
    """A service of the compose file, a container of the task, a place of the world, or a further image."""
    assert name in _run_by()


def test_services_configurations_and_images_are_the_same() -> None:
    """Each service has a folder of settings and an image; neither exists without a service."""
    assert sorted(path.name for path in (COMPOSE / "config").iterdir()) == SERVICES
    images = {folder.name for folder in _image_folders() if folder.parent == COMPOSE / "images"}
    assert images - {"base", "base-trixie"} - set(CONTAINERS) == set(SERVICES) - set(CONTAINERS)


def _names(function: ast.FunctionDef) -> Iterator[str]:
    """The strings in a function and its decorators, its docstring left out."""
    prose = ast.get_docstring(function, clean=False)
    for node in ast.walk(function):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value != prose:
            yield node.value


def _specs_naming(word: str) -> list[str]:
    """Specs in containers (integration, e2e) that use a word in their code."""
    pattern = re.compile(rf"(?<![a-z]){re.escape(word)}(?![a-z])", re.IGNORECASE)
    found = []
    for layer in ("integration", "e2e"):
        for path in (ROOT / "tests" / layer).rglob("test_*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                    found += [node.name] if any(pattern.search(text) for text in _names(node)) else []
    return found


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_has_a_spec_that_names_it(service: str) -> None:
    """In its code, not in prose; a service that is not there has none."""
    assert _specs_naming(service)
    assert _specs_naming(f"{service}-of-no-use") == []


@pytest.fixture(scope="module")
def shown() -> set[tuple[str, str]]:
    """Each requirement with each layer that has a spec of it, by pytest's own collection."""
    argv = [sys.executable, "-m", "tests.meta.proof_collected"]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    specs: dict[str, list[str]] = json.loads(done.stdout)
    return {(id_, layer_of(spec)) for spec, ids in specs.items() for id_ in ids}


def test_every_closed_requirement_has_a_spec_in_each_of_its_layers(shown: set[tuple[str, str]]) -> None:
    """Without running anything: what no spec names cannot be proven by a run."""
    rows = load_catalogue(ROOT / CATALOGUE).rows.values()
    owed = {(row.id, layer) for row in rows if row.open is None for layer in row.layers if layer != LIVE}
    assert owed - shown == set()
    assert owed


def test_no_layer_shows_what_its_row_does_not_ask_of_it(shown: set[tuple[str, str]]) -> None:
    """The catalogue is what people read: a layer that shows a closed row stands in it."""
    rows = load_catalogue(ROOT / CATALOGUE).rows
    assert {
        (id_, layer) for id_, layer in shown if not rows[id_].open and layer not in rows[id_].layers
    } == set()


def _links(path: Path) -> list[str]:
    """The targets of a document's links within the repository."""
    found = re.findall(r"\]\(([^)\s]+)\)", path.read_text(encoding="utf-8"))
    return [target for target in found if "://" not in target and not target.startswith("mailto:")]


def _headings(path: Path) -> set[str]:
    """A document's anchors, made of its headings as forges make them."""
    lines = re.findall(r"^#+ +(.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", line.lower()).strip().replace(" ", "-") for line in lines}


def test_every_link_of_the_documents_has_a_target() -> None:
    """Files, folders and headings that documents point to are there, for whoever clones the repository."""
    documents = [path for path in _files() if path.suffix == ".md"]
    links = [(path, link) for path in documents for link in _links(path)]
    assert len(links) >= 2
    for path, link in links:
        name, _, anchor = link.partition("#")
        target = (path.parent / name).resolve() if name else path
        held = any(file.is_relative_to(target) for file in _files())
        assert held, f"{path.relative_to(ROOT)}: {link}"
        assert not anchor or anchor in _headings(target), f"{path.relative_to(ROOT)}: {link}"
