"""Trained models of both tasks: files, cards, folders, checks of their inputs."""
