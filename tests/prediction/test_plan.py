"""Plans are plain data: they are pickled, and decide the same in a process that knows nothing else."""

from __future__ import annotations

import pickle
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest

from actcli.calibration.conformal import Conformal
from actcli.calibration.methods import Isotonic, Platt, Temperature, VectorScaling
from actcli.errors import UsageError
from actcli.evaluation.loss_gradient import LossGradientSink
from actcli.evaluation.truth import NoTruth, TruthSpec
from actcli.prediction.comparison import empty_comparison, plan_comparison
from actcli.prediction.derivatives import plan_derivative
from actcli.prediction.inspection import Inspection, InspectionSink, ReadableRows
from actcli.prediction.plan import plan
from actcli.prediction.rules import Rules
from actcli.streaming.batch import Batch, Carried, Kind, Layout
from actcli.tasks import Function, Origin, Task
from program import environment

if TYPE_CHECKING:
    from collections.abc import Callable

CLASSES = ("cat", "dog", "fox")
CARRIED = (Carried("id", Kind.TEXT),)
LOGITS = np.random.default_rng(5).normal(0, 3, (40, 3)).astype(np.float32)
LOGITS[7, 1], LOGITS[9, 0] = np.nan, -np.inf
SHARES = np.exp(LOGITS) / np.exp(LOGITS).sum(axis=1, keepdims=True)
SHARES[7] = 0.5
LOG_SHARES = LOGITS - np.log(np.exp(LOGITS).sum(axis=1, keepdims=True))
CHILD = """
import pickle, sys
pickle.dump([decide(batch) for decide, batch in pickle.load(sys.stdin.buffer)], sys.stdout.buffer)
"""


def layout(classes: tuple[str, ...] = CLASSES) -> Layout:
    """Return the layout of a table with these classes and a carried column."""
    return Layout(classes, CARRIED, np.dtype(np.float32), 40)


def batch_of(scores: np.ndarray[Any, Any]) -> Batch:
    """Return a batch of these scores, with a carried column."""
    return Batch(scores, {"id": pa.array([f"row {number}" for number in range(len(scores))])}, str)


ONE, TWO = layout(("score",)), layout(("no", "yes"))
SKIP = Rules(skip=True, precision=4)
PLANS: dict[str, tuple[Callable[[Batch], Batch], np.ndarray[Any, Any]]] = {
    "softmax": (plan(Task.SOFTMAX, layout(), Rules(skip=True)).decide, LOGITS),
    "softmax that ends": (plan(Task.SOFTMAX, layout(), Rules()).decide, LOGITS),
    "every column of softmax": (
        plan(
            Task.SOFTMAX,
            layout(),
            Rules(
                skip=True,
                top_k=2,
                abstain_below=0.6,
                abstain_margin=0.1,
                conformal=Conformal("aps", 0.1, 0.9),
                columns=(
                    *("carried", "row", "file", "label", "index", "probability", "probabilities", "log_probabilities"),
                    *("logits", "onehot", "top_k", "margin", "entropy", "reason", "prediction_set"),
                ),
            ),
            ["scores.npy"],
        ).decide,
        LOGITS,
    ),
    "softmax of probabilities": (
        plan(Task.SOFTMAX, layout(), Rules(origin=Origin.PROBABILITIES, renormalize=True, skip=True)).decide,
        SHARES,
    ),
    "softmax of log-probabilities": (
        plan(Task.SOFTMAX, layout(), Rules(origin=Origin.LOG_PROBABILITIES, skip=True, dtype="float64")).decide,
        LOG_SHARES,
    ),
    "multilabel": (
        plan(
            Task.MULTILABEL,
            layout(),
            Rules(skip=True, thresholds={"dog": 0.3}, top_k=2, at_least_one=True, strict=True),
        ).decide,
        LOGITS,
    ),
    "binary of one column": (plan(Task.BINARY, ONE, Rules(skip=True)).decide, LOGITS[:, :1]),
    "binary of two columns": (plan(Task.BINARY, TWO, Rules(skip=True, positive="no")).decide, LOGITS[:, :2]),
    "a temperature": (plan(Task.SOFTMAX, layout(), Rules(calibration=Temperature(1.7), skip=True)).decide, LOGITS),
    "vector scaling": (
        plan(Task.SOFTMAX, layout(), Rules(calibration=VectorScaling((1, 2, 3), (0, 0, 1)), skip=True)).decide,
        LOGITS,
    ),
    "Platt scaling": (
        plan(Task.BINARY, TWO, Rules(calibration=Platt((1.5,), (0.2,)), thresholds={"yes": 0.4}, skip=True)).decide,
        LOGITS[:, :2],
    ),
    "isotonic regression": (
        plan(
            Task.MULTILABEL,
            layout(),
            Rules(calibration=Isotonic((((-1.0, 1.0), (0.1, 0.9)),) * 3), skip=True),
        ).decide,
        LOGITS,
    ),
    "compare": (plan_comparison(layout(), SKIP).decide, LOGITS),
    "gradient of the sigmoid": (plan_derivative(Function.SIGMOID, layout(), SKIP).decide, LOGITS),
    "gradient of the softmax": (plan_derivative(Function.SOFTMAX, layout(), SKIP).decide, LOGITS),
    "gradient of the softmax of probabilities": (
        plan_derivative(Function.SOFTMAX, layout(), Rules(origin=Origin.PROBABILITIES, skip=True)).decide,
        np.delete(SHARES, 7, axis=0),
    ),
    "gradient of the cross-entropy": (plan_derivative(Function.CROSS_ENTROPY, layout(), SKIP).decide, LOGITS),
    "inspect": (ReadableRows(skip=False).decide, LOGITS),
}
"""By what they decide: a stage, and the scores of a batch for it."""


