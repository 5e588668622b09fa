"""The registry of the metrics."""

from __future__ import annotations

import pytest

from actcli.metrics.definitions import METRICS, PER_CLASS, class_metric_names, metric_names, smaller_is_better
from actcli.metrics.settings import MetricSettings
from actcli.tasks import Task


@pytest.mark.parametrize("task", Task)
def test_names_are_contracts(task: Task) -> None:
    """Each name is there once; a loss or an error is better small, everything else large."""
    for registry in (METRICS, PER_CLASS):
        names = [metric.name for metric in registry[task]]
        assert len(set(names)) == len(names)
    for metric in METRICS[task]:
        is_loss = metric.name.endswith(("_loss", "_cost")) or metric.name in ("ece", "mce", "mae", "aurc")
        assert metric.smaller_is_better is is_loss is smaller_is_better(metric.name)


@pytest.mark.parametrize("task", Task)
def test_settings_choose_metrics(task: Task) -> None:
    """A metric that needs something appears only with it."""
    least = MetricSettings(task, 2, ranking=False)
    optional = {"coverage", "top_k_accuracy", "mean_cost", "aurc", "mae", "kappa_quadratic"}
    assert not optional & set(metric_names(least))
    assert not [name for name in metric_names(least) + class_metric_names(least) if "roc_auc" in name]
    most = MetricSettings(task, 2, ranking=True, top_k=True, coverage=True, costs=True, ordered=True)
    assert metric_names(most) == tuple(metric.name for metric in METRICS[task])
    assert class_metric_names(most) == tuple(metric.name for metric in PER_CLASS[task])
