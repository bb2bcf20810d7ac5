from django.db import migrations

# Float vectors do not compress; stored as they are, one customer's value is read without the rest.
FORWARD = "ALTER TABLE signals_featureblock ALTER COLUMN data SET STORAGE EXTERNAL;"
BACKWARD = "ALTER TABLE signals_featureblock ALTER COLUMN data SET STORAGE EXTENDED;"


class Migration(migrations.Migration):
    dependencies = [("signals", "0005_alert_waiting")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
