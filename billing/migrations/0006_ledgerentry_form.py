"""Name the form of a booking by hand; processes of the former version leave it empty."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("billing", "0005_plain_language")]

    operations = [
        migrations.AddField(
            model_name="ledgerentry",
            name="form",
            field=models.UUIDField(
                blank=True,
                editable=False,
                help_text="The form that an operator sent. Sent twice, it is booked once.",
                null=True,
            ),
        ),
    ]
