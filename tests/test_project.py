"""What the layout promises: platform/ shadows nothing, imports point one way, and the files agree."""

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parent.parent
SOURCES = {
    "base": CHECKOUT / "platform" / "base",
    "config": CHECKOUT / "platform" / "config",
    "simulator": CHECKOUT / "platform" / "simulator",
    "mms": CHECKOUT / "mms",
    "handsets": CHECKOUT / "handsets",
    "billing": CHECKOUT / "billing",
}
# The simulated network meets the platform over the wire alone; demo, bench and chaos load data into it.
LOADERS = {"demo", "bench", "chaos", "management"}
# Lines; longer files are to be split by concern.
LONGEST = 300


def imported(source: str) -> set[str]:
    """The top-level names of all absolute imports in a module, wherever they stand."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return found


def modules(package: str) -> Iterator[Path]:
    yield from sorted(SOURCES[package].rglob("*.py"))


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=CHECKOUT, env=environment, capture_output=True, text=True, check=False)


def test_django_checks_the_project_and_finds_nothing() -> None:
    checked = run("manage.py", "check", "--fail-level", "WARNING")

    assert checked.returncode == 0, checked.stderr
    assert "no issues" in checked.stdout


def test_no_migration_is_missing() -> None:
    checked = run("manage.py", "makemigrations", "--check", "--dry-run")

    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_standard_library_keeps_its_platform_module() -> None:
    asked = run("-c", "import platform; print(platform.system(), platform.__file__)")

    assert asked.returncode == 0, asked.stderr
    assert asked.stdout.startswith("Linux") or asked.stdout.startswith("Darwin")
    assert str(CHECKOUT) not in asked.stdout


def test_platform_is_a_source_root_and_never_a_package() -> None:
    assert list((CHECKOUT / "platform").glob("*.py")) == []


def test_simulated_network_imports_no_app() -> None:
    network = (path for path in modules("simulator") if not LOADERS & set(path.parts))
    wrong = {path.name for path in network if imported(path.read_text()) & {"mms", "handsets", "billing"}}

    assert wrong == set()


@pytest.mark.parametrize("package", ["base", "config", "mms", "handsets", "billing"])
def test_no_file_is_longer_than_300_lines(package: str) -> None:
    sources = (path for path in modules(package) if "migrations" not in path.parts)
    long = {path.name for path in sources if len(path.read_text().splitlines()) > LONGEST}

    assert long == set()


def test_the_import_reader_sees_every_form() -> None:
    source = "import mms.flow as flow\nfrom . import x\ndef late():\n    from billing.keys import new\n"

    assert imported(source) == {"mms", "billing"}


# Written apart, so that this file does not hold what it looks for.
REGISTRIES = tuple(
    ".".join(parts)
    for parts in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("npmjs", "org"),
        ("deb", "debian", "org"),
    )
)


def test_no_file_names_a_package_registry() -> None:
    naming = {
        str(path.relative_to(CHECKOUT))
        for path in tracked()
        if any(host in path.read_text(errors="replace") for host in REGISTRIES)
    }

    assert naming == set()


def tracked() -> Iterator[Path]:
    """The files of the project, which may lie here without git."""
    made = re.compile(r"\.git|\.venv|\.hypothesis|var|dist|__pycache__|.*_cache|.*\.egg-info")
    for folder, folders, files in os.walk(CHECKOUT):
        folders[:] = [name for name in folders if not made.fullmatch(name)]
        yield from (Path(folder, name) for name in files)


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_every_locked_package_has_one_version_and_hashes(name: str) -> None:
    lines = (CHECKOUT / name).read_text().replace("\\\n", "").splitlines()
    entries = [line for line in lines if line[:1].isalnum()]
    packages = [entry.split("==")[0] for entry in entries]

    assert len(entries) > 20
    assert all("==" in entry and "--hash=sha256:" in entry for entry in entries)
    assert len(packages) == len(set(packages))
