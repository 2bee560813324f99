"""Time that tests must not be surprised by."""

import time

DAY = 86_400


def stay_in_one_day(seconds: float) -> None:
    """Waits for midnight (UTC) where it is nearer than that: quotas and registrations end with a day."""
    left = DAY - time.time() % DAY
    if left < seconds:
        time.sleep(left + 1)
