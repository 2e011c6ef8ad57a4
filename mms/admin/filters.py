"""Filters of the admin's lists."""

from django.contrib.admin import ModelAdmin
from django.db.models import Model, QuerySet, TextChoices
from django.http import HttpRequest
from unfold.contrib.filters.admin import DropdownFilter

from mms.models import Postback, Status
from mms.models.messages import FINAL

# Statuses without a due_at.
ENDED = {*FINAL, Postback.Status.DELIVERED, Postback.Status.GIVEN_UP}


class StatusFilter(DropdownFilter):
    """Filter by status. A status that is not final uses the partial index of rows with a due_at."""

    title = "status"
    parameter_name = "status"
    statuses: type[TextChoices] = Status

    def lookups(self, request: HttpRequest, model_admin: "ModelAdmin[Model]") -> list[tuple[str, str]]:
        return self.statuses.choices

    def queryset(self, request: HttpRequest, queryset: QuerySet[Model]) -> QuerySet[Model]:
        if self.value() not in self.statuses.values:
            return queryset
        found = queryset.filter(status=self.value())
        return found if self.value() in ENDED else found.filter(due_at__isnull=False)


class PostbackStatusFilter(StatusFilter):
    statuses = Postback.Status


class MatchFilter(DropdownFilter):
    """Filter delivery reports that match an attempt, or that match none (yet)."""

    title = "matching"
    parameter_name = "match"

    def lookups(self, request: HttpRequest, model_admin: "ModelAdmin[Model]") -> list[tuple[str, str]]:
        return [("yes", "Matched"), ("no", "Unmatched")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Model]) -> QuerySet[Model]:
        return queryset.filter(attempt__isnull=self.value() == "no") if self.value() else queryset
