"""Tells workers that there is work, by name; losing a ring costs at most one sweep (1 s)."""

from __future__ import annotations

from typing import Any

import structlog
from celery import Celery
from kombu.exceptions import OperationalError

log = structlog.get_logger()

INTAKE = "intake"
PUBLISH = "publish"
QUEUE_OF = {
    "pull": INTAKE,
    "process": INTAKE,
    "notices": INTAKE,
    "expire": INTAKE,
    "refresh": PUBLISH,
    "push": PUBLISH,
    "read": PUBLISH,
    "bulk": PUBLISH,
    "reconcile": PUBLISH,
    "desk": PUBLISH,
    "notify": PUBLISH,
    "sweep": INTAKE,
    "tidy": INTAKE,
    "watch": INTAKE,
    "check": INTAKE,
    "history": INTAKE,
    "standing": INTAKE,
}


def make_celery(redis_url: str) -> Celery:
    """Celery as this house uses it: JSON, late acknowledgement, no results, coarse tasks.

    Unacknowledged messages of a worker that died come back after `visibility_timeout` seconds;
    kombu looks for them as often as the two restore settings say.
    """
    celery = Celery("hikiate", broker=redis_url)
    celery.conf.update(
        task_serializer="json",
        accept_content=["json"],
        task_ignore_result=True,
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        task_default_queue=INTAKE,
        worker_prefetch_multiplier=1,
        worker_hijack_root_logger=False,
        broker_connection_retry_on_startup=True,
        broker_transport_options={
            "visibility_timeout": 300,
            "unacked_restore_interval": 5,
            "unacked_restore_throttle": 1,
        },
        timezone="UTC",
    )
    return celery


class Doorbell:
    """Sends work by name, without importing the workers. `EXPIRES_SECONDS` drops stale rings."""

    EXPIRES_SECONDS = 30
    ANSWER_SECONDS_MAX = 1.0

    def __init__(self, celery: Celery) -> None:
        # The one who rings stands in an event loop: without Valkey it must go on at once, where
        # kombu would try again for six seconds.
        celery.conf.broker_transport_options = celery.conf.broker_transport_options | {
            "max_retries": 0,
            "socket_connect_timeout": self.ANSWER_SECONDS_MAX,
            "socket_timeout": self.ANSWER_SECONDS_MAX,
        }
        self._celery = celery

    def ring(self, name: str, *args: Any) -> None:
        """Ask for one run of a task; called only after the commit that made the work."""
        try:
            self._celery.send_task(
                name, args=args, queue=QUEUE_OF[name], expires=self.EXPIRES_SECONDS, retry=False
            )
        except OperationalError as error:
            log.warning("doorbell_silent", task=name, error=type(error).__name__)
