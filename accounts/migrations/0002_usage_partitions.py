from django.db import migrations

# Django emits no PARTITION BY.  Months are made by accounts.usage.ensure_months; what falls
# outside them lands in the default partition, so that no row is ever refused for its date.
TABLE = """
CREATE TABLE accounts_usagedaily (
    customer_id bigint NOT NULL,
    metric_id smallint NOT NULL,
    day date NOT NULL,
    value double precision NOT NULL,
    batch_id bigint,
    PRIMARY KEY (customer_id, metric_id, day)
) PARTITION BY RANGE (day);
CREATE TABLE accounts_usagedaily_default PARTITION OF accounts_usagedaily DEFAULT;
"""


class Migration(migrations.Migration):
    dependencies = [("accounts", "0001_start")]
    operations = [migrations.RunSQL(TABLE, "DROP TABLE accounts_usagedaily;")]
