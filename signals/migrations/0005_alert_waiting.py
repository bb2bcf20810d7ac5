from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("signals", "0004_tick")]
    operations = [
        migrations.AddIndex(
            model_name="alert",
            index=models.Index(condition=models.Q(state="waiting"), fields=["snoozed_until"], name="alert_waiting"),
        )
    ]
