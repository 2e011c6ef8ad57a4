"""The encodings that are due, and what the end of one means for the templates and messages that wait for it.

Whoever concludes a template holds its row and looks at all its encodings then: of two workers that end the last two
at the same moment, the later one sees both.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction

from mms.content.encodings import ENCODED_KINDS
from mms.messages import charging, timeline, transitions
from mms.messages.timeline import Entry
from mms.models import LOCK_ORDER, Encoding, Medium, Message, Rendition, Slide, SlideMedium, Status, Template
from mms.postbacks import standalone
from mms.postbacks.notices import Notice

# Longer than an encoding may take, with what it takes to store its files.
LEASE = timedelta(minutes=4)
# Workers that may die over an encoding before the medium counts as one that cannot be encoded.
TRIES_MAX = 3
# The last digit of the postback that tells of its failure: E002 of a template, E012 of a message, and so on.
FAILURE_DIGITS = {Medium.Kind.AUDIO: 2, Medium.Kind.VIDEO: 3}


@dataclass(frozen=True, slots=True)
class NewVariant:
    """A form as it was made and stored: its name, MIME type, bytes, pixels, the name of its file."""

    recipe: str
    mime_type: str
    size: int
    width: int
    height: int
    file: str


# --- what is to be done -------------------------------------------------------------------------------------------


def claim(now: datetime) -> Encoding | None:
    """Takes the encoding that is due first: it is ours until the lease ends. Those that killed their workers fail."""
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
            _fail_encoding(due, "it stopped every worker that tried", now)


# --- what came of it ----------------------------------------------------------------------------------------------


def complete(encoding: Encoding, variants: Sequence[NewVariant], seconds: int, now: datetime) -> bool:
    """Keeps the variants and lets go on what waited for them; returns whether the encoding still was ours."""
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


def fail(encoding: Encoding, problem: str, now: datetime) -> None:
    """The medium cannot be encoded: the templates that hold it, and the messages that wait for those, have failed."""
    with transaction.atomic():
        _fail_encoding(encoding, problem, now)


def _fail_encoding(encoding: Encoding, problem: str, now: datetime) -> None:
    if _end(encoding, status=Encoding.Status.FAILED, problem=problem[:300]):
        _conclude_waiting(encoding, now)


def _end(encoding: Encoding, **changes: object) -> bool:
    """Ends the encoding, if it is still under the lease with which it was claimed."""
    held = Encoding.objects.filter(pk=encoding.pk, due_at=encoding.due_at)
    return bool(held.update(due_at=None, **changes))


def _conclude_waiting(encoding: Encoding, now: datetime) -> None:
    keys = SlideMedium.objects.filter(medium=encoding.medium_id).values("slide__template")
    waiting = Template.objects.filter(pk__in=keys, status=Template.Status.ENCODING).order_by("pk")
    templates = list(waiting.select_for_update(no_key=True, of=("self",)).select_related("account"))
    charging.lock_balances(_lock_messages(templates))
    for template in templates:
        conclude(template, now)


# --- templates ----------------------------------------------------------------------------------------------------


def conclude(template: Template, now: datetime) -> None:
    """Unlocks a template whose audio and video are all encoded; fails it as soon as one of them could not be.

    The caller holds the transaction and the template's row.
    """
    uses = SlideMedium.objects.filter(slide__template=template, medium__kind__in=ENCODED_KINDS)
    uses = uses.select_related("slide", "medium__encoding").order_by("slide__position", "pk")
    broken = next((use for use in uses if use.medium.encoding.status == Encoding.Status.FAILED), None)
    if broken:
        _mark_failed(template, broken, now)
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
    """The messages of these locked templates, which are those that sendMMS made with them; their rows locked."""
    rows = Message.objects.select_for_update(no_key=True, of=("self",)).select_related("carrier", "account")
    return list(rows.filter(template__in=templates).order_by(*LOCK_ORDER))


def _still_waiting(messages: Sequence[Message]) -> list[Message]:
    """Those of them that are not over: a message may expire before its audio or video is encoded."""
    return [message for message in messages if message.status == Status.ENCODING]