def plain(value: Any) -> Any:
    """Return a value as what can be compared: arrays as dtype, shape and bytes, errors as texts, batches as fields."""
    if isinstance(value, Batch):
        return {name: plain(getattr(value, name)) for name in Batch.__slots__}
    if isinstance(value, np.ndarray):
        return str(value.dtype), value.shape, value.tobytes()
    if isinstance(value, Exception):
        return type(value).__name__, str(value), getattr(value, "hint", None)
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    return value


@pytest.fixture(scope="module")
def elsewhere() -> dict[str, Batch]:
    """Return what another process decides, with nothing but the pickled stages and batches."""
    work = pickle.dumps([(decide, batch_of(scores)) for decide, scores in PLANS.values()])
    done = subprocess.run(
        [sys.executable, "-c", CHILD], input=work, capture_output=True, check=True, env=environment(), timeout=60
    )
    return dict(zip(PLANS, pickle.loads(done.stdout), strict=True))


@pytest.mark.parametrize("name", PLANS)
def test_a_plan_decides_the_same_in_another_process(name: str, elsewhere: dict[str, Batch]) -> None:
    """To the last bit, errors of rows included."""
    decide, scores = PLANS[name]
    here = plain(decide(batch_of(scores)))
    assert plain(elsewhere[name]) == here
    assert here["values"] or here["counted"] or name == "inspect"


def test_a_plan_cannot_be_changed() -> None:
    """It is frozen."""
    planned = plan(Task.SOFTMAX, layout(), Rules())
    with pytest.raises(AttributeError):
        planned.notes = ("other",)  # type: ignore[misc]


def test_an_encoder_is_plain_data() -> None:
    """It is pickled apart from its sink, and encodes the same."""
    counts = InspectionSink(Inspection(CLASSES))
    gradients = LossGradientSink(counts, NoTruth(TruthSpec(Task.SOFTMAX, CLASSES)), SKIP)
    for sink in (counts, gradients):
        again = pickle.loads(pickle.dumps(sink.encoder))
        found, copy = (encoder.encode(batch_of(LOGITS)) for encoder in (sink.encoder, again))
        assert plain(copy) == plain(found)


@pytest.mark.parametrize("middle", [0, 1, 17, 40])
def test_two_halves_of_an_inspection(middle: int) -> None:
    """Merged are the whole: counts exactly, sums to rounding (NumPy)."""
    whole, *halves = (Inspection(CLASSES) for _ in range(3))
    parts = zip((whole, *halves), (LOGITS, LOGITS[:middle], LOGITS[middle:]), strict=True)
    for inspection, scores in parts:
        if len(scores):
            sink = InspectionSink(inspection)
            sink.accept(sink.encoder.encode(batch_of(scores)), 0)
    merged, other = halves
    merged.merge(other)
    assert merged.rows == whole.rows
    for name in ("nan", "infinite", "masked", "best", "least", "most", "finite"):
        np.testing.assert_array_equal(getattr(merged, name), getattr(whole, name))
    np.testing.assert_allclose(merged.total, whole.total, rtol=1e-12)
    exact = LOGITS.astype(np.float64)
    np.testing.assert_allclose(merged.total, np.where(np.isfinite(exact), exact, 0).sum(axis=0), rtol=1e-12)
    with pytest.raises(ValueError, match="different classes"):
        merged.merge(Inspection(("cat",)))


@pytest.mark.parametrize("middle", [0, 1, 17, 40])
@pytest.mark.parametrize("classes", [2, 3])
def test_two_halves_of_a_comparison(middle: int, classes: int) -> None:
    """Merged are the whole: counts and the example exactly, sums to rounding."""
    rules = Rules(skip=True, thresholds={"dog": 0.2})
    planned = plan_comparison(layout(CLASSES[:classes]), rules)
    whole, *halves = (empty_comparison(planned.layout, rules) for _ in range(3))
    scores = LOGITS[:, :classes]
    for comparison, rows, start in (
        (whole, scores, 0),
        (halves[0], scores[:middle], 0),
        (halves[1], scores[middle:], middle),
    ):
        if len(rows):
            comparison.add(planned.decide(batch_of(rows)).counted, start)
    merged, other = halves
    merged.merge(other)
    for name in ("rows", "reached", "agree", "least", "most", "difference", "suspicious", "raised"):
        assert plain(getattr(merged, name)) == plain(getattr(whole, name)), name
    assert merged.total == pytest.approx(whole.total, rel=1e-12)
    with pytest.raises(ValueError, match="different classes"):
        merged.merge(empty_comparison(planned.layout, Rules()))


def test_thresholds_for_some_classes() -> None:
    """Of a file are noted, with the threshold of the others; a name that is no class is an error."""
    rules = Rules(thresholds={"cat": 0.2}, thresholds_file="t.json", threshold=0.25)
    notes = plan(Task.MULTILABEL, layout(), rules).notes
    assert notes == ("t.json: names no threshold for 2 of 3 classes; they take 0.25",)
    assert plan(Task.MULTILABEL, layout(), Rules(thresholds={"cat": 0.2})).notes == ()
    with pytest.raises(UsageError, match="'no' is not the positive class"):
        plan(Task.BINARY, TWO, Rules(thresholds={"no": 0.2}))
