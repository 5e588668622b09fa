"""The predictions for a batch of scores. Each property is an output column, computed when it is first read."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, assert_never

import numpy as np

from actcli.activations import energy_rows, exponentials, log_sigmoid, log_softmax_rows, row_sums, sigmoid
from actcli.prediction import decisions
from actcli.prediction.scoring import log, log_complement
from actcli.streaming.batch import Sets, TopK
from actcli.tasks import Origin, Task

if TYPE_CHECKING:
    from typing import TypeAlias

    from actcli.prediction.costs import CostRule
    from actcli.prediction.rules import Rules
    from actcli.prediction.scoring import Scoring
    from actcli.prediction.taxonomy import RollUp

    Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

__all__ = ["BinaryPredictions", "Predictions", "SigmoidPredictions", "SoftmaxPredictions", "predictions"]


def predictions(
    given: Array,
    scoring: Scoring,
    rules: Rules,
    thresholds: Array,
    unmasked: Array | None = None,
    *,
    costs: CostRule | None = None,
    taxonomy: RollUp | None = None,
) -> SoftmaxPredictions | SigmoidPredictions:
    """Return the predictions of the task of `scoring`; the parameters are those of `Predictions`."""
    match scoring.task:
        case Task.SOFTMAX:
            return SoftmaxPredictions(given, scoring, rules, thresholds, unmasked, costs=costs, taxonomy=taxonomy)
        case Task.MULTILABEL:
            return SigmoidPredictions(given, scoring, rules, thresholds, unmasked)
        case Task.BINARY:
            return BinaryPredictions(given, scoring, rules, thresholds, unmasked, costs=costs)
        case _:
            assert_never(scoring.task)


class Predictions:
    """The predictions for a batch of scores; each public property is an output column.

    Parameters
    ----------
    given
        Shape (N, C), checked, in the computing dtype.
    scoring
        How these become scores.
    rules
        What is asked for.
    thresholds
        Of each class, shape (C,), in the computing dtype.
    unmasked
        `given` before the mask, if there is one.
    """

    def __init__(
        self, given: Array, scoring: Scoring, rules: Rules, thresholds: Array, unmasked: Array | None = None
    ) -> None:
        self.given = given
        self.unmasked = given if unmasked is None else unmasked
        self.scoring = scoring
        self.rules = rules
        self.thresholds = thresholds
        self.scores, self.form, self.temperature = scoring.scored(given)

    @cached_property
    def logits(self) -> Array:
        """The logits as given: before mask, calibration and prior."""
        return self.scoring._replace(masks=False).logits(self.unmasked)

    @property
    def energy(self) -> Array:
        """The energy of the logits as given (Liu, Wang, Owens and Li, NeurIPS 2020, arXiv:2010.03759)."""
        return energy_rows(self.logits)

    @property
    def max_logit(self) -> Array:
        """The largest of the logits as given."""
        return np.asarray(self.logits.max(axis=1))

    @cached_property
    def probabilities(self) -> Array:
        """The probability of each class."""
        match self.form:
            case Origin.LOGITS:
                return self._activation()
            case Origin.PROBABILITIES:
                return self.scores
            case Origin.LOG_PROBABILITIES:
                return np.exp(self.scores)
            case _:
                assert_never(self.form)

    @cached_property
    def log_probabilities(self) -> Array:
        """The natural logarithms of the probabilities."""
        match self.form:
            case Origin.LOGITS:
                return self._log_activation()
            case Origin.PROBABILITIES:
                return log(self.scores)
            case Origin.LOG_PROBABILITIES:
                return self.scores
            case _:
                assert_never(self.form)

    def _activation(self) -> Array:
        """Return the probabilities of scores that are logits."""
        raise NotImplementedError

    def _log_activation(self) -> Array:
        """Return the logarithms of these probabilities, computed without them."""
        raise NotImplementedError

    @property
    def _masked(self) -> Array:
        """Where a class cannot be the label, shape (N, C), bool."""
        return self.scoring.masked(self.given)

    @cached_property
    def _ranking(self) -> Array:
        """The scores, with -inf where a class is masked: a masked probability is 0, which others can be too."""
        return np.where(self._masked, -np.inf, self.scores) if self.scoring.masks else self.scores


class SoftmaxPredictions(Predictions):
    """Exactly one class is right in each row: softmax.

    Parameters
    ----------
    given, scoring, rules, thresholds, unmasked
        As for `Predictions`.
    costs
        The rule that decides, if there are costs.
    taxonomy
        The roll-up of what is decided, if there is a taxonomy.
    """

    def __init__(
        self,
        given: Array,
        scoring: Scoring,
        rules: Rules,
        thresholds: Array,
        unmasked: Array | None = None,
        *,
        costs: CostRule | None = None,
        taxonomy: RollUp | None = None,
    ) -> None:
        super().__init__(given, scoring, rules, thresholds, unmasked)
        self.cost_rule = costs
        self.taxonomy = taxonomy

    @cached_property
    def _exponentials(self) -> tuple[Array, Array]:
        return exponentials(self.scores, self.temperature)

    def _activation(self) -> Array:
        powers, totals = self._exponentials
        powers /= totals[:, np.newaxis]  # nothing else reads them
        return powers

    def _log_activation(self) -> Array:
        return log_softmax_rows(self.scores, self.temperature)

    @cached_property
    def _best(self) -> Array:
        return decisions.argmax(self.scores)

    @cached_property
    def _decided(self) -> Array:
        """The code of the decision before it is rolled up or withheld: a class, or C and more for another decision."""
        return self._best if self.cost_rule is None else self.cost_rule.decided(self.probabilities, self._masked)

    @cached_property
    def leaf(self) -> Array:
        """The class before it is rolled up: the most probable one, or the one that the costs choose."""
        if self.cost_rule is None:
            return self._best
        return np.where(self._decided < self.scores.shape[1], self._decided, self._best)

    @cached_property
    def _rolled_up(self) -> tuple[Array, Array]:
        """The number of the node that `leaf` is rolled up to, and its probability."""
        assert self.taxonomy is not None
        probabilities = self.taxonomy.probabilities(self.probabilities)
        nodes = self.taxonomy.rolled_up(self.leaf, probabilities)
        return nodes, probabilities[np.arange(len(nodes)), nodes]

    @cached_property
    def probability(self) -> Array:
        """The probability of the label or, where it is withheld, of the class or node that would be the label."""
        if self.taxonomy is not None:
            return self._rolled_up[1]
        if self.cost_rule is None and self.form is Origin.LOGITS and "probabilities" not in self.__dict__:
            return 1 / self._exponentials[1]
        return np.take_along_axis(self.probabilities, self.leaf[:, np.newaxis], axis=1)[:, 0]

    @cached_property
    def margin(self) -> Array:
        """The largest probability minus the second."""
        return decisions.margin(self.probabilities)

    @cached_property
    def entropy(self) -> Array:
        """The entropy of the probabilities, in nats."""
        probabilities = self.probabilities
        with np.errstate(invalid="ignore"):
            terms = np.where(probabilities > 0, probabilities * self.log_probabilities, 0)
        return np.maximum(-row_sums(terms), 0)

    @cached_property
    def reason(self) -> Array:
        """Why there is a label or none: indices into `actcli.prediction.output_columns.REASONS`."""
        code = np.zeros(len(self.scores), dtype=np.int64)
        if self.rules.abstain_margin is not None:
            code[self.margin < self.margin.dtype.type(self.rules.abstain_margin)] = 2
        if self.rules.abstain_below is not None:
            code[self.probability < self.probability.dtype.type(self.rules.abstain_below)] = 1
        if self.cost_rule is not None:
            code[self._decided >= self.scores.shape[1]] = 0  # a decision that is no class is not withheld
        return code

    @cached_property
    def label(self) -> Array:
        """The label by its code: its class, then other decisions, then other nodes; -1 where it is withheld."""
        found = self._decided
        if self.taxonomy is not None:
            classes, nodes = self.scores.shape[1], self._rolled_up[0]
            others = 0 if self.cost_rule is None else len(self.cost_rule.others)
            found = np.where(found < classes, np.where(nodes < classes, nodes, nodes + others), found)
        return np.where(self.reason == 0, found, -1) if self.rules.abstains else found

    @cached_property
    def index(self) -> Array:
        """The index of the label's class; -1 where the label is withheld or no class."""
        if self.cost_rule is None and self.taxonomy is None:
            return self.label
        return np.where(self.label < self.scores.shape[1], self.label, -1)

    @property
    def lineage(self) -> Sets:
        """The nodes from the root to the label; none where the label is withheld or no node."""
        assert self.taxonomy is not None
        decided = (self.label >= 0) & (self._decided < self.scores.shape[1])
        return self.taxonomy.lineages(np.where(decided, self._rolled_up[0], -1))

    @property
    def expected_cost(self) -> Array:
        """The expected cost of the decision, withheld or not."""
        assert self.cost_rule is not None
        return self.cost_rule.expected_of(self.probabilities, self._decided).astype(self.probabilities.dtype)

    @property
    def costs(self) -> Array:
        """The expected cost of each decision."""
        assert self.cost_rule is not None
        return self.cost_rule.expected(self.probabilities).astype(self.probabilities.dtype)

    @property
    def onehot(self) -> Array:
        """1 for the label's class."""
        return np.equal(self.index[:, np.newaxis], np.arange(self.scores.shape[1])).astype(np.uint8)

    @property
    def prediction_set(self) -> Sets:
        """The classes that the conformal rule includes, in class order.

        The rule was fitted in float64, so it is applied in float64: rounding must not break its guarantee.
        """
        assert self.rules.conformal is not None
        exact = self if self.given.dtype == np.float64 else self._in_float64()
        return _sets(self.rules.conformal.sets(exact.probabilities) & ~self._masked)

    def _in_float64(self) -> SoftmaxPredictions:
        return type(self)(self.given.astype(np.float64), self.scoring, self.rules, self.thresholds)

    @property
    def top_k(self) -> TopK:
        """The classes with the highest scores, without masked ones."""
        codes = decisions.top_k(self._ranking, self.rules.top_k or self.scores.shape[1])
        masked = np.take_along_axis(self._masked, codes, axis=1)
        return TopK(np.where(masked, -1, codes), np.take_along_axis(self.probabilities, codes, axis=1))


