"""What the gateway is built from is in the repository, and nothing else is needed (design 9.1)."""

import re
from pathlib import Path

import pytest

from fixtures.aws.variables import CONTAINERS, terraform_variables
from fixtures.proof.mutants.tree import files_of
from fixtures.site import load_site
from fixtures.world.images import ROOT, catalogue
from tests.unit.infra.hcl import everything

pytestmark = pytest.mark.req("R-9.1-infrastructure-in-git")

FOLDERS = (ROOT / "infra/terraform", ROOT / "infra/task-definitions")


def tracked() -> list[Path]:
    """Every file that git has or would take; where there is no git, every file."""
    return [ROOT / name for name in files_of(ROOT)]


def beside(folder: Path) -> list[Path]:
    """The files that a Terraform folder's text names, as paths; a folder means its Python files."""
    named = [
        (path.parent / name).resolve()
        for path in sorted(folder.glob("*.tf"))
        for name in re.findall(r'"\$\{path\.(?:module|root)\}/([^"$]+)"', path.read_text("utf-8"))
    ]
    inside = [file for path in named if path.is_dir() for file in path.glob("*.py")]
    return [path for path in named if not path.is_dir()] + inside


def test_whatever_terraform_reads_is_there_and_tracked() -> None:
    """Git has every file that it names, and no other one in the two folders (9.1)."""
    everything_tracked = {path.resolve() for path in tracked()}
    known = {path for path in everything_tracked if any(path.is_relative_to(f) for f in FOLDERS)}
    named = beside(FOLDERS[0])
    assert (ROOT / "infra/task-definitions/mailserver-mx-task.json").resolve() in named
    assert (ROOT / "infra/dns_updater/updater.py").resolve() in named
    assert set(named) - everything_tracked == set()
    assert {path for path in known if path.suffix not in (".tf", ".hcl")} - set(named) == set()


def test_the_site_file_and_the_images_give_every_variable() -> None:
    """No value is left that somebody would have to remember; the harness gives none that is not asked for."""
    site = load_site(ROOT / "site.toml")
    given = set(terraform_variables(site, dict.fromkeys(CONTAINERS, "mail/image:1")))
    variables = {block.labels[0]: block for block in everything().inner("variable")}
    needed = {name for name, block in variables.items() if "default" not in block.attributes}
    assert needed - given == set()
    assert given - set(variables) == set()
    assert needed


@pytest.mark.parametrize("name", ["postfix", "tunnel"])
def test_the_gateways_images_are_built_from_tracked_files(name: str) -> None:
    """Dockerfile and all that it copies; the third image is Tailscale's own."""
    folder = catalogue()[name].folder
    text = (folder / "Dockerfile").read_text("utf-8")
    sources = [word for line in re.findall(r"^COPY (.+) \S+$", text, re.MULTILINE) for word in line.split()]
    assert sources
    files = tracked()
    assert [s for s in sources if not any(path.is_relative_to(folder / s) for path in files)] == []
