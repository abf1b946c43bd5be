"""The pages of a scheduler: none, or Dask's dashboard for those who have its token."""

from __future__ import annotations

import secrets
import sys
from typing import Any

from ketadask.cluster.profile import Profile


def has_dashboard(profile: Profile) -> bool:
    """Whether to serve the dashboard: as the profile says, by default in a terminal only."""
    return sys.stderr.isatty() if profile.dashboard is None else profile.dashboard


def dashboard_settings(profile: Profile) -> tuple[dict[str, Any], str | None]:
    """Return settings of Dask for the pages of a scheduler, and the token of the dashboard.

    Without a dashboard there are no pages and no token. A variable of the environment cannot add
    pages, some of which let anyone on the machine remove workers.
    """
    routes: dict[str, Any] = {
        "distributed.scheduler.http.routes": [],
        "distributed.worker.http.routes": [],
    }
    if not has_dashboard(profile):
        return routes, None
    from ketadask.cluster.token_auth import TokenAuth

    token = secrets.token_urlsafe(24)
    routes["distributed.scheduler.http.routes"] = ["distributed.http.statics"]
    application = "distributed.scheduler.dashboard.bokeh-application"
    return {**routes, f"{application}.auth_provider": TokenAuth(token)}, token
