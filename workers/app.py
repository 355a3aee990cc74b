"""The Celery application: when things happen. Every task is a thin call of an async function."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import structlog
from celery.signals import (
    setup_logging,
    task_failure,
    worker_process_init,
    worker_process_shutdown,
    worker_ready,
)
from structlog.contextvars import bound_contextvars

from inventory import collector, config, logs
from inventory.doorbell import QUEUE_OF, make_celery
from workers import (
    bulk,
    desk,
    history,
    notices,
    notify,
    onboarding,
    process,
    pull,
    push,
    reconcile,
    sweep,
)
from workers.runtime import LoopThread, Runtime

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

SETTINGS = config.load()
app = make_celery(SETTINGS.redis_url)
app.conf.task_routes = {name: {"queue": queue} for name, queue in QUEUE_OF.items()}
app.conf.beat_schedule = {
    "sweep": {"task": "sweep", "schedule": 1.0, "options": {"expires": 1.0}},
    "watch": {"task": "watch", "schedule": 10.0, "options": {"expires": 10.0}},
    "check": {"task": "check", "schedule": 900.0, "options": {"expires": 900.0}},
    "tidy": {"task": "tidy", "schedule": 3600.0, "options": {"expires": 3600.0}},
}
log = structlog.get_logger()


class Process:
    """One worker process's loop and runtime, made at the first task: after any fork."""

    loop: LoopThread | None = None
    runtime: Runtime | None = None
    # The first tasks begin in many threads at once.
    _first = threading.Lock()

    @classmethod
    def run(cls, work: Callable[..., Awaitable[int]], *args: Any) -> None:
        """Run a piece of work on this process's loop."""
        with cls._first:
            loop = cls.loop = cls.loop or LoopThread()
        loop.run(cls._work(work, *args))

    @classmethod
    async def _work(cls, work: Callable[..., Awaitable[int]], *args: Any) -> None:
        if cls.runtime is None:
            cls.runtime = Runtime(SETTINGS)
            collector.calm()
        await work(cls.runtime, *args)

    @classmethod
    def stop(cls) -> None:
        """Close what was opened."""
        if cls.loop is not None and cls.runtime is not None:
            cls.loop.run(cls.runtime.aclose())
            cls.loop.stop()
        cls.loop = cls.runtime = None


def _task(name: str, work: Callable[..., Awaitable[int]]) -> None:
    def run(self: Any, *args: Any) -> None:
        with bound_contextvars(task=name, task_id=self.request.id):
            Process.run(work, *args)

    app.task(run, bind=True, name=name)


_task("pull", pull.work)
_task("process", process.work)
_task("notices", notices.work)
_task("expire", process.expire)
_task("refresh", push.refresh)
_task("push", push.push)
_task("read", push.read)
_task("bulk", bulk.work)
_task("reconcile", reconcile.work)
_task("desk", desk.work)
_task("notify", notify.work)
_task("sweep", sweep.work)
_task("tidy", sweep.tidy)
_task("check", sweep.check)
_task("watch", sweep.watch)
_task("history", history.work)
_task("standing", onboarding.work)


@worker_process_init.connect
def _forked(**_: Any) -> None:
    """A forked child must not use its parent's loop."""
    Process.loop = Process.runtime = None


@worker_process_shutdown.connect
def _ending(**_: Any) -> None:
    Process.stop()


@setup_logging.connect
def _log_as_the_house_does(**_: Any) -> None:
    logs.setup(SETTINGS)


@task_failure.connect
def _failed(sender: Any, exception: BaseException, **_: Any) -> None:
    """A failed task is not tried again by Celery: the sweep finds its work."""
    log.error("task_failed", task=sender.name, exc_info=exception)


@worker_ready.connect
def _ready(**_: Any) -> None:
    log.info("worker_ready")
