"""Index the unmatched reports, few among many, while the platform serves."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("mms", "0013_medium_coding")]

    operations = [
        AddIndexConcurrently(
            model_name="report",
            index=models.Index(condition=models.Q(("attempt", None)), fields=["received_at"], name="report_unmatched"),
        ),
    ]
