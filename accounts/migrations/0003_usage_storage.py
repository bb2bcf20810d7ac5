from django.db import migrations

# Days are read by day (the key leads with the customer): a block range index costs next to nothing
# to keep and finds a day where rows came in day by day.  Float vectors do not compress; stored as
# they are, a slice of one is read without the rest.
FORWARD = """
CREATE INDEX usage_daily_by_day ON accounts_usagedaily USING brin (day) WITH (pages_per_range = 32, autosummarize = on);
ALTER TABLE accounts_usageblock ALTER COLUMN data SET STORAGE EXTERNAL;
"""
BACKWARD = """
ALTER TABLE accounts_usageblock ALTER COLUMN data SET STORAGE EXTENDED;
DROP INDEX usage_daily_by_day;
"""


class Migration(migrations.Migration):
    dependencies = [("accounts", "0002_usage_partitions")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
