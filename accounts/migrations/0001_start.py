import django.db.models.deletion
import django.db.models.expressions
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="UsageDaily",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "customer_id",
                        "metric_id",
                        "day",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("customer_id", models.BigIntegerField()),
                ("metric_id", models.SmallIntegerField()),
                ("day", models.DateField()),
                ("value", models.FloatField()),
                ("batch_id", models.BigIntegerField(null=True)),
            ],
            options={
                "db_table": "accounts_usagedaily",
                "managed": False,
            },
        ),
        migrations.CreateModel(
            name="FeedDay",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "metric_id",
                        "day",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("metric_id", models.SmallIntegerField()),
                ("day", models.DateField()),
            ],
        ),
        migrations.CreateModel(
            name="Customer",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True,
                        primary_key=True,
                        serialize=False,
                        verbose_name="ID",
                    ),
                ),
                ("customer_id", models.CharField(max_length=80, unique=True)),
                ("slot", models.PositiveIntegerField(unique=True)),
                ("name", models.CharField(max_length=200)),
                ("name_kana", models.CharField(blank=True, default="", max_length=200)),
                (
                    "name_key",
                    models.CharField(
                        blank=True, db_index=True, default="", max_length=200
                    ),
                ),
                (
                    "domain",
                    models.CharField(
                        blank=True, db_index=True, default="", max_length=200
                    ),
                ),
                (
                    "corporate_number",
                    models.CharField(
                        blank=True, db_index=True, default="", max_length=13
                    ),
                ),
                ("industry", models.CharField(blank=True, default="", max_length=80)),
                ("employees", models.PositiveIntegerField(blank=True, null=True)),
                ("country", models.CharField(blank=True, default="", max_length=80)),
                ("region", models.CharField(blank=True, default="", max_length=80)),
                ("currency", models.CharField(blank=True, default="", max_length=3)),
                (
                    "phase",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("considering", "Considering"),
                            ("onboarding", "Onboarding"),
                            ("ongoing", "Ongoing"),
                            ("periodic", "Periodic follow-up"),
                        ],
                        default="",
                        max_length=12,
                    ),
                ),
                (
                    "owner_email",
                    models.EmailField(blank=True, default="", max_length=254),
                ),
                (
                    "sales_owner_email",
                    models.EmailField(blank=True, default="", max_length=254),
                ),
                (
                    "product_owner_email",
                    models.EmailField(blank=True, default="", max_length=254),
                ),
                (
                    "marketing_owner_email",
                    models.EmailField(blank=True, default="", max_length=254),
                ),
                ("acquired_on", models.DateField(blank=True, null=True)),
                (
                    "acquisition_cost",
                    models.DecimalField(
                        blank=True, decimal_places=2, max_digits=18, null=True
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "merged_into",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="merged_from",
                        to="accounts.customer",
                    ),
                ),
                (
                    "owner",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="customers",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "parent",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="children",
                        to="accounts.customer",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="ImportBatch",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True,
                        primary_key=True,
                        serialize=False,
                        verbose_name="ID",
                    ),
                ),
                ("dataset", models.CharField(max_length=20)),
                ("source", models.CharField(default="main", max_length=40)),
                ("filename", models.CharField(blank=True, default="", max_length=255)),
                ("sha256", models.CharField(blank=True, default="", max_length=64)),
                ("encoding", models.CharField(blank=True, default="", max_length=20)),
                ("mapping", models.JSONField(blank=True, null=True)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("received", "Received"),
                            ("checked", "Checked"),
                            ("applying", "Applying"),
                            ("done", "Done"),
                            ("failed", "Failed"),
                        ],
                        default="received",
                        max_length=10,
                    ),
                ),
                ("received_at", models.DateTimeField()),
                ("finished_at", models.DateTimeField(blank=True, null=True)),
                ("lines_done", models.PositiveIntegerField(default=0)),
                ("rows", models.PositiveIntegerField(default=0)),
                ("applied", models.PositiveIntegerField(default=0)),
                ("unchanged", models.PositiveIntegerField(default=0)),
                ("waiting", models.PositiveIntegerField(default=0)),
                ("rejected", models.PositiveIntegerField(default=0)),
                ("error", models.TextField(blank=True, default="")),
                (
                    "by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "import batches",
            },
        ),
        migrations.CreateModel(
            name="FxRate",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True,
                        primary_key=True,
                        serialize=False,
                        verbose_name="ID",
                    ),
                ),
                ("valid_from", models.DateField()),
                ("currency", models.CharField(max_length=3)),
                ("rate", models.DecimalField(decimal_places=8, max_digits=18)),
                (
                    "batch",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.importbatch",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Event",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True,
                        primary_key=True,
                        serialize=False,
                        verbose_name="ID",
                    ),
                ),
                ("source", models.CharField(default="main", max_length=40)),
                ("external_id", models.CharField(max_length=120)),
                ("kind", models.CharField(max_length=40)),
                ("occurred_at", models.DateTimeField()),
                ("detail", models.JSONField(blank=True, default=dict)),
                (
                    "customer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="events",
                        to="accounts.customer",
                    ),
                ),
                (
                    "batch",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.importbatch",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Department",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True,
                        primary_key=True,
                        serialize=False,
                        verbose_name="ID",
                    ),
                ),
                ("name", models.CharField(max_length=80)),
                ("headcount", models.PositiveIntegerField(blank=True, null=True)),
                ("may_use", models.BooleanField(default=True)),
                ("as_of", models.DateField()),
                (
                    "customer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="departments",
                        to="accounts.customer",
                    ),
                ),
                (
                    "batch",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.importbatch",
                    ),
                ),
            ],
        ),
        migrations.AddField(
            model_name="customer",
            name="batch",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="accounts.importbatch",
            ),
        ),
        migrations.CreateModel(
            name="Cost",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True,
                        primary_key=True,
                        serialize=False,
                        verbose_name="ID",
                    ),
                ),
                ("month", models.DateField()),
                ("kind", models.CharField(max_length=10)),
                ("amount", models.DecimalField(decimal_places=2, max_digits=18)),
                ("currency", models.CharField(max_length=3)),
                (
                    "batch",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.importbatch",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="ContractLine",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True,
                        primary_key=True,
                        serialize=False,
                        verbose_name="ID",
                    ),
                ),
                ("source", models.CharField(default="main", max_length=40)),
                ("line_id", models.CharField(max_length=120)),
                (
                    "contract_id",
                    models.CharField(blank=True, default="", max_length=120),
                ),
                ("starts_on", models.DateField()),
                ("ends_before", models.DateField(blank=True, null=True)),
                ("service_until", models.DateField(blank=True, null=True)),
                ("renews_on", models.DateField(blank=True, null=True)),
                (
                    "quantity",
                    models.DecimalField(
                        blank=True, decimal_places=2, max_digits=14, null=True
                    ),
                ),
                (
                    "amount",
                    models.DecimalField(
                        blank=True, decimal_places=2, max_digits=18, null=True
                    ),
                ),
                ("billing_months", models.PositiveSmallIntegerField(default=1)),
                ("mrr", models.DecimalField(decimal_places=2, max_digits=18)),
                ("arr", models.DecimalField(decimal_places=2, max_digits=18)),
                ("currency", models.CharField(max_length=3)),
                (
                    "list_price",
                    models.DecimalField(
                        blank=True, decimal_places=2, max_digits=18, null=True
                    ),
                ),
                (
                    "discount_percent",
                    models.DecimalField(
                        blank=True, decimal_places=2, max_digits=6, null=True
                    ),
                ),
                ("auto_renew", models.BooleanField(blank=True, null=True)),
                (
                    "notice_days",
                    models.PositiveSmallIntegerField(blank=True, null=True),
                ),
                ("trial_ends_on", models.DateField(blank=True, null=True)),
                ("paused_from", models.DateField(blank=True, null=True)),
                ("paused_before", models.DateField(blank=True, null=True)),
                ("past_due_since", models.DateField(blank=True, null=True)),
                ("is_co_term", models.BooleanField(default=False)),
                (
                    "status",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("trial", "Trial"),
                            ("active", "Active"),
                            ("paused", "Paused"),
                            ("past_due", "Past due"),
                            ("cancelled", "Cancelled"),
                        ],
                        default="",
                        max_length=10,
                    ),
                ),
                ("cancelled_on", models.DateField(blank=True, null=True)),
                ("source_line", models.PositiveIntegerField(blank=True, null=True)),
                (
                    "customer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="lines",
                        to="accounts.customer",
                    ),
                ),
                (
                    "batch",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.importbatch",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Contact",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True,
                        primary_key=True,
                        serialize=False,
                        verbose_name="ID",
                    ),
                ),
                ("source", models.CharField(default="main", max_length=40)),
                ("external_id", models.CharField(max_length=120)),
                ("name", models.CharField(max_length=120)),
                ("email", models.EmailField(blank=True, default="", max_length=254)),
                ("title", models.CharField(blank=True, default="", max_length=80)),
                ("department", models.CharField(blank=True, default="", max_length=80)),
                (
                    "role",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("decision_maker", "Decides"),
                            ("executive", "Executive"),
                            ("champion", "Champion"),
                            ("user", "User"),
                            ("billing", "Billing"),
                        ],
                        default="",
                        max_length=16,
                    ),
                ),
                ("has_opted_out", models.BooleanField(default=False)),
                (
                    "customer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="contacts",
                        to="accounts.customer",
                    ),
                ),
                (
                    "batch",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.importbatch",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="ActivityDaily",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True,
                        primary_key=True,
                        serialize=False,
                        verbose_name="ID",
                    ),
                ),
                ("user_key", models.CharField(max_length=120)),
                ("day", models.DateField()),
                ("department", models.CharField(blank=True, default="", max_length=80)),
                ("events", models.PositiveIntegerField(default=0)),
                ("minutes", models.FloatField(blank=True, null=True)),
                (
                    "customer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="activity",
                        to="accounts.customer",
                    ),
                ),
                (
                    "batch",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.importbatch",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Invoice",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True,
                        primary_key=True,
                        serialize=False,
                        verbose_name="ID",
                    ),
                ),
                ("source", models.CharField(default="main", max_length=40)),
                ("external_id", models.CharField(max_length=120)),
                ("invoiced_on", models.DateField()),
                ("amount", models.DecimalField(decimal_places=2, max_digits=18)),
                ("currency", models.CharField(max_length=3)),
                ("due_on", models.DateField(blank=True, null=True)),
                ("paid_on", models.DateField(blank=True, null=True)),
                ("status", models.CharField(blank=True, default="", max_length=20)),
                ("line_id", models.CharField(blank=True, default="", max_length=120)),
                (
                    "batch",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.importbatch",
                    ),
                ),
                (
                    "customer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="invoices",
                        to="accounts.customer",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Metric",
            fields=[
                ("id", models.SmallAutoField(primary_key=True, serialize=False)),
                ("key", models.CharField(max_length=80, unique=True)),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("counter", "Counter"),
                            ("gauge", "Gauge"),
                            ("distinct", "Distinct count"),
                        ],
                        max_length=8,
                    ),
                ),
                ("unit", models.CharField(blank=True, default="", max_length=20)),
                ("label_ja", models.CharField(blank=True, default="", max_length=80)),
                ("label_en", models.CharField(blank=True, default="", max_length=80)),
                (
                    "batch",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.importbatch",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="NpsResponse",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True,
                        primary_key=True,
                        serialize=False,
                        verbose_name="ID",
                    ),
                ),
                ("source", models.CharField(default="main", max_length=40)),
                ("external_id", models.CharField(max_length=120)),
                (
                    "respondent",
                    models.CharField(blank=True, default="", max_length=200),
                ),
                ("responded_on", models.DateField()),
                ("score", models.PositiveSmallIntegerField()),
                ("comment", models.TextField(blank=True, default="")),
                (
                    "batch",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.importbatch",
                    ),
                ),
                (
                    "contact",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="nps_responses",
                        to="accounts.contact",
                    ),
                ),
                (
                    "customer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="nps_responses",
                        to="accounts.customer",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Product",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True,
                        primary_key=True,
                        serialize=False,
                        verbose_name="ID",
                    ),
                ),
                ("code", models.CharField(max_length=60, unique=True)),
                ("name", models.CharField(max_length=120)),
                ("name_en", models.CharField(blank=True, default="", max_length=120)),
                ("family", models.CharField(blank=True, default="", max_length=60)),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("plan", "Plan"),
                            ("seat", "Seats"),
                            ("capacity", "Capacity"),
                            ("addon", "Add-on"),
                            ("product", "Product"),
                            ("service", "Service"),
                        ],
                        max_length=10,
                    ),
                ),
                ("tier", models.PositiveSmallIntegerField(blank=True, null=True)),
                (
                    "list_price",
                    models.DecimalField(
                        blank=True, decimal_places=2, max_digits=18, null=True
                    ),
                ),
                ("billing_months", models.PositiveSmallIntegerField(default=1)),
                ("currency", models.CharField(blank=True, default="", max_length=3)),
                (
                    "gross_margin_percent",
                    models.DecimalField(
                        blank=True, decimal_places=2, max_digits=5, null=True
                    ),
                ),
                ("included_seats", models.PositiveIntegerField(blank=True, null=True)),
                ("included_quota", models.JSONField(blank=True, default=dict)),
                ("complements", models.JSONField(blank=True, default=list)),
                ("is_guessed", models.BooleanField(default=False)),
                (
                    "batch",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.importbatch",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Order",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True,
                        primary_key=True,
                        serialize=False,
                        verbose_name="ID",
                    ),
                ),
                ("source", models.CharField(default="main", max_length=40)),
                ("external_id", models.CharField(max_length=120)),
                ("ordered_on", models.DateField()),
                ("amount", models.DecimalField(decimal_places=2, max_digits=18)),
                ("currency", models.CharField(max_length=3)),
                (
                    "quantity",
                    models.DecimalField(
                        blank=True, decimal_places=2, max_digits=14, null=True
                    ),
                ),
                (
                    "kind",
                    models.CharField(blank=True, default="one_off", max_length=10),
                ),
                (
                    "batch",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.importbatch",
                    ),
                ),
                (
                    "customer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="orders",
                        to="accounts.customer",
                    ),
                ),
                (
                    "product",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.product",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Opportunity",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True,
                        primary_key=True,
                        serialize=False,
                        verbose_name="ID",
                    ),
                ),
                ("source", models.CharField(default="main", max_length=40)),
                ("external_id", models.CharField(max_length=120)),
                ("opened_on", models.DateField()),
                ("closed_on", models.DateField(blank=True, null=True)),
                ("stage", models.CharField(blank=True, default="", max_length=60)),
                ("result", models.CharField(blank=True, default="", max_length=4)),
                ("kind", models.CharField(blank=True, default="", max_length=10)),
                (
                    "amount",
                    models.DecimalField(
                        blank=True, decimal_places=2, max_digits=18, null=True
                    ),
                ),
                ("currency", models.CharField(blank=True, default="", max_length=3)),
                (
                    "discount_percent",
                    models.DecimalField(
                        blank=True, decimal_places=2, max_digits=6, null=True
                    ),
                ),
                (
                    "competitor",
                    models.CharField(blank=True, default="", max_length=120),
                ),
                ("reason", models.CharField(blank=True, default="", max_length=200)),
                ("alert_id", models.BigIntegerField(blank=True, null=True)),
                (
                    "batch",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.importbatch",
                    ),
                ),
                (
                    "customer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="opportunities",
                        to="accounts.customer",
                    ),
                ),
                (
                    "product",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.product",
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "opportunities",
            },
        ),
        migrations.CreateModel(
            name="MrrEvent",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True,
                        primary_key=True,
                        serialize=False,
                        verbose_name="ID",
                    ),
                ),
                ("on", models.DateField()),
                ("change", models.DecimalField(decimal_places=2, max_digits=18)),
                ("currency", models.CharField(max_length=3)),
                (
                    "cause",
                    models.CharField(
                        choices=[
                            ("start", "Start"),
                            ("end", "End"),
                            ("plan", "Plan"),
                            ("seats", "Seats"),
                            ("capacity", "Capacity"),
                            ("addon", "Add-on"),
                            ("product", "Other product"),
                            ("price", "Price"),
                            ("discount", "Discount"),
                            ("term", "Term"),
                            ("renewal_down", "Renewed lower"),
                            ("pause", "Pause"),
                        ],
                        max_length=12,
                    ),
                ),
                (
                    "customer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="mrr_events",
                        to="accounts.customer",
                    ),
                ),
                (
                    "line",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="accounts.contractline",
                    ),
                ),
                (
                    "product",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.product",
                    ),
                ),
            ],
        ),
        migrations.AddField(
            model_name="contractline",
            name="product",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="lines",
                to="accounts.product",
            ),
        ),
        migrations.CreateModel(
            name="Project",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True,
                        primary_key=True,
                        serialize=False,
                        verbose_name="ID",
                    ),
                ),
                ("source", models.CharField(default="main", max_length=40)),
                ("external_id", models.CharField(max_length=120)),
                (
                    "progress_percent",
                    models.DecimalField(decimal_places=2, max_digits=5),
                ),
                ("as_of", models.DateField()),
                (
                    "batch",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.importbatch",
                    ),
                ),
                (
                    "customer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="projects",
                        to="accounts.customer",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="RejectedRow",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True,
                        primary_key=True,
                        serialize=False,
                        verbose_name="ID",
                    ),
                ),
                ("line", models.PositiveIntegerField()),
                ("column", models.CharField(blank=True, default="", max_length=120)),
                ("value", models.TextField(blank=True, default="")),
                ("reason", models.TextField()),
                ("row", models.JSONField(default=dict)),
                (
                    "batch",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="rejects",
                        to="accounts.importbatch",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="SurveyAnswer",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True,
                        primary_key=True,
                        serialize=False,
                        verbose_name="ID",
                    ),
                ),
                ("source", models.CharField(default="main", max_length=40)),
                ("external_id", models.CharField(max_length=120)),
                ("responded_on", models.DateField()),
                ("question", models.CharField(max_length=200)),
                ("score", models.DecimalField(decimal_places=2, max_digits=8)),
                (
                    "batch",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.importbatch",
                    ),
                ),
                (
                    "customer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="survey_answers",
                        to="accounts.customer",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Ticket",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True,
                        primary_key=True,
                        serialize=False,
                        verbose_name="ID",
                    ),
                ),
                ("source", models.CharField(default="main", max_length=40)),
                ("external_id", models.CharField(max_length=120)),
                ("opened_at", models.DateTimeField()),
                ("closed_at", models.DateTimeField(blank=True, null=True)),
                (
                    "severity",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("p1", "P1"),
                            ("p2", "P2"),
                            ("p3", "P3"),
                            ("p4", "P4"),
                        ],
                        default="",
                        max_length=2,
                    ),
                ),
                ("status", models.CharField(default="open", max_length=8)),
                (
                    "satisfaction",
                    models.DecimalField(
                        blank=True, decimal_places=2, max_digits=3, null=True
                    ),
                ),
                ("theme", models.CharField(blank=True, default="", max_length=200)),
                ("is_escalated", models.BooleanField(default=False)),
                (
                    "batch",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.importbatch",
                    ),
                ),
                (
                    "customer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="tickets",
                        to="accounts.customer",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Touch",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True,
                        primary_key=True,
                        serialize=False,
                        verbose_name="ID",
                    ),
                ),
                ("source", models.CharField(default="main", max_length=40)),
                ("external_id", models.CharField(max_length=120)),
                ("touched_at", models.DateTimeField()),
                ("kind", models.CharField(blank=True, default="", max_length=10)),
                ("by_email", models.EmailField(blank=True, default="", max_length=254)),
                ("play", models.CharField(blank=True, default="", max_length=60)),
                ("until", models.DateField(blank=True, null=True)),
                ("note", models.TextField(blank=True, default="")),
                ("withdrawn_at", models.DateTimeField(blank=True, null=True)),
                (
                    "batch",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.importbatch",
                    ),
                ),
                (
                    "by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "contact",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="touches",
                        to="accounts.contact",
                    ),
                ),
                (
                    "customer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="touches",
                        to="accounts.customer",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="UsageBlock",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "day",
                        "metric_id",
                        "block",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("day", models.DateField()),
                ("metric_id", models.SmallIntegerField()),
                ("block", models.PositiveIntegerField()),
                ("data", models.BinaryField(null=True)),
                ("is_dirty", models.BooleanField(default=True)),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("is_dirty", True)),
                        fields=["day"],
                        name="usage_block_dirty",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="WaitingRow",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True,
                        primary_key=True,
                        serialize=False,
                        verbose_name="ID",
                    ),
                ),
                ("dataset", models.CharField(max_length=20)),
                ("source", models.CharField(max_length=40)),
                ("external_customer_id", models.CharField(max_length=120)),
                ("line", models.PositiveIntegerField()),
                ("row", models.JSONField()),
                ("resolved_at", models.DateTimeField(blank=True, null=True)),
                (
                    "batch",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="waiting_rows",
                        to="accounts.importbatch",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Identity",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True,
                        primary_key=True,
                        serialize=False,
                        verbose_name="ID",
                    ),
                ),
                ("source", models.CharField(max_length=40)),
                ("external_id", models.CharField(max_length=120)),
                ("confirmed_at", models.DateTimeField()),
                (
                    "confirmed_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "customer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="identities",
                        to="accounts.customer",
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "identities",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("source", "external_id"),
                        name="identity_one_customer_per_source_id",
                    )
                ],
            },
        ),
        migrations.AddIndex(
            model_name="importbatch",
            index=models.Index(
                fields=["dataset", "source", "-id"], name="import_batch_newest"
            ),
        ),
        migrations.AddConstraint(
            model_name="importbatch",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state", "done"), _negated=True),
                    (
                        "rows",
                        django.db.models.expressions.CombinedExpression(
                            django.db.models.expressions.CombinedExpression(
                                django.db.models.expressions.CombinedExpression(
                                    models.F("applied"), "+", models.F("unchanged")
                                ),
                                "+",
                                models.F("waiting"),
                            ),
                            "+",
                            models.F("rejected"),
                        ),
                    ),
                    _connector="OR",
                ),
                name="import_batch_counts_add_up",
            ),
        ),
        migrations.AddConstraint(
            model_name="fxrate",
            constraint=models.UniqueConstraint(
                fields=("currency", "valid_from"), name="fx_rate_one_per_day"
            ),
        ),
        migrations.AddConstraint(
            model_name="fxrate",
            constraint=models.CheckConstraint(
                condition=models.Q(("rate__gt", 0)), name="fx_rate_positive"
            ),
        ),
        migrations.AddIndex(
            model_name="event",
            index=models.Index(
                fields=["customer", "-occurred_at"], name="event_by_customer"
            ),
        ),
        migrations.AddIndex(
            model_name="event",
            index=models.Index(fields=["kind", "occurred_at"], name="event_by_kind"),
        ),
        migrations.AddConstraint(
            model_name="event",
            constraint=models.UniqueConstraint(
                fields=("source", "external_id"), name="event_once_per_source"
            ),
        ),
        migrations.AddConstraint(
            model_name="event",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "kind__in",
                        (
                            "trial_started",
                            "trial_applied",
                            "trial_ended",
                            "webinar_registered",
                            "webinar_attended",
                            "event_attended",
                            "feature_requested",
                            "feature_released",
                            "feature_viewed",
                            "feature_tried",
                            "life_event.new_business",
                            "life_event.merger",
                            "life_event.reorganisation",
                            "life_event.overseas",
                            "life_event.headcount",
                            "adjacent_problem",
                            "competitor_mentioned",
                            "contract_review_asked",
                            "cancellation_considered",
                            "over_budget",
                            "budget_freeze",
                            "document_downloaded",
                            "demo_requested",
                            "problem_solved",
                            "referral_made",
                            "security_need",
                            "churn_reported",
                        ),
                    )
                ),
                name="event_kind_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="department",
            constraint=models.UniqueConstraint(
                fields=("customer", "name", "as_of"), name="department_once_per_day"
            ),
        ),
        migrations.AddIndex(
            model_name="customer",
            index=models.Index(fields=["owner", "id"], name="customer_by_owner"),
        ),
        migrations.AddConstraint(
            model_name="customer",
            constraint=models.CheckConstraint(
                condition=models.Q(("customer_id", ""), _negated=True),
                name="customer_id_not_empty",
            ),
        ),
        migrations.AddConstraint(
            model_name="customer",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "phase__in",
                        ["", "considering", "onboarding", "ongoing", "periodic"],
                    )
                ),
                name="customer_phase_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="customer",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("parent__isnull", True),
                    models.Q(("parent", models.F("id")), _negated=True),
                    _connector="OR",
                ),
                name="customer_not_its_own_parent",
            ),
        ),
        migrations.AddConstraint(
            model_name="cost",
            constraint=models.UniqueConstraint(
                fields=("month", "kind", "currency"),
                name="cost_once_per_month_and_kind",
            ),
        ),
        migrations.AddConstraint(
            model_name="cost",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind__in", ["sales", "marketing", "cs", "cogs"])),
                name="cost_kind_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="contact",
            constraint=models.UniqueConstraint(
                fields=("source", "external_id"), name="contact_once_per_source"
            ),
        ),
        migrations.AddConstraint(
            model_name="activitydaily",
            constraint=models.UniqueConstraint(
                fields=("customer", "day", "user_key"),
                name="activity_one_row_per_user_and_day",
            ),
        ),
        migrations.AddIndex(
            model_name="invoice",
            index=models.Index(
                fields=["customer", "invoiced_on"], name="invoice_by_customer"
            ),
        ),
        migrations.AddConstraint(
            model_name="invoice",
            constraint=models.UniqueConstraint(
                fields=("source", "external_id"), name="invoice_once_per_source"
            ),
        ),
        migrations.AddConstraint(
            model_name="metric",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind__in", ["counter", "gauge", "distinct"])),
                name="metric_kind_known",
            ),
        ),
        migrations.AddIndex(
            model_name="npsresponse",
            index=models.Index(
                fields=["customer", "-responded_on"], name="nps_by_customer"
            ),
        ),
        migrations.AddConstraint(
            model_name="npsresponse",
            constraint=models.UniqueConstraint(
                fields=("source", "external_id"), name="nps_once_per_source"
            ),
        ),
        migrations.AddConstraint(
            model_name="npsresponse",
            constraint=models.CheckConstraint(
                condition=models.Q(("score__lte", 10)), name="nps_score_0_to_10"
            ),
        ),
        migrations.AddConstraint(
            model_name="product",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "kind__in",
                        ["plan", "seat", "capacity", "addon", "product", "service"],
                    )
                ),
                name="product_kind_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="product",
            constraint=models.CheckConstraint(
                condition=models.Q(("billing_months__gte", 1)),
                name="product_bills_for_a_month_or_more",
            ),
        ),
        migrations.AddIndex(
            model_name="order",
            index=models.Index(
                fields=["customer", "ordered_on"], name="order_by_customer"
            ),
        ),
        migrations.AddConstraint(
            model_name="order",
            constraint=models.UniqueConstraint(
                fields=("source", "external_id"), name="order_once_per_source"
            ),
        ),
        migrations.AddConstraint(
            model_name="order",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("kind__in", ["one_off", "renewal", "upgrade", "addon"])
                ),
                name="order_kind_known",
            ),
        ),
        migrations.AddIndex(
            model_name="opportunity",
            index=models.Index(
                fields=["customer", "-opened_on"], name="opportunity_by_customer"
            ),
        ),
        migrations.AddConstraint(
            model_name="opportunity",
            constraint=models.UniqueConstraint(
                fields=("source", "external_id"), name="opportunity_once_per_source"
            ),
        ),
        migrations.AddConstraint(
            model_name="opportunity",
            constraint=models.CheckConstraint(
                condition=models.Q(("result__in", ["", "won", "lost"])),
                name="opportunity_result_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="opportunity",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("kind__in", ["", "upsell", "cross_sell", "renewal", "downsell"])
                ),
                name="opportunity_kind_known",
            ),
        ),
        migrations.AddIndex(
            model_name="mrrevent",
            index=models.Index(fields=["customer", "on"], name="mrr_event_by_customer"),
        ),
        migrations.AddIndex(
            model_name="mrrevent",
            index=models.Index(fields=["on"], name="mrr_event_by_day"),
        ),
        migrations.AddConstraint(
            model_name="mrrevent",
            constraint=models.CheckConstraint(
                condition=models.Q(("change", 0), _negated=True),
                name="mrr_event_changes_something",
            ),
        ),
        migrations.AddIndex(
            model_name="contractline",
            index=models.Index(
                fields=["customer", "starts_on"], name="contract_line_by_customer"
            ),
        ),
        migrations.AddConstraint(
            model_name="contractline",
            constraint=models.UniqueConstraint(
                fields=("source", "line_id", "starts_on"),
                name="contract_line_one_period_per_start",
            ),
        ),
        migrations.AddConstraint(
            model_name="contractline",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("ends_before__isnull", True),
                    ("ends_before__gt", models.F("starts_on")),
                    _connector="OR",
                ),
                name="contract_line_ends_after_it_starts",
            ),
        ),
        migrations.AddConstraint(
            model_name="contractline",
            constraint=models.CheckConstraint(
                condition=models.Q(("billing_months__gte", 1)),
                name="contract_line_bills_for_a_month_or_more",
            ),
        ),
        migrations.AddConstraint(
            model_name="contractline",
            constraint=models.CheckConstraint(
                condition=models.Q(("currency", ""), _negated=True),
                name="contract_line_has_a_currency",
            ),
        ),
        migrations.AddConstraint(
            model_name="project",
            constraint=models.UniqueConstraint(
                fields=("source", "external_id", "as_of"), name="project_once_per_day"
            ),
        ),
        migrations.AddConstraint(
            model_name="project",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("progress_percent__gte", 0), ("progress_percent__lte", 100)
                ),
                name="project_progress_is_a_percentage",
            ),
        ),
        migrations.AddIndex(
            model_name="rejectedrow",
            index=models.Index(fields=["batch", "line"], name="rejected_row_by_line"),
        ),
        migrations.AddConstraint(
            model_name="surveyanswer",
            constraint=models.UniqueConstraint(
                fields=("source", "external_id", "question"), name="survey_answer_once"
            ),
        ),
        migrations.AddIndex(
            model_name="ticket",
            index=models.Index(
                fields=["customer", "-opened_at"], name="ticket_by_customer"
            ),
        ),
        migrations.AddConstraint(
            model_name="ticket",
            constraint=models.UniqueConstraint(
                fields=("source", "external_id"), name="ticket_once_per_source"
            ),
        ),
        migrations.AddConstraint(
            model_name="ticket",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("status__in", ["open", "pending", "solved", "closed"])
                ),
                name="ticket_status_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="ticket",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("satisfaction__isnull", True),
                    models.Q(("satisfaction__gte", 1), ("satisfaction__lte", 5)),
                    _connector="OR",
                ),
                name="ticket_satisfaction_1_to_5",
            ),
        ),
        migrations.AddIndex(
            model_name="touch",
            index=models.Index(
                fields=["customer", "-touched_at"], name="touch_by_customer"
            ),
        ),
        migrations.AddConstraint(
            model_name="touch",
            constraint=models.UniqueConstraint(
                fields=("source", "external_id"), name="touch_once_per_source"
            ),
        ),
        migrations.AddConstraint(
            model_name="touch",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "kind__in",
                        ["", "meeting", "call", "mail", "proposal", "offer", "refusal"],
                    )
                ),
                name="touch_kind_known",
            ),
        ),
        migrations.AddIndex(
            model_name="waitingrow",
            index=models.Index(
                condition=models.Q(("resolved_at__isnull", True)),
                fields=["source", "external_customer_id"],
                name="waiting_row_by_identity",
            ),
        ),
    ]
