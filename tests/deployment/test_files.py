"""The files of a deployment agree with the code: variables, images, commands."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.validators import MaxValueValidator
from django.test import Client

from mms.models import Carrier
from mms.runtime.wakeup import QUEUES

CHECKOUT = Path(__file__).resolve().parents[2]
SETTINGS = CHECKOUT / "platform" / "config" / "settings.py"
COMPOSE: dict[str, Any] = yaml.safe_load((CHECKOUT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if "build" in service}


def variables_of_settings() -> set[str]:
    """The names of the environment variables that the settings read, by os.environ or their own readers."""
    text = SETTINGS.read_text() + (CHECKOUT / "platform" / "base" / "logs.py").read_text()
    return set(re.findall(r'\b(?:environ|environ\.get|flag|words|number)[(\[]"([A-Z0-9_]+)"', text))


def variables_of_example() -> dict[str, str]:
    """Name -> value of .env.example, those commented out included."""
    text = (CHECKOUT / ".env.example").read_text()
    return dict(re.findall(r"^(?:# )?([A-Z][A-Z0-9_]+)=(.*)$", text, re.MULTILINE))


def dockerfile(instruction: str) -> list[list[str]]:
    """The words of each line with that instruction."""
    lines = (line.split() for line in (CHECKOUT / "Dockerfile").read_text().splitlines())
    return [words[1:] for words in lines if words[:1] == [instruction]]


def words_of(service: dict[str, Any]) -> list[str]:
    command = service["command"]
    assert isinstance(command, list), "a list, so that no shell stands between the signal and the process"
    return [str(word) for word in command]


def test_the_example_names_every_variable_and_no_other() -> None:
    assert set(variables_of_example()) == variables_of_settings() | {"POSTGRES_PASSWORD"}


def test_the_example_holds_no_secret() -> None:
    example = variables_of_example()

    assert example["SECRET_KEY"] == ""
    assert example["POSTGRES_PASSWORD"] == ""


@pytest.mark.parametrize("name", SERVICES)
def test_every_image_is_pinned_or_built_here(name: str) -> None:
    service = SERVICES[name]
    image = service.get("image", "")

    assert "build" in service or re.fullmatch(r"[a-z/]+:\d[\w.-]*", image), image


def test_the_dockerfile_pins_its_base_and_gives_up_root() -> None:
    assert all(re.fullmatch(r"[a-z]+:\d[\w.-]*", base) for (base, *_) in dockerfile("FROM"))
    assert dockerfile("USER")[-1] not in (["root"], ["0"])


def test_the_dockerfile_copies_every_source_and_only_what_exists() -> None:
    copied = {source for words in dockerfile("COPY") for source in words[:-1]}

    assert copied == {"requirements.txt", "manage.py", "platform", "mms", "handsets", "billing"}
    assert [source for source in copied if not (CHECKOUT / source).exists()] == []


@pytest.mark.parametrize("name", OURS)
def test_each_of_our_services_runs_something_that_exists(name: str) -> None:
    program, *arguments = words_of(OURS[name])

    match program:
        case "python":
            assert (CHECKOUT / arguments[0]).exists()
        case "granian":
            module = arguments[-1].split(":")[0]
            assert (CHECKOUT / "platform" / f"{module.replace('.', '/')}.py").exists()
        case "celery":
            application = CHECKOUT / "platform" / arguments[arguments.index("-A") + 1]
            assert (application / "celery.py").exists()
        case _:
            pytest.fail(f"{name} runs {program}")


def test_workers_between_them_serve_every_queue() -> None:
    served = {
        arguments[arguments.index("-Q") + 1]
        for arguments in (words_of(service) for service in OURS.values())
        if "worker" in arguments
    }

    assert served == set(QUEUES.values())


@pytest.mark.parametrize("name", sorted(set(OURS) - {"migrate"}))
def test_processes_wait_for_migrations_and_have_time_to_stop(name: str) -> None:
    service = OURS[name]

    assert service["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}
    assert service["stop_grace_period"]
    assert service["restart"] == "unless-stopped"


def test_a_worker_has_time_to_prepare_what_it_has_begun_and_to_hear_the_slowest_mmsc() -> None:
    longest = next(
        v.limit_value for v in Carrier._meta.get_field("timeout").validators if isinstance(v, MaxValueValidator)
    )

    assert int(SERVICES["worker"]["stop_grace_period"].removesuffix("s")) >= longest + 30


@pytest.mark.parametrize("name", SERVICES)
def test_dependencies_have_the_health_check_that_they_are_waited_for_by(name: str) -> None:
    for dependency, wait in SERVICES[name].get("depends_on", {}).items():
        if wait["condition"] == "service_healthy":
            assert "healthcheck" in SERVICES[dependency]


def test_the_web_is_asked_for_its_health_at_a_door_that_answers_at_its_own_port() -> None:
    (probe,) = (word for word in SERVICES["web"]["healthcheck"]["test"] if "http://" in word)
    ((port, path),) = re.findall(r"http://127\.0\.0\.1:(\d+)(/\w+)", probe)

    assert f"--port={port}" in words_of(SERVICES["web"])
    assert Client().get(path).status_code == 200


def test_logs_are_set_up_by_the_platform_alone() -> None:
    (log_config,) = (word for word in words_of(SERVICES["web"]) if word.startswith("--log-config="))

    assert (CHECKOUT / log_config.partition("=")[2]).exists()
    assert [name for name, service in OURS.items() if "--loglevel" in words_of(service)] == []


@pytest.mark.parametrize("name", OURS)
def test_every_variable_that_compose_sets_is_one_that_settings_read(name: str) -> None:
    assert set(OURS[name].get("environment", {})) <= variables_of_settings()


def test_volumes_are_declared() -> None:
    used = {
        volume.split(":")[0]
        for service in SERVICES.values()
        for volume in service.get("volumes", [])
        if not volume.startswith((".", "/"))
    }

    assert used == set(COMPOSE["volumes"])
