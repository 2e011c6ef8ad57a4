"""Add the occasion of a report to what identifies it.

The unique index is built while the platform serves, and the column has a default for processes of the former version.
"""

from django.db import migrations, models

from base.repeatable import AddFieldOnce

# The invalid index that a cancelled build leaves.
DROP = "DROP INDEX CONCURRENTLY IF EXISTS report_once_per_occasion"
BUILD = """
CREATE UNIQUE INDEX CONCURRENTLY report_once_per_occasion
    ON mms_report (carrier_id, mmsc_id, number, status, raw_status, occasion)
"""
REPLACE = """
ALTER TABLE mms_report DROP CONSTRAINT report_once,
    ADD CONSTRAINT report_once UNIQUE USING INDEX report_once_per_occasion
"""


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("mms", "0007_plain_language")]

    operations = [
        AddFieldOnce(
            model_name="report",
            name="occasion",
            field=models.CharField(
                blank=True,
                db_default="",
                default="",
                help_text="Tells it from a later report with the same MessageID.",
                max_length=50,
            ),
        ),
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(DROP), migrations.RunSQL(BUILD), migrations.RunSQL(REPLACE)],
            state_operations=[
                migrations.RemoveConstraint(model_name="report", name="report_once"),
                migrations.AddConstraint(
                    model_name="report",
                    constraint=models.UniqueConstraint(
                        fields=("carrier", "mmsc_id", "number", "status", "raw_status", "occasion"), name="report_once"
                    ),
                ),
            ],
        ),
    ]
