"""Keep what profile a message was adapted to; processes of the former version leave it empty."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("mms", "0014_report_unmatched")]

    operations = [
        migrations.AddField(
            model_name="message",
            name="profile_used",
            field=models.TextField(
                blank=True,
                db_default="",
                default="",
                help_text="The profile that it was adapted to, as it was called then. Empty until it is adapted.",
            ),
        ),
    ]
