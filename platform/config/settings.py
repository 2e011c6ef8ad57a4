"""Settings, read from the environment; .env.example lists every variable with its meaning.

Without DATABASE_URL and REDIS_URL, the embedded servers of `manage.py servers start` are used.
"""

import gc
import os
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

from celery.schedules import crontab
from django.core.exceptions import ImproperlyConfigured

from base import logs, time_limits
from config import connections, console, embedded

BASE_DIR = Path(__file__).resolve().parent.parent.parent


def flag(name: str, default: str = "false") -> bool:
    """Return a variable of the environment as a boolean."""
    return os.environ.get(name, default).lower() in {"1", "true", "yes", "on"}


def words(name: str, default: str = "") -> list[str]:
    """Return a comma-separated variable of the environment as a list."""
    return [word.strip() for word in os.environ.get(name, default).split(",") if word.strip()]


embedded.export_variables(BASE_DIR)

DEBUG = flag("DEBUG")
SECRET_KEY = os.environ["SECRET_KEY"]
SECRET_KEY_FALLBACKS = words("SECRET_KEY_FALLBACKS")
# The secret that keys the hashes of API keys; by default, and for keys issued before it was set, SECRET_KEY.
API_KEY_SECRET = os.environ.get("API_KEY_SECRET") or SECRET_KEY
API_KEY_SECRET_FALLBACKS = [
    secret
    for secret in dict.fromkeys([*words("API_KEY_SECRET_FALLBACKS"), SECRET_KEY, *SECRET_KEY_FALLBACKS])
    if secret != API_KEY_SECRET
]
ALLOWED_HOSTS = words("ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]")
CSRF_TRUSTED_ORIGINS = words("CSRF_TRUSTED_ORIGINS")
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"
USE_I18N = False
FORMAT_MODULE_PATH = "config.formats"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
APPEND_SLASH = False

INSTALLED_APPS = [
    "config",  # before the theme, some of whose templates it overrides
    "unfold",
    "unfold.contrib.filters",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "rest_framework",
    "billing",
    "handsets",
    "mms",
    "simulator",
]

