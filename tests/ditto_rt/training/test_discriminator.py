import torch

from ditto_rt.training.discriminator import (
    RESOLUTIONS,
    Discriminator,
    feature_distance,
    hinge,
    not_believed,
)


def test_each_resolution_answers_layer_by_layer_and_scores_over_time() -> None:
    answers = Discriminator()(torch.randn(2, 8192))
    assert len(answers) == len(RESOLUTIONS)
    for part in answers:
        assert part[-1].shape[:2] == (2, 1)
        assert part[-1].shape[2:] == part[-2].shape[2:]
        assert part[-1].shape[3] > 1


def test_silence_has_finite_answers_and_slopes() -> None:
    audio_BN = torch.zeros(1, 8192, requires_grad=True)
    not_believed(Discriminator()(audio_BN)).backward()
    assert audio_BN.grad is not None and bool(audio_BN.grad.isfinite().all())


def test_losses_know_who_was_right() -> None:
    def scored(value: float) -> list[list[torch.Tensor]]:
        return [[torch.ones(1, 1, 2, 2), torch.full((1, 1, 2, 2), value)]]

    assert hinge(scored(1.0), scored(-1.0)) == 0.0
    assert hinge(scored(0.0), scored(0.0)) == 2.0
    assert hinge(scored(-1.0), scored(1.0)) == 4.0
    assert not_believed(scored(2.0)) < not_believed(scored(-2.0))


def test_feature_distance_is_relative_and_leaves_out_the_score() -> None:
    real = [[torch.full((1, 1, 2, 2), 4.0), torch.zeros(1, 1, 2, 2)]]
    made = [[torch.full((1, 1, 2, 2), 3.0), torch.full((1, 1, 2, 2), 9.0)]]
    assert feature_distance(real, made) == 0.25
