"""Index the client references of messages, for the search of the admin, while the platform serves."""

from django.db import migrations, models

from base.repeatable import BuildIndex


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("mms", "0008_report_occasions")]
    operations = [
        BuildIndex(
            model_name="message",
            index=models.Index(
                condition=models.Q(("client_reference", ""), _negated=True),
                fields=["client_reference", "-id"],
                name="message_by_client_reference",
            ),
        ),
    ]
