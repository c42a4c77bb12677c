"""Check once a minute if the admission policy is in force, for the metric `atmpl_policy_in_force`."""

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable

from atmpl.controller.authorization import PolicyCheck, check_policy
from atmpl.controller.cluster import ClusterError, PolicyObjects
from atmpl.kube.failure_log import FailureLog

log = logging.getLogger("atmpl")

CHECK_SECONDS = 60.0


class PolicyMonitor:
    """The state of the admission policy. `run` does not return."""

    def __init__(
        self,
        policies: Callable[[], Awaitable[dict[str, PolicyObjects]]],
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._policies = policies
        self._sleep = sleep
        self._failure_log = FailureLog(log, "policy check", now=time.monotonic)
        self._logged: PolicyCheck | None = None
        self.in_force = math.nan  # 1 or 0; NaN while it is not known

    async def run(self) -> None:
        """Check until cancelled."""
        while True:
            await self.check()
            await self._sleep(CHECK_SECONDS)

    async def check(self) -> None:
        """Read the policy. If that fails, the last result remains."""
        try:
            # Ages do not matter for "in force now": any request time gives the same answer.
            check = check_policy("", await self._policies())
        except ClusterError as error:
            self._failure_log.failed({"why": str(error)})
            return
        self._failure_log.recovered({})
        self.in_force = float(check.is_in_force)
        if check.is_in_force:
            if self._logged is not None:
                log.info("admission policy in force again")
            self._logged = None
        elif check is not self._logged:
            log.warning("admission policy not in force", extra={"why": check.explanation})
            self._logged = check
