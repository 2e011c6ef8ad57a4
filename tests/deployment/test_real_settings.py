"""Settings that people really have: any password, addresses of private networks, a read-only code folder."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
import yaml
from django.core.exceptions import ValidationError
from django.db.models import Model
from psycopg import sql

from billing.models import Account
from mms.models import Carrier
from mms.models.postbacks import PostbackAttempt

CHECKOUT = Path(__file__).resolve().parents[2]
QUERY = "import django; django.setup(); from django.db import connection as c; u = c.cursor(); "
QUERY += "u.execute('SELECT current_user'); print(u.fetchone()[0])"


def others(model: type[Model], *names: str) -> set[str]:
    """Return the names of the model's fields other than these."""
    return {field.name for field in model._meta.fields} - {*names}


@pytest.mark.parametrize("password", ["pa/ss", "pa#ss?", "pa%41ss", "pa[s]:@s", "k+/A==", "with space & 'quote'"])
def test_any_password_passes_docker_compose(password: str) -> None:
    variables = yaml.safe_load((CHECKOUT / "docker-compose.yml").read_text())["services"]["web"]["environment"]
    given = {name: value.replace("${POSTGRES_PASSWORD:?set it in .env}", password) for name, value in variables.items()}
    server = urlsplit(os.environ["DATABASE_URL"])
    url = given["DATABASE_URL"].replace("postgres:5432/mms", f"{server.hostname}:{server.port}/postgres")
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as superuser:
        superuser.execute(sql.SQL("CREATE ROLE mms LOGIN PASSWORD {}").format(password))
        try:
            environment = {**os.environ, **given, "DATABASE_URL": url, "REDIS_URL": os.environ["REDIS_URL"]}
            environment["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
            command = [sys.executable, "-c", QUERY]
            assert (
                subprocess.run(command, env=environment, capture_output=True, text=True, check=False).stdout == "mms\n"
            )
        finally:
            superuser.execute("DROP ROLE mms")


@pytest.mark.parametrize(
    "url",
    [
        "http://mmsc:8080/mm7",
        "http://my_mmsc.example.com/mm7",
        "https://hooks.example.com/" + "x" * 1974,
        "http://user:secret@[2001:db8::1]:8080/mm7?a=%2F",
        "HTTP://10.0.0.1./",
    ],
)
def test_url_of_a_real_network_is_valid(url: str) -> None:
    Carrier(mmsc_url=url).clean_fields(exclude=others(Carrier, "mmsc_url"))
    Account(postback_url=url, mo_url=url).clean_fields(exclude=others(Account, "postback_url", "mo_url"))
    PostbackAttempt(url=url).clean_fields(exclude=others(PostbackAttempt, "url"))


@pytest.mark.parametrize(
    "url",
    [
        "mmsc:8080/mm7", "ftp://mmsc/mm7", "http://", "http:///mm7", "http://mm sc/", "http://mmsc/a b", "http://mmsc/\n",
        "http://mmsc:99999/", "http://mmsc:port/", "http://[::1/", "javascript:alert(1)", "http://mmsc/" + "x" * 2000,
    ],
)  # fmt: skip
def test_text_that_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(ValidationError):
        Carrier(mmsc_url=url).clean_fields(exclude=others(Carrier, "mmsc_url"))


def test_long_url_is_stored(db: None) -> None:
    url = "https://hooks/" + "x" * 1986
    account = Account.objects.create(name="Long", postback_url=url)
    account.full_clean()
    account.refresh_from_db()
    assert account.postback_url == url


def test_read_only_code_folder_starts(tmp_path: Path) -> None:
    for name in ("manage.py", "platform", "mms", "billing", "handsets"):
        source = CHECKOUT / name
        copy = shutil.copy if source.is_file() else shutil.copytree
        copy(source, tmp_path / name)
    (tmp_path / "var").touch()  # no folder can be made there, not even by root
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}:{tmp_path / 'platform'}"}
    command = [sys.executable, "-B", str(tmp_path / "manage.py"), "check"]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
