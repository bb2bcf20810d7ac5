import django.contrib.postgres.fields
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("accounts", "0001_start"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="FeatureBlock",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "business_date",
                        "term",
                        "block",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("business_date", models.DateField()),
                ("term", models.CharField(max_length=80)),
                ("block", models.PositiveIntegerField()),
                ("dtype", models.CharField(max_length=2)),
                ("data", models.BinaryField()),
                ("is_reconstructed", models.BooleanField(default=False)),
            ],
        ),
        migrations.CreateModel(
            name="HealthModel",
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
                ("key", models.SlugField(max_length=60, unique=True)),
                ("is_default", models.BooleanField(default=False)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("is_default", True)),
                        fields=("is_default",),
                        name="health_model_one_default",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="HealthModelVersion",
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
                ("number", models.PositiveIntegerField()),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("draft", "Draft"),
                            ("published", "Published"),
                            ("retired", "Retired"),
                        ],
                        max_length=10,
                    ),
                ),
                ("body", models.JSONField()),
                ("reason", models.TextField(blank=True, default="")),
                ("edited_at", models.DateTimeField()),
                ("published_at", models.DateTimeField(blank=True, null=True)),
                ("restores", models.PositiveIntegerField(blank=True, null=True)),
                (
                    "edited_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "model",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="versions",
                        to="signals.healthmodel",
                    ),
                ),
                (
                    "published_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="HealthScore",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "customer_id",
                        "business_date",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("business_date", models.DateField()),
                ("score", models.PositiveSmallIntegerField(blank=True, null=True)),
                (
                    "band",
                    models.CharField(
                        choices=[
                            ("excellent", "Excellent"),
                            ("healthy", "Healthy"),
                            ("watch", "Watch"),
                            ("act_now", "Act now"),
                            ("insufficient", "Not enough data"),
                        ],
                        max_length=12,
                    ),
                ),
                ("coverage", models.FloatField()),
                (
                    "points",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.FloatField(null=True), size=None
                    ),
                ),
                (
                    "customer",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="health_scores",
                        to="accounts.customer",
                    ),
                ),
                (
                    "version",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="signals.healthmodelversion",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="RfmScore",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "customer_id",
                        "lens",
                        "business_date",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("lens", models.CharField(max_length=8)),
                ("business_date", models.DateField()),
                ("recency_days", models.PositiveIntegerField(null=True)),
                ("frequency", models.PositiveIntegerField(null=True)),
                (
                    "monetary",
                    models.DecimalField(decimal_places=2, max_digits=18, null=True),
                ),
                ("r", models.PositiveSmallIntegerField(null=True)),
                ("f", models.PositiveSmallIntegerField(null=True)),
                ("m", models.PositiveSmallIntegerField(null=True)),
                (
                    "segment",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("champion", "Champion"),
                            ("loyal", "Loyal"),
                            ("potential", "Potential loyal"),
                            ("new", "New"),
                            ("promising", "Promising"),
                            ("need_attention", "Need attention"),
                            ("about_to_sleep", "About to sleep"),
                            ("at_risk", "At risk"),
                            ("cant_lose", "Can't lose"),
                            ("hibernating", "Hibernating"),
                            ("lost", "Lost"),
                        ],
                        default="",
                        max_length=16,
                    ),
                ),
                (
                    "customer",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="rfm_scores",
                        to="accounts.customer",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Rule",
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
                ("key", models.SlugField(max_length=60, unique=True)),
                ("family", models.SlugField(max_length=60)),
                ("group", models.CharField(default="depth", max_length=20)),
                ("position", models.PositiveSmallIntegerField(default=0)),
                ("is_on", models.BooleanField(default=True)),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("group__in", ["depth", "spread", "timing"])
                        ),
                        name="rule_group_known",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="RuleVersion",
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
                ("number", models.PositiveIntegerField()),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("draft", "Draft"),
                            ("published", "Published"),
                            ("retired", "Retired"),
                        ],
                        max_length=10,
                    ),
                ),
                ("body", models.JSONField()),
                ("reason", models.TextField(blank=True, default="")),
                ("edited_at", models.DateTimeField()),
                ("published_at", models.DateTimeField(blank=True, null=True)),
                ("restores", models.PositiveIntegerField(blank=True, null=True)),
                (
                    "edited_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "published_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "rule",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="versions",
                        to="signals.rule",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Alert",
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
                ("family", models.CharField(max_length=60)),
                (
                    "open_key",
                    models.CharField(
                        blank=True, max_length=100, null=True, unique=True
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("open", "Open"),
                            ("waiting", "Snoozed"),
                            ("held", "Held"),
                            ("closed", "Closed"),
                        ],
                        default="open",
                        max_length=8,
                    ),
                ),
                ("is_lead", models.BooleanField(default=False)),
                (
                    "play_kind",
                    models.CharField(
                        choices=[
                            ("help", "Help first"),
                            ("renewal", "Renewal"),
                            ("upsell", "Upsell"),
                            ("cross_sell", "Cross-sell"),
                            ("downsell", "Downsell"),
                        ],
                        max_length=10,
                    ),
                ),
                ("playbook_key", models.CharField(max_length=60)),
                ("priority", models.PositiveSmallIntegerField(default=0)),
                ("priority_parts", models.JSONField(default=list)),
                ("evidence", models.JSONField(default=list)),
                ("guard", models.JSONField(default=list)),
                ("is_stopped", models.BooleanField(default=False)),
                (
                    "expected_low",
                    models.DecimalField(
                        blank=True, decimal_places=2, max_digits=18, null=True
                    ),
                ),
                (
                    "expected_high",
                    models.DecimalField(
                        blank=True, decimal_places=2, max_digits=18, null=True
                    ),
                ),
                (
                    "expected_currency",
                    models.CharField(blank=True, default="", max_length=3),
                ),
                ("offer", models.JSONField(blank=True, default=dict)),
                ("raised_on", models.DateField()),
                ("refreshed_on", models.DateField()),
                ("condition_ended_on", models.DateField(blank=True, null=True)),
                ("due_on", models.DateField()),
                ("acknowledged_at", models.DateTimeField(blank=True, null=True)),
                ("snoozed_until", models.DateTimeField(blank=True, null=True)),
                ("snooze_condition", models.JSONField(blank=True, null=True)),
                (
                    "snooze_reason",
                    models.CharField(blank=True, default="", max_length=200),
                ),
                ("returned_at", models.DateTimeField(blank=True, null=True)),
                (
                    "held_reason",
                    models.CharField(blank=True, default="", max_length=40),
                ),
                ("closed_at", models.DateTimeField(blank=True, null=True)),
                (
                    "close_reason",
                    models.CharField(blank=True, default="", max_length=40),
                ),
                ("quiet_until", models.DateField(blank=True, null=True)),
                ("rearmed_on", models.DateField(blank=True, null=True)),
                ("version", models.PositiveIntegerField(default=1)),
                (
                    "closed_by",
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
                        related_name="alerts",
                        to="accounts.customer",
                    ),
                ),
                (
                    "owner",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="alerts",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "rule",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="alerts",
                        to="signals.rule",
                    ),
                ),
                (
                    "rule_version",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="signals.ruleversion",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Run",
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
                ("job", models.CharField(default="nightly", max_length=20)),
                ("business_date", models.DateField()),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("queued", "Queued"),
                            ("running", "Running"),
                            ("done", "Done"),
                            ("failed", "Failed"),
                        ],
                        default="queued",
                        max_length=8,
                    ),
                ),
                ("phase", models.CharField(blank=True, default="", max_length=12)),
                ("is_scheduled", models.BooleanField(default=False)),
                ("is_held", models.BooleanField(default=False)),
                ("definitions", models.JSONField(default=dict)),
                ("facts", models.JSONField(default=dict)),
                ("queued_at", models.DateTimeField()),
                ("started_at", models.DateTimeField(blank=True, null=True)),
                ("finished_at", models.DateTimeField(blank=True, null=True)),
                ("attempt", models.PositiveSmallIntegerField(default=0)),
                ("customers", models.PositiveIntegerField(default=0)),
                ("scores", models.PositiveIntegerField(default=0)),
                ("alerts_raised", models.PositiveIntegerField(default=0)),
                ("alerts_refreshed", models.PositiveIntegerField(default=0)),
                ("alerts_resolved", models.PositiveIntegerField(default=0)),
                ("alerts_held", models.PositiveIntegerField(default=0)),
                ("error", models.TextField(blank=True, default="")),
            ],
            options={
                "indexes": [
                    models.Index(
                        fields=["job", "state", "-business_date"], name="run_newest"
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("job", "business_date"),
                        name="run_once_per_job_and_date",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("finished_at__isnull", False), ("state", "done")),
                            models.Q(("state", "done"), _negated=True),
                            _connector="OR",
                        ),
                        name="run_done_has_an_end",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="AlertChange",
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
                ("at", models.DateTimeField()),
                ("change", models.CharField(max_length=20)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("open", "Open"),
                            ("waiting", "Snoozed"),
                            ("held", "Held"),
                            ("closed", "Closed"),
                        ],
                        max_length=8,
                    ),
                ),
                ("before", models.JSONField(blank=True, null=True)),
                ("after", models.JSONField(blank=True, null=True)),
                ("reason", models.CharField(blank=True, default="", max_length=400)),
                (
                    "alert",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="changes",
                        to="signals.alert",
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
                    "run",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="signals.run",
                    ),
                ),
            ],
        ),
        migrations.AddField(
            model_name="alert",
            name="raised_by",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="raised",
                to="signals.run",
            ),
        ),
        migrations.CreateModel(
            name="RunChunk",
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
                ("phase", models.CharField(max_length=12)),
                ("slot_from", models.PositiveIntegerField()),
                ("slot_until", models.PositiveIntegerField()),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("queued", "Queued"),
                            ("running", "Running"),
                            ("done", "Done"),
                            ("failed", "Failed"),
                        ],
                        default="queued",
                        max_length=8,
                    ),
                ),
                ("attempt", models.PositiveSmallIntegerField(default=0)),
                ("lease_until", models.DateTimeField(blank=True, null=True)),
                ("worker", models.CharField(blank=True, default="", max_length=120)),
                ("started_at", models.DateTimeField(blank=True, null=True)),
                ("finished_at", models.DateTimeField(blank=True, null=True)),
                ("counts", models.JSONField(default=dict)),
                ("error", models.TextField(blank=True, default="")),
                (
                    "run",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="chunks",
                        to="signals.run",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Standing",
            fields=[
                (
                    "customer",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="standing",
                        serialize=False,
                        to="accounts.customer",
                    ),
                ),
                ("as_of", models.DateField()),
                ("score", models.PositiveSmallIntegerField(blank=True, null=True)),
                (
                    "band",
                    models.CharField(
                        choices=[
                            ("excellent", "Excellent"),
                            ("healthy", "Healthy"),
                            ("watch", "Watch"),
                            ("act_now", "Act now"),
                            ("insufficient", "Not enough data"),
                        ],
                        max_length=12,
                    ),
                ),
                ("coverage", models.FloatField()),
                ("score_change_30", models.SmallIntegerField(blank=True, null=True)),
                ("rfm_r", models.PositiveSmallIntegerField(blank=True, null=True)),
                ("rfm_f", models.PositiveSmallIntegerField(blank=True, null=True)),
                ("rfm_m", models.PositiveSmallIntegerField(blank=True, null=True)),
                (
                    "segment",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("champion", "Champion"),
                            ("loyal", "Loyal"),
                            ("potential", "Potential loyal"),
                            ("new", "New"),
                            ("promising", "Promising"),
                            ("need_attention", "Need attention"),
                            ("about_to_sleep", "About to sleep"),
                            ("at_risk", "At risk"),
                            ("cant_lose", "Can't lose"),
                            ("hibernating", "Hibernating"),
                            ("lost", "Lost"),
                        ],
                        default="",
                        max_length=16,
                    ),
                ),
                ("nps", models.SmallIntegerField(blank=True, null=True)),
                ("nps_answers", models.PositiveIntegerField(default=0)),
                ("mrr", models.DecimalField(decimal_places=2, max_digits=18)),
                ("arr", models.DecimalField(decimal_places=2, max_digits=18)),
                ("currency", models.CharField(max_length=3)),
                ("plan_code", models.CharField(blank=True, default="", max_length=60)),
                ("seats", models.FloatField(blank=True, null=True)),
                ("seats_used", models.FloatField(blank=True, null=True)),
                ("renews_on", models.DateField(blank=True, null=True)),
                ("notice_on", models.DateField(blank=True, null=True)),
            ],
            options={
                "indexes": [
                    models.Index(fields=["renews_on"], name="standing_by_renewal"),
                    models.Index(fields=["band"], name="standing_by_band"),
                ],
            },
        ),
        migrations.AddConstraint(
            model_name="healthmodelversion",
            constraint=models.UniqueConstraint(
                fields=("model", "number"), name="health_version_number_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="healthmodelversion",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state", "published")),
                fields=("model",),
                name="health_one_published_version",
            ),
        ),
        migrations.AddConstraint(
            model_name="healthmodelversion",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state", "draft")),
                fields=("model",),
                name="health_one_draft_version",
            ),
        ),
        migrations.AddIndex(
            model_name="healthscore",
            index=models.Index(fields=["business_date"], name="health_score_by_date"),
        ),
        migrations.AddConstraint(
            model_name="healthscore",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("score__isnull", True), ("score__lte", 100), _connector="OR"
                ),
                name="health_score_0_to_100",
            ),
        ),
        migrations.AddConstraint(
            model_name="healthscore",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("band", "insufficient"), ("score__isnull", True)),
                    models.Q(
                        ("score__isnull", False),
                        models.Q(("band", "insufficient"), _negated=True),
                    ),
                    _connector="OR",
                ),
                name="health_score_withheld_when_insufficient",
            ),
        ),
        migrations.AddIndex(
            model_name="rfmscore",
            index=models.Index(fields=["business_date", "lens"], name="rfm_by_date"),
        ),
        migrations.AddConstraint(
            model_name="rfmscore",
            constraint=models.CheckConstraint(
                condition=models.Q(("lens__in", ["purchase", "usage"])),
                name="rfm_lens_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="ruleversion",
            constraint=models.UniqueConstraint(
                fields=("rule", "number"), name="rule_version_number_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="ruleversion",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state", "published")),
                fields=("rule",),
                name="rule_one_published_version",
            ),
        ),
        migrations.AddConstraint(
            model_name="ruleversion",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state", "draft")),
                fields=("rule",),
                name="rule_one_draft_version",
            ),
        ),
        migrations.AddIndex(
            model_name="alertchange",
            index=models.Index(fields=["alert", "id"], name="alert_change_in_order"),
        ),
        migrations.AddIndex(
            model_name="alert",
            index=models.Index(
                condition=models.Q(("is_lead", True)),
                fields=["owner", "-priority", "id"],
                name="alert_queue_by_owner",
            ),
        ),
        migrations.AddIndex(
            model_name="alert",
            index=models.Index(
                condition=models.Q(("is_lead", True)),
                fields=["-priority", "id"],
                name="alert_queue",
            ),
        ),
        migrations.AddIndex(
            model_name="alert",
            index=models.Index(
                condition=models.Q(("rearmed_on__isnull", True), ("state", "closed")),
                fields=["customer", "family"],
                name="alert_quiet",
            ),
        ),
        migrations.AddIndex(
            model_name="alert",
            index=models.Index(
                condition=models.Q(("state", "closed")),
                fields=["-closed_at"],
                name="alert_done",
            ),
        ),
        migrations.AddConstraint(
            model_name="alert",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("closed_at__isnull", False),
                        ("is_lead", False),
                        ("open_key__isnull", True),
                        ("state", "closed"),
                    ),
                    models.Q(
                        models.Q(("state", "closed"), _negated=True),
                        ("closed_at__isnull", True),
                        ("open_key__isnull", False),
                    ),
                    _connector="OR",
                ),
                name="alert_closed_or_open_wholly",
            ),
        ),
        migrations.AddConstraint(
            model_name="alert",
            constraint=models.UniqueConstraint(
                condition=models.Q(("is_lead", True)),
                fields=("customer",),
                name="alert_one_lead_per_customer",
            ),
        ),
        migrations.AddConstraint(
            model_name="alert",
            constraint=models.CheckConstraint(
                condition=models.Q(("priority__lte", 100)),
                name="alert_priority_0_to_100",
            ),
        ),
        migrations.AddConstraint(
            model_name="alert",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state", "waiting"), _negated=True),
                    ("snoozed_until__isnull", False),
                    ("snooze_condition__isnull", False),
                    _connector="OR",
                ),
                name="alert_waits_for_something",
            ),
        ),
        migrations.AddConstraint(
            model_name="alert",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state", "held"), _negated=True),
                    models.Q(("held_reason", ""), _negated=True),
                    _connector="OR",
                ),
                name="alert_held_for_a_reason",
            ),
        ),
        migrations.AddConstraint(
            model_name="runchunk",
            constraint=models.UniqueConstraint(
                fields=("run", "phase", "slot_from"), name="run_chunk_once"
            ),
        ),
    ]
