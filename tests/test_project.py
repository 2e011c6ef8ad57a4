"""The layout of the project: platform/ shadows no module, imports follow the layers, and the files agree."""

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
# The simulator uses only the network protocols of the platform; demo, bench and chaos also write to its database.
DATABASE_USERS = {"demo", "bench", "chaos", "management"}
# Lines; longer files should be split by concern.
MAX_LINES = 300


def imported(source: str) -> set[str]:
    """Return the top-level names of all absolute imports of a module."""
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


def test_django_system_checks_pass() -> None:
    checked = run("manage.py", "check", "--fail-level", "WARNING")

    assert checked.returncode == 0, checked.stderr
    assert "no issues" in checked.stdout


def test_no_migration_is_missing() -> None:
    checked = run("manage.py", "makemigrations", "--check", "--dry-run")

    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_platform_folder_does_not_shadow_the_stdlib_module() -> None:
    result = run("-c", "import platform; print(platform.system(), platform.__file__)")

    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("Linux") or result.stdout.startswith("Darwin")
    assert str(CHECKOUT) not in result.stdout


def test_platform_folder_is_not_a_package() -> None:
    assert list((CHECKOUT / "platform").glob("*.py")) == []


def test_simulated_network_imports_no_app() -> None:
    network = (path for path in modules("simulator") if not DATABASE_USERS & set(path.parts))
    wrong = {path.name for path in network if imported(path.read_text()) & {"mms", "handsets", "billing"}}

    assert wrong == set()


@pytest.mark.parametrize("package", ["base", "config", "mms", "handsets", "billing"])
def test_no_file_is_longer_than_300_lines(package: str) -> None:
    sources = (path for path in modules(package) if "migrations" not in path.parts)
    long = {path.name for path in sources if len(path.read_text().splitlines()) > MAX_LINES}

    assert long == set()


def test_import_reader_finds_every_form() -> None:
    source = "import mms.flow as flow\nfrom . import x\ndef late():\n    from billing.keys import new\n"

    assert imported(source) == {"mms", "billing"}


# In parts, so that this file does not contain the names.
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
    """Yield the files of the project, which may not be a git checkout."""
    generated = re.compile(r"\.git|\.venv|\.hypothesis|var|dist|__pycache__|.*_cache|.*\.egg-info")
    for folder, folders, files in os.walk(CHECKOUT):
        folders[:] = [name for name in folders if not generated.fullmatch(name)]
        yield from (Path(folder, name) for name in files)


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_every_locked_package_has_one_version_and_hashes(name: str) -> None:
    lines = (CHECKOUT / name).read_text().replace("\\\n", "").splitlines()
    entries = [line for line in lines if line[:1].isalnum()]
    packages = [entry.split("==")[0] for entry in entries]

    assert len(entries) > 20
    assert all("==" in entry and "--hash=sha256:" in entry for entry in entries)
    assert len(packages) == len(set(packages))
