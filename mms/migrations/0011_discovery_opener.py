"""Name the message that opened a discovery, and index the due postbacks by their time alone.

The index is built while the platform serves; processes of the former version leave the column empty.
"""

from django.db import migrations, models

from base.repeatable import AddFieldOnce, BuildIndex


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("mms", "0010_carrier_feed")]

    operations = [
        AddFieldOnce(
            model_name="discovery",
            name="message",
            field=models.BigIntegerField(
                blank=True, help_text="Primary key of the message that started it.", null=True
            ),
        ),
        migrations.AlterField(
            model_name="template",
            name="due_at",
            field=models.DateTimeField(
                blank=True,
                help_text="When content that was deleted, or made by sendMMS, is removed or checked again.",
                null=True,
            ),
        ),
        BuildIndex(
            model_name="postback",
            index=models.Index(
                condition=models.Q(("status", "pending")), fields=["due_at"], name="postback_oldest_due"
            ),
        ),
    ]
