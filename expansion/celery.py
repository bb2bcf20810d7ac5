"""The queue.  It only wakes workers: what is to be done stands in PostgreSQL (ADR-0002)."""

from __future__ import annotations

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "expansion.settings")

app = Celery("kizashi")
app.conf.update(
    broker_url=os.environ.get("REDIS_URL", ""),
    task_serializer="json",
    accept_content=["json"],
    task_ignore_result=True,
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=1,
    task_soft_time_limit=540,
    task_time_limit=600,
    broker_connection_retry_on_startup=True,
    broker_transport_options={
        "visibility_timeout": 3600,
        "unacked_restore_interval": 5,
        "unacked_restore_throttle": 1,
    },
    worker_hijack_root_logger=False,
    timezone="UTC",
    beat_schedule={"tick": {"task": "signals.tasks.tick", "schedule": 60.0, "options": {"expires": 55}}},
)
app.autodiscover_tasks(["signals", "accounts"])
