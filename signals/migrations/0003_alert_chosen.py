from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("signals", "0002_append_only")]
    operations = [
        migrations.AddField(
            model_name="alert",
            name="chosen_at",
            field=models.DateTimeField(blank=True, null=True),
        )
    ]
