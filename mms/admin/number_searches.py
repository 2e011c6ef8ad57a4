"""Searches by number of operators who may not see numbers: each leaves an entry, and the entries limit them.

The entries are rows of Django's admin log, so the limit holds in all web processes and across restarts.
"""

from datetime import timedelta
from typing import Final

import structlog
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db.models import Model
from django.http import HttpRequest
from django.utils import timezone

from mms.admin import masking, search
from mms.models.tracking_ids import parse_tracking_id

log = structlog.get_logger()

# Different terms in an hour. Six hidden digits would take two years.
LIMIT: Final = 60
PERIOD: Final = timedelta(hours=1)
SEARCH: Final = 4  # the action flag of the entries; Django's own are 1 to 3
TERM_MAX: Final = 200  # characters of an entry; a longer term, which it could not hold, finds nothing
TOO_MANY: Final = f"You searched for more than {LIMIT} numbers within an hour. Search by tracking ID, or wait."


def is_by_number(term: str) -> bool:
    """Return whether the term is, or contains, what may be a number."""
    number = len(search.digits_of(term)) > masking.SHORT_CODE_MAX
    return number or (parse_tracking_id(term) is None and masking.mask_text(term) != term)


def admit(request: HttpRequest, model: type[Model], term: str) -> bool:
    """Record the search of these rows, and return whether the operator may make it.

    The entry is committed before entries are counted, so that concurrent searches count each other.
    """
    if len(term) > TERM_MAX:
        return False
    now, operator = timezone.now(), request.user.pk or 0
    LogEntry.objects.create(
        user_id=operator,
        action_time=now,
        content_type=ContentType.objects.get_for_model(model),
        object_repr=search.digits_of(term) or term,
        action_flag=SEARCH,
        change_message="searched by number",
    )
    recent = LogEntry.objects.filter(user_id=operator, action_flag=SEARCH, action_time__gt=now - PERIOD)
    terms = recent.order_by().values("object_repr").distinct().count()
    log.info("search by number", user=operator, rows=model._meta.model_name, term=term, terms=terms)
    return terms <= LIMIT
