"""What trials are ranked by, with a task and without one."""

import pytest
from task_cases import REGRESSION

from autoprune.errors import InputError
from autoprune.evaluation.contract import Metric
from autoprune.evaluation.metrics import metric_of
from autoprune.spec import MetricSpec

LOSS = Metric("loss")


@pytest.mark.parametrize(
    ("given", "task", "expected"),
    [
        (MetricSpec(), None, Metric("calibrated-loss")),
        (MetricSpec(), REGRESSION, LOSS),
        (MetricSpec(name="mean_error"), REGRESSION, Metric("mean_error", "minimize")),
        (MetricSpec(name="loss", direction="minimize"), REGRESSION, LOSS),
        (
            MetricSpec(name="my.py:score", direction="maximize"),
            REGRESSION,
            Metric("my.py:score", "maximize"),
        ),
    ],
)
def test_the_loss_ranks_unless_a_metric_is_named(given, task, expected):
    assert metric_of(given, task) == expected


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (
            MetricSpec(name="accuracy"),
            "is of classes, and the task has none: there is loss, mean_err",
        ),
        (
            MetricSpec(name="mean_error", direction="maximize"),
            "is known: minimize; leave the direct",
        ),
        (MetricSpec(name="my.py:score"), "say which scores are better"),
    ],
)
def test_metrics_that_a_task_cannot_be_ranked_by_are_refused(given, words):
    with pytest.raises(InputError, match=words):
        metric_of(given, REGRESSION)
