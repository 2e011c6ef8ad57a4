"""Dockerfile, docker-compose.yml and .env.example agree with the code."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.validators import MaxValueValidator
from django.test import Client

from config import web, wsgi
from mms.models import Carrier
from mms.runtime.wakeup import QUEUES

CHECKOUT = Path(__file__).resolve().parents[2]
SETTINGS = CHECKOUT / "platform" / "config" / "settings.py"
COMPOSE: dict[str, Any] = yaml.safe_load((CHECKOUT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
PLATFORM_SERVICES = {name: service for name, service in SERVICES.items() if "build" in service}


def variables_of_settings() -> set[str]:
    """Return the names of the environment variables that the settings read."""
    text = SETTINGS.read_text() + (CHECKOUT / "platform" / "base" / "logs.py").read_text()
    return set(re.findall(r'\b(?:environ|environ\.get|flag|words|number)[(\[]"([A-Z0-9_]+)"', text))


def variables_of_example() -> dict[str, str]:
    """Return the variables of .env.example with their values, including commented ones."""
    text = (CHECKOUT / ".env.example").read_text()
    return dict(re.findall(r"^(?:# )?([A-Z][A-Z0-9_]+)=(.*)$", text, re.MULTILINE))


def dockerfile(instruction: str) -> list[list[str]]:
    """Return the words of each line with that instruction."""
    lines = (line.split() for line in (CHECKOUT / "Dockerfile").read_text().splitlines())
    return [words[1:] for words in lines if words[:1] == [instruction]]


def command_of(service: dict[str, Any]) -> list[str]:
    command = service["command"]
    assert isinstance(command, list), "must be a list: a shell would not pass on signals"
    return [str(word) for word in command]


def test_env_example_lists_exactly_the_settings() -> None:
    assert set(variables_of_example()) == variables_of_settings() | {"POSTGRES_PASSWORD"}


def test_env_example_contains_no_secret() -> None:
    example = variables_of_example()

    assert example["SECRET_KEY"] == ""
    assert example["POSTGRES_PASSWORD"] == ""


@pytest.mark.parametrize("name", SERVICES)
def test_every_image_is_pinned_or_built(name: str) -> None:
    service = SERVICES[name]
    image = service.get("image", "")

    assert "build" in service or re.fullmatch(r"[a-z/]+:\d[\w.-]*", image), image


def test_dockerfile_pins_base_image_and_drops_root() -> None:
    assert all(re.fullmatch(r"[a-z]+:\d[\w.-]*", base) for (base, *_) in dockerfile("FROM"))
    assert dockerfile("USER")[-1] not in (["root"], ["0"])


def test_dockerfile_copies_every_source_folder() -> None:
    copied = {source for words in dockerfile("COPY") for source in words[:-1]}

    assert copied == {"requirements.txt", "manage.py", "platform", "mms", "handsets", "billing"}
    assert [source for source in copied if not (CHECKOUT / source).exists()] == []


@pytest.mark.parametrize("name", PLATFORM_SERVICES)
def test_every_service_runs_an_existing_program(name: str) -> None:
    program, *arguments = command_of(PLATFORM_SERVICES[name])

    match program:
        case "python" if arguments[0] == "-m":
            assert (CHECKOUT / "platform" / f"{arguments[1].replace('.', '/')}.py").exists()
        case "python":
            assert (CHECKOUT / arguments[0]).exists()
        case "celery":
            application = CHECKOUT / "platform" / arguments[arguments.index("-A") + 1]
            assert (application / "celery.py").exists()
        case _:
            pytest.fail(f"{name} runs {program}")


def test_workers_serve_every_queue() -> None:
    served = {
        arguments[arguments.index("-Q") + 1]
        for arguments in (command_of(service) for service in PLATFORM_SERVICES.values())
        if "worker" in arguments
    }

    assert served == set(QUEUES.values())


@pytest.mark.parametrize("name", sorted(set(PLATFORM_SERVICES) - {"migrate"}))
def test_processes_wait_for_migrations_and_have_grace_period(name: str) -> None:
    service = PLATFORM_SERVICES[name]

    assert service["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}
    assert service["stop_grace_period"]
    assert service["restart"] == "unless-stopped"


def test_worker_grace_period_exceeds_longest_carrier_timeout() -> None:
    longest = next(
        v.limit_value for v in Carrier._meta.get_field("timeout").validators if isinstance(v, MaxValueValidator)
    )

    assert int(SERVICES["worker"]["stop_grace_period"].removesuffix("s")) >= longest + 30


@pytest.mark.parametrize("name", SERVICES)
def test_awaited_services_have_health_checks(name: str) -> None:
    for dependency, wait in SERVICES[name].get("depends_on", {}).items():
        if wait["condition"] == "service_healthy":
            assert "healthcheck" in SERVICES[dependency]


def test_web_health_check_uses_an_existing_endpoint() -> None:
    (probe,) = (word for word in SERVICES["web"]["healthcheck"]["test"] if "http://" in word)
    ((port, path),) = re.findall(r"http://127\.0\.0\.1:(\d+)(/\w+)", probe)

    assert f"--port={port}" in command_of(SERVICES["web"])
    assert Client().get(path).status_code == 200


def test_image_and_compose_start_the_same_web_server() -> None:
    (command,) = dockerfile("CMD")

    assert json.loads(" ".join(command)) == command_of(SERVICES["web"])
    assert command_of(SERVICES["web"])[:3] == ["python", "-m", "config.web"]


def test_granian_is_started_by_one_module_only() -> None:
    files = [path for folder in ("platform", "mms", "tests") for path in (CHECKOUT / folder).rglob("*.py")]
    starts = re.compile(r"""^import granian|["']granian["'],""", re.MULTILINE)

    found = {path.relative_to(CHECKOUT).as_posix() for path in files if starts.search(path.read_text())}
    assert found == {"platform/config/web.py", "tests/processes/preloaded_modules.py"}


def test_web_server_closes_silent_connections_of_http_1() -> None:
    options = dict(option.partition("=")[::2] for option in web.OPTIONS)

    assert options["--http"] == "1"
    assert 1_000 <= int(options["--http1-header-read-timeout"]) <= 10_000
    assert int(options["--backpressure"]) >= 16 * int(options["--blocking-threads"])
    assert wsgi.REQUESTS_MAX <= web.THREADS // 2


def test_services_use_the_platforms_log_configuration() -> None:
    assert web.LOG_CONFIG.exists()
    assert [name for name, service in PLATFORM_SERVICES.items() if "--loglevel" in command_of(service)] == []


@pytest.mark.parametrize("name", PLATFORM_SERVICES)
def test_compose_sets_only_variables_of_the_settings(name: str) -> None:
    # PGPASSWORD is read by libpq.
    assert set(PLATFORM_SERVICES[name].get("environment", {})) <= variables_of_settings() | {"PGPASSWORD"}


def test_every_used_volume_is_declared() -> None:
    used = {
        volume.split(":")[0]
        for service in SERVICES.values()
        for volume in service.get("volumes", [])
        if not volume.startswith((".", "/"))
    }

    assert used == set(COMPOSE["volumes"])
