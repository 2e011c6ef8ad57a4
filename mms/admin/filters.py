"""Filters of the lists."""

from django.contrib.admin import ModelAdmin
from django.db.models import Model, QuerySet, TextChoices
from django.http import HttpRequest
from unfold.contrib.filters.admin import DropdownFilter

from mms.models import Postback, Status
from mms.models.messages import FINAL

# What waits for nothing more.
OVER = {*FINAL, Postback.Status.DELIVERED, Postback.Status.GIVEN_UP}


class StatusFilter(DropdownFilter):
    """By status. One that waits is found by the partial index over what has a due_at, however few there are."""

    title = "status"
    parameter_name = "status"
    statuses: type[TextChoices] = Status

    def lookups(self, request: HttpRequest, model_admin: "ModelAdmin[Model]") -> list[tuple[str, str]]:
        return self.statuses.choices

    def queryset(self, request: HttpRequest, queryset: QuerySet[Model]) -> QuerySet[Model]:
        if self.value() not in self.statuses.values:
            return queryset
        found = queryset.filter(status=self.value())
        return found if self.value() in OVER else found.filter(due_at__isnull=False)


class PostbackStatusFilter(StatusFilter):
    statuses = Postback.Status


class MatchFilter(DropdownFilter):
    """Delivery reports that name something we sent, and those that do not (yet)."""

    title = "match"
    parameter_name = "match"

    def lookups(self, request: HttpRequest, model_admin: "ModelAdmin[Model]") -> list[tuple[str, str]]:
        return [("yes", "matched"), ("no", "unmatched")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Model]) -> QuerySet[Model]:
        return queryset.filter(attempt__isnull=self.value() == "no") if self.value() else queryset
