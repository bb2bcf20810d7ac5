from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("signals", "0003_alert_chosen")]
    operations = [
        migrations.CreateModel(
            name="Tick",
            fields=[
                ("name", models.CharField(max_length=20, primary_key=True, serialize=False)),
                ("at", models.DateTimeField()),
            ],
        )
    ]