# Probes and scrapers are answered first, then API and MM7 requests: only the admin needs sessions, CSRF protection and
# messages.
MIDDLEWARE = [
    "mms.observation.views.middleware",
    "config.fast_routes.middleware",
    "django.middleware.security.SecurityMiddleware",
    "config.csp.middleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

# A pool, because a new connection costs PostgreSQL 5 to 6 ms of processor time. Connections are checked on checkout,
# because a database restart breaks them. Nothing here turns synchronous_commit off. Parameters of the URL, such as
# sslmode, come last.
_database = connections.database(os.environ["DATABASE_URL"])
DATABASES = {
    "default": {
        **_database,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {
            "pool": {
                "min_size": 1,
                "max_size": 20,
                "timeout": time_limits.CHECKOUT,
                "connection_class": time_limits.Connection,
            },
            "prepare_threshold": 0,
            **_database["OPTIONS"],
        },
    }
}

# Content is stored by Django's storage API in files on disk, as durable as the rows that name them.
MEDIA_ROOT = Path(os.environ.get("MEDIA_ROOT", BASE_DIR / "var" / "media"))
STORAGES = {
    "default": {"BACKEND": "base.storage.DurableStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "var" / "static"
with suppress(OSError):  # a read-only code folder; collectstatic has filled it, or the files of the apps are served
    STATIC_ROOT.mkdir(parents=True, exist_ok=True)  # whitenoise warns about a missing folder
WHITENOISE_USE_FINDERS = True

# The largest request body, in bytes; a larger one is refused before it is parsed.
DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024

REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": [],
    "UNAUTHENTICATED_USER": None,
}

# The broker carries only wake-ups. The database holds all state, so tasks may be lost and have no results.
REDIS_URL = connections.broker(os.environ["REDIS_URL"])
CELERY_BROKER_URL = REDIS_URL
CELERY_TASK_IGNORE_RESULT = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
# Seconds, for the nightly and hourly tasks, which read much; the others have limits of their own (mms/tasks.py).
CELERY_TASK_TIME_LIMIT = 3600
CELERY_DB_REUSE_MAX = 1000  # tasks, after which a worker reconnects
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
# Without acknowledgements: no task needs to be delivered again, and a worker with an unacknowledged task would not
# survive a broker restart (kombu 5.7 fails when it restores the task).
CELERY_BROKER_TRANSPORT_OPTIONS = {"socket_connect_timeout": 2, "socket_timeout": 10, "ack_emulation": False}
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = False
# The sweeps are wake-ups; the other tasks share their queues. Under load a task waits there for some time slices of the
# tasks before it (mms/runtime/time_slice.py), so a shorter `expires` would discard it unread.
CELERY_BEAT_SCHEDULER = "config.beat:Scheduler"
CELERY_BEAT_SCHEDULE = {
    "sweep messages": {"task": "mms.work", "schedule": 1.0},
    "sweep postbacks": {"task": "mms.notify", "schedule": 1.0},
    "sweep media": {"task": "mms.encode", "schedule": 1.0},
    "fail what expired at disabled carriers": {
        "task": "mms.fail_expired_at_disabled_carriers",
        "schedule": 60,
        "options": {"queue": "flow", "expires": 600},
    },
    "remove orphaned files": {
        "task": "mms.remove_orphaned_files",
        "schedule": 3600,
        "options": {"queue": "media", "expires": 3600},
    },
    "notify low balances": {
        "task": "mms.notify_low_balances",
        "schedule": 60,
        "options": {"queue": "postbacks", "expires": 600},
    },
    "reconcile the ledger": {
        "task": "billing.audit",
        "schedule": crontab(hour="3", minute="30"),
        "options": {"queue": "postbacks", "expires": 3600},
    },
}

# The mail server, for low-balance notices.
EMAIL_HOST = os.environ.get("EMAIL_HOST", "localhost")
EMAIL_PORT = int(os.environ.get("EMAIL_PORT", "25"))
EMAIL_HOST_USER = os.environ.get("EMAIL_HOST_USER", "")
EMAIL_HOST_PASSWORD = os.environ.get("EMAIL_HOST_PASSWORD", "")
EMAIL_USE_TLS = flag("EMAIL_USE_TLS")  # STARTTLS
EMAIL_USE_SSL = flag("EMAIL_USE_SSL")  # TLS from the first byte, as on port 465
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = os.environ.get("DEFAULT_FROM_EMAIL", "mms@localhost")

# Private, loopback or link-local networks that submits, postbacks and downloads may reach (CIDR, comma-separated).
MMSC_ALLOWED_NETWORKS = words("MMSC_ALLOWED_NETWORKS")
POSTBACK_ALLOWED_NETWORKS = words("POSTBACK_ALLOWED_NETWORKS")
DOWNLOAD_ALLOWED_NETWORKS = words("DOWNLOAD_ALLOWED_NETWORKS")
# The product, its version and, by default where one is set, the address of whoever runs it.
VERSION = "0.1.0"
_contact = f" ({DEFAULT_FROM_EMAIL})" if "DEFAULT_FROM_EMAIL" in os.environ else ""
HTTP_USER_AGENT = os.environ.get("HTTP_USER_AGENT") or f"mms-platform/{VERSION}{_contact}"
if not (HTTP_USER_AGENT.isascii() and HTTP_USER_AGENT.isprintable()):
    raise ImproperlyConfigured("HTTP_USER_AGENT: a header may contain only printable ASCII characters")
REPLACED = "OUTBOUND_ALLOWED_NETWORKS"
if words(REPLACED):
    raise ImproperlyConfigured(
        f"{REPLACED} is replaced: set MMSC_ALLOWED_NETWORKS to the networks of MMSCs. POSTBACK_ALLOWED_NETWORKS and "
        "DOWNLOAD_ALLOWED_NETWORKS are needed only for customers' servers at private addresses."
    )
# Trusted reverse proxies (CIDR, comma-separated), and the header that all of them maintain: X-Forwarded-For, with
# X-Forwarded-Proto, or Forwarded. Any other header may be the client's.
TRUSTED_PROXIES = words("TRUSTED_PROXIES")
FORWARDED_HEADER = os.environ.get("FORWARDED_HEADER", "X-Forwarded-For").title()
if FORWARDED_HEADER not in {"X-Forwarded-For", "Forwarded"}:
    raise ImproperlyConfigured("FORWARDED_HEADER: the header is X-Forwarded-For or Forwarded")
# The bearer token of Prometheus for /metrics; empty: no metrics.
METRICS_TOKEN = os.environ.get("METRICS_TOKEN", "")
# How long a message waits for a delivery report after its expiry: MMSCs try until then, and report afterwards.
REPORT_GRACE = timedelta(seconds=int(os.environ.get("REPORT_GRACE_SECONDS", "300")))
# Days after which a cached handset counts as unknown.
HANDSET_CACHE_DAYS = int(os.environ.get("HANDSET_CACHE_DAYS", "180"))

SECURE_CONTENT_TYPE_NOSNIFF = True
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = flag("SECURE_COOKIES")
LOGGING_CONFIG = None
logs.configure(os.environ.get("LOG_LEVEL", "INFO"))

UNFOLD = console.UNFOLD

# Python's default, a collection for every 700 new objects, would search the objects of a batch several times for
# reference cycles, of which our code creates hardly any.
gc.set_threshold(20_000)
