"""Asks deployed models as their clients do."""

import requests

from local_stack.app_client import Endpoints
from local_stack.demo_data import DataStory


def share_right(endpoints: Endpoints, data: DataStory) -> float:
    """The share of held-out rows that the deployed model gets right."""
    url = f"{endpoints['serving'][data.pipeline]}/score"
    answer = requests.post(url, json=data.holdout_request, timeout=60)
    assert answer.status_code == 200, answer.text
    predicted: list[int] = answer.json()["predictions"]
    right = [ours == truth for ours, truth in zip(predicted, data.holdout_truths, strict=True)]
    return sum(right) / len(right)
