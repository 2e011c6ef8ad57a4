"""Add the account setting for left-out parts in N101."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("billing", "0007_account_skycore_text_xml")]

    operations = [
        migrations.AddField(
            model_name="account",
            name="report_left_out",
            field=models.BooleanField(
                db_default=False,
                default=False,
                help_text="N101 says in its status-details which parts the handset cannot take. (getMessage always does.)",
                verbose_name="reports parts left out",
            ),
        ),
    ]
