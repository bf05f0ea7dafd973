"""Reports that were written before, as saved scenes and the cache hold them."""

import json

import pytest
from pydantic import ValidationError

from ditto_rt.spec import IntensityReport, Report
from tests.daemon_office import report


def test_a_gain_that_stood_beside_the_curve_is_the_takes() -> None:
    curve = IntensityReport(mse_db2=1.5, correlation=0.9)
    now = report().model_copy(update={"intensity": curve, "gain_db": -4.5})
    older = json.loads(now.model_dump_json())
    del older["gain_db"]
    older["intensity"]["gain_db"] = -4.5
    assert Report.model_validate_json(json.dumps(older)) == now
    assert Report.model_validate(older) == now
    assert Report.model_validate_json(now.model_dump_json()) == now


def test_what_was_never_in_a_report_is_refused() -> None:
    with pytest.raises(ValidationError, match="mood_db"):
        Report.model_validate({**report().model_dump(), "mood_db": 1.0})
