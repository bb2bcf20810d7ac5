from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [("accounts", "0003_usage_storage")]
    operations = [
        migrations.AddField("importbatch", "notes", models.JSONField(blank=True, default=dict)),
        migrations.AddField("rejectedrow", "details", models.JSONField(blank=True, default=dict)),
        migrations.AddField(
            "waitingrow",
            "waits_for",
            models.CharField(
                choices=[("customer", "Customer"), ("line", "Line"), ("parent", "Parent")], default="customer", max_length=8
            ),
        ),
        migrations.AddConstraint(
            "waitingrow",
            models.CheckConstraint(
                condition=Q(waits_for__in=["customer", "line", "parent"]), name="waiting_row_waits_for_something_known"
            ),
        ),
        migrations.AddIndex(
            "waitingrow",
            models.Index(condition=Q(resolved_at__isnull=True), fields=["external_customer_id"], name="waiting_row_by_id_alone"),
        ),
    ]
