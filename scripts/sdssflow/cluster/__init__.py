"""Runs on a cluster: who runs in this folder, what an earlier run left in the queue."""
