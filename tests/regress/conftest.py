import pytest
import torch


@pytest.fixture(autouse=True, scope="session")
def one_torch_thread():
    """Small networks gain nothing from more, and wait for each other where cores are shared."""
    torch.set_num_threads(1)
