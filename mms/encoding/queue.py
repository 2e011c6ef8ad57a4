"""The queue of encodings: claim due ones, and settle the templates and messages that wait for them.

A worker locks a template's row before it checks all of the template's encodings. Of two workers that end the last two
encodings at the same time, the later one therefore sees both.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction

from base import sql
from mms.content.encodings import ENCODED_KINDS
from mms.messages import charging, timeline, transitions
from mms.messages.timeline import Entry
from mms.models import LOCK_ORDER, Encoding, Medium, Message, Rendition, Slide, SlideMedium, Status, Template
from mms.postbacks import standalone
from mms.postbacks.notices import Notice

# Longer than the time limit of an encoding plus storing its files.
LEASE = timedelta(minutes=4)
# Claims without a result, because the worker died, after which the encoding fails.
TRIES_MAX = 3
# The last digit of the failure's postback code: E002 for a template, E012 for a message, and so on.
FAILURE_DIGITS = {Medium.Kind.AUDIO: 2, Medium.Kind.VIDEO: 3}


@dataclass(frozen=True, slots=True)
class NewVariant:
    """An encoded and stored variant: its recipe, MIME type, size in bytes and pixels, and file name."""

    recipe: str
    mime_type: str
    size: int
    width: int
    height: int
    file: str


@sql.repeats_outdated
def claim(now: datetime) -> Encoding | None:
    """Claim the encoding that is due first, under a lease. Fail those that reached the limit of tries."""
    while True:
        with transaction.atomic():
            rows = Encoding.objects.select_for_update(no_key=True, skip_locked=True, of=("self",))
            due = rows.filter(due_at__lte=now).select_related("medium").order_by("due_at").first()
            if due is None:
                return None
            if due.tries < TRIES_MAX:
                due.due_at, due.tries = now + LEASE, due.tries + 1
                due.save(update_fields=["due_at", "tries"])
                return due
            _fail_encoding(due, "every worker that tried crashed", now)


@sql.repeats_outdated
def complete(encoding: Encoding, variants: Sequence[NewVariant], seconds: int, now: datetime) -> bool:
    """Store the variants and settle the waiting templates; return False if the lease was lost."""
    with transaction.atomic():
        if not _end(encoding, status=Encoding.Status.DONE, seconds=seconds):
            return False
        Rendition.objects.bulk_create(
            Rendition(
                medium_id=encoding.medium_id,
                recipe=form.recipe,
                mime_type=form.mime_type,
                size=form.size,
                width=form.width,
                height=form.height,
                file=form.file,
            )
            for form in variants
        )
        _conclude_waiting(encoding, now)
    return True


@sql.repeats_outdated
def fail(encoding: Encoding, problem: str, now: datetime) -> None:
    """Fail the encoding, the templates that use its medium, and the messages that wait for those."""
    with transaction.atomic():
        _fail_encoding(encoding, problem, now)


def _fail_encoding(encoding: Encoding, problem: str, now: datetime) -> None:
    if _end(encoding, status=Encoding.Status.FAILED, problem=problem[:300]):
        _conclude_waiting(encoding, now)


def _end(encoding: Encoding, **changes: object) -> bool:
    """End the encoding if it is still under the lease of its claim; return whether it was."""
    claimed = Encoding.objects.filter(pk=encoding.pk, due_at=encoding.due_at)
    return bool(claimed.update(due_at=None, **changes))


def _conclude_waiting(encoding: Encoding, now: datetime) -> None:
    keys = SlideMedium.objects.filter(medium=encoding.medium_id).values("slide__template")
    waiting = Template.objects.filter(pk__in=keys, status=Template.Status.ENCODING).order_by("pk")
    templates = list(waiting.select_for_update(no_key=True, of=("self",)).select_related("account"))
    charging.lock_balances(_lock_messages(templates))
    for template in templates:
        conclude(template, now)


def conclude(template: Template, now: datetime) -> None:
    """Make a template ready if all its audio and video are encoded; fail it if one of them failed.

    The caller holds the transaction and the template's row.
    """
    uses = SlideMedium.objects.filter(slide__template=template, medium__kind__in=ENCODED_KINDS)
    uses = uses.select_related("slide", "medium__encoding").order_by("slide__position", "pk")
    failed = next((use for use in uses if use.medium.encoding.status == Encoding.Status.FAILED), None)
    if failed:
        _mark_failed(template, failed, now)
    elif all(use.medium.encoding.status == Encoding.Status.DONE for use in uses):
        _mark_ready(template, [(use.slide, use.medium.encoding.seconds or 1) for use in uses], now)


def _mark_ready(template: Template, played: Sequence[tuple[Slide, int]], now: datetime) -> None:
    for slide, seconds in played:
        Slide.objects.filter(pk=slide.pk).update(duration=seconds)
    template.status = Template.Status.READY
    template.save(update_fields=["status"])
    sent = _lock_messages([template])
    timeline.write((Entry(m, "encoded", "audio and video are ready", Notice("N013", "")) for m in sent), now)
    Message.objects.filter(pk__in=[m.pk for m in _still_waiting(sent)]).update(status=Status.ACCEPTED, due_at=now)
    if not sent:
        standalone.write_template_postback(template, "N003", {}, now)


def _mark_failed(template: Template, use: SlideMedium, now: datetime) -> None:
    kind, problem = Medium.Kind(use.medium.kind), use.medium.encoding.problem
    template.status = Template.Status.FAILED
    template.problem = f"slide {use.slide.position}: the {kind} could not be encoded: {problem}"[:300]
    template.save(update_fields=["status", "problem"])
    source, number = (f"{kind}-name", use.source_url), FAILURE_DIGITS[kind]
    sent = _lock_messages([template])
    notice = Notice(f"E01{number}", "", template.problem, source=source)
    timeline.write((Entry(m, "unencoded", template.problem, notice) for m in sent), now)
    transitions.fail(_still_waiting(sent), template.problem, now)
    if not sent:
        standalone.write_template_postback(
            template, f"E00{number}", dict([source, ("status-details", template.problem)]), now
        )


def _lock_messages(templates: Sequence[Template]) -> list[Message]:
    """Lock and return the messages of these templates, which sendMMS created with them."""
    rows = Message.objects.select_for_update(no_key=True, of=("self",)).select_related("carrier", "account")
    return list(rows.filter(template__in=templates).order_by(*LOCK_ORDER))


def _still_waiting(messages: Sequence[Message]) -> list[Message]:
    """Return the messages that still wait; a message may expire before its audio or video is encoded."""
    return [message for message in messages if message.status == Status.ENCODING]
