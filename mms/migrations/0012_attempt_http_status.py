"""Keep the HTTP status of an MMSC's answer, and index the refused attempts of each carrier, few among many.

The index is built while the platform serves; processes of the former version leave the column empty.
"""

from django.db import migrations, models

from base.repeatable import AddFieldOnce, BuildIndex


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("mms", "0011_discovery_opener")]

    operations = [
        AddFieldOnce(
            model_name="attempt",
            name="http_status",
            field=models.PositiveSmallIntegerField(blank=True, null=True, verbose_name="HTTP status"),
        ),
        BuildIndex(
            model_name="attempt",
            index=models.Index(
                fields=["carrier", "-id"],
                condition=models.Q(outcome__in=["transient", "limited", "permanent", "content_refused"]),
                name="attempt_refused",
            ),
        ),
    ]
