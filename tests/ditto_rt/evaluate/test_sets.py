import pytest

from ditto_rt.builtin import Builtin
from ditto_rt.evaluate.asked import with_control
from ditto_rt.evaluate.sets import CONTROLLED, own_loss, take_of
from ditto_rt.spec import Quality


@pytest.mark.parametrize("control", CONTROLLED)
def test_a_take_costs_what_its_search_ended_with(model: Builtin, control: str) -> None:
    job = with_control(control, 2, Quality(iterations=2)).model_copy(update={"beats": 6.0})
    take = take_of(job, model)
    cost = own_loss(job, model, take.audio_N)
    # The loop is closed after the search, and a form's search also keeps the attacks.
    low = 0.6 if control == "structure" else 0.85
    assert low < cost / min(take.report.loss) < 1.15
    unheard = job.model_copy(update={"quality": Quality(iterations=0)})
    assert own_loss(job, model, take_of(unheard, model).audio_N) > 1.2 * cost
