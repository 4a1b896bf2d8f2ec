"""What holds for all tests: however busy the machine is, none fails because of it."""

import hypothesis

# hypothesis by itself fails an example that takes 0.2 s, and a test whose inputs are slow to make
hypothesis.settings.register_profile(
    "patient", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("patient")