class BinaryPredictions(SoftmaxPredictions):
    """Two classes, (negative, positive), and a threshold for the positive one."""

    @cached_property
    def _best(self) -> Array:
        positive = decisions.reached(self.probabilities, self.thresholds, strict=self.rules.strict)[:, 1]
        masked = self._masked
        return np.where(masked[:, 0] | (positive & ~masked[:, 1]), 1, 0)

    @cached_property
    def probability(self) -> Array:
        """The probability of the label or, where it is withheld, of the class that would be the label."""
        return np.where(self.leaf == 1, self.probabilities[:, 1], self.probabilities[:, 0])


class SigmoidPredictions(Predictions):
    """Any number of classes is right in each row: sigmoid and a threshold for each class."""

    def _activation(self) -> Array:
        return sigmoid(self.scores, temperature=self.temperature)

    def _log_activation(self) -> Array:
        return log_sigmoid(self.scores, temperature=self.temperature)

    @cached_property
    def log_complements(self) -> Array:
        """log(1 - p) of each class, which the log loss needs; no output column."""
        match self.form:
            case Origin.LOGITS:
                return log_sigmoid(-self.scores, temperature=self.temperature)
            case Origin.PROBABILITIES:
                with np.errstate(divide="ignore"):
                    return np.log1p(-self.scores)
            case Origin.LOG_PROBABILITIES:
                return log_complement(self.scores)
            case _:
                assert_never(self.form)

    @cached_property
    def _chosen(self) -> Array:
        chosen = decisions.reached(self.probabilities, self.thresholds, strict=self.rules.strict)
        if not self.rules.strict and (self.thresholds == 0).any():
            chosen &= ~self._masked
        if self.rules.top_k is not None:
            chosen = decisions.best_among(chosen, self._ranking, self.rules.top_k)
        if self.rules.at_least_one:
            chosen = decisions.at_least_one(chosen, self._ranking)
        return chosen

    @cached_property
    def labels(self) -> Sets:
        """The chosen classes, in class order."""
        return _sets(self._chosen)

    @property
    def indices(self) -> Sets:
        """The indices of the chosen classes."""
        return self.labels

    @cached_property
    def count(self) -> Array:
        """The number of chosen classes."""
        return np.asarray(self._chosen.sum(axis=1, dtype=np.int64))

    @property
    def multihot(self) -> Array:
        """1 for each chosen class."""
        return self._chosen.astype(np.uint8)


def _sets(chosen: Array) -> Sets:
    """Return the indices of the `chosen` classes, shape (N, C), row by row."""
    rows, classes = chosen.shape
    # NumPy searches a flat array many times as fast as a table, and without its lock.
    cells = np.flatnonzero(chosen)
    return Sets(np.searchsorted(cells, np.arange(rows + 1) * classes), cells % classes)
