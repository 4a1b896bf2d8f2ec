"""What holds for all tests: however busy the machine is, none fails because of it."""

import os

import hypothesis

# before anything that computes is imported: threads that wait for each other, and don't get their
# cores at the same time, make the small fits of tests many times slower
os.environ.setdefault("OMP_NUM_THREADS", "1")

# hypothesis by itself fails an example that takes 0.2 s, and a test whose inputs are slow to make
hypothesis.settings.register_profile(
    "patient", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("patient")
