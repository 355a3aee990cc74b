"""Hostile nights: those of the workers' tests, told with one shop that is struck."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.hostile.story import Story
from tests.workers.conftest import night, runtime, settings, start_sandbox
from tests.workers.night import Night

__all__ = ["night", "runtime", "settings", "start_sandbox", "story"]


@pytest.fixture
def story(night: Night) -> Callable[[str], Story]:
    """Begins a story in which this kind of marketplace is struck."""
    return lambda kind: Story(night, kind)
