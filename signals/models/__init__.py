"""The tables of what we observe about customers."""

from signals.models.alerts import Alert, AlertChange
from signals.models.definitions import HealthModel, HealthModelVersion, Rule, RuleVersion
from signals.models.runs import FeatureBlock, Run, RunChunk, Tick
from signals.models.scores import HealthScore, RfmScore, Standing

__all__ = [
    "Alert", "AlertChange", "FeatureBlock", "HealthModel", "HealthModelVersion", "HealthScore", "RfmScore", "Rule",
    "RuleVersion", "Run", "RunChunk", "Standing", "Tick",
]  # fmt: skip
