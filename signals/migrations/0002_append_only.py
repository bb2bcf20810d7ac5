from django.db import migrations

REFUSE = """
CREATE FUNCTION {table}_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '{table} is append-only: add a newer row instead' USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table}
    FOR EACH ROW EXECUTE FUNCTION {table}_is_append_only();
"""
ALLOW = """
DROP TRIGGER {table}_append_only ON {table};
DROP FUNCTION {table}_is_append_only();
"""


class Migration(migrations.Migration):
    dependencies = [("signals", "0001_start")]
    operations = [
        migrations.RunSQL(
            REFUSE.format(table="signals_alertchange"),
            ALLOW.format(table="signals_alertchange"),
        )
    ]
