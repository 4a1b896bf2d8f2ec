"""p(z) of objects of unknown class: classes and redshifts learnt apart, put together."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from sdssflow.configuration.networks import MixtureByClass, MixtureEnsemble, SettingsSearch
from sdssflow.redshift_pdf.scores import pdf_scores
from sdssflow.regress import by_class, ensemble_training
from sdssflow.regress.settings_search import search_settings
from tests.regress import survey

CPU = torch.device("cpu")
SETTINGS = MixtureByClass(
    kind="mixture_by_class", members=2, hidden=[16], components=2, max_epochs=30, blocks=4
)
CLASSES = np.array(["GALAXY", "QSO", "STAR"])


def sky(n, seed):
    """Galaxies, quasars of redshifts from 1 on, and stars; the class shows in r, not surely."""
    part = survey.part(n, seed)
    generator = np.random.default_rng([seed, 11])
    code = generator.choice(3, n, p=[0.5, 0.2, 0.3])
    zspec = np.select([code == 0, code == 1], [part.zspec, 1 + 3 * part.zspec])
    zspec[code == 2] = generator.normal(0, 3e-4, (code == 2).sum())
    features = part.features.copy()
    features[:, 4] += 2 * code + generator.normal(0, 0.5, n)
    return replace(part, features=features, zspec=zspec, spec_class=CLASSES[code])


TRAIN, VALIDATION, TEST = sky(1200, 1), sky(200, 2), sky(400, 3)


@pytest.fixture(scope="module")
def trained():
    return by_class.fit(SETTINGS, 1, TRAIN, VALIDATION, CPU)


@pytest.fixture(scope="module")
def model(trained):
    return trained.loaded(TRAIN.feature_names)


def test_pdf_is_the_sum_over_classes_of_their_probability_times_their_pdf(model):
    pdf, probability = model.predict_pdf(TEST.features), model.class_probabilities(TEST.features)
    np.testing.assert_allclose(probability.sum(axis=1), 1, atol=1e-12)
    z = np.tile(np.array([-1e-4, 1e-3, 0.2, 0.8, 1.5, 3.0]), (len(TEST), 1))
    expected = np.zeros(z.shape)
    for column, name in enumerate(("GALAXY", "QSO")):
        its = by_class.predict_pdf(model.redshifts[name], TEST.features, TEST.feature_names)
        expected += probability[:, [column]] * its.cdf(z)
    mean, width = model.star
    below = torch.special.ndtr(torch.tensor((z - mean) / width)).numpy()
    np.testing.assert_allclose(pdf.cdf(z), expected + probability[:, [2]] * below, atol=1e-6)
    assert pdf.lower < 0 < pdf.upper


def test_pdf_reaches_the_highest_redshift_that_is_learnt_from(model):
    zspec = VALIDATION.zspec.copy()
    zspec[np.argmax(zspec)] = 2 * TRAIN.zspec.max()
    settings = SETTINGS.model_copy(update={"max_epochs": 1})
    parts = TRAIN, replace(VALIDATION, zspec=zspec)
    reaching = by_class.fit(settings, 1, *parts, CPU).model.predict_pdf(TEST.features)
    assert reaching.upper > zspec.max() > model.predict_pdf(TEST.features).upper
    stopping = settings.model_copy(update={"blocks": 0})  # the validation part only stops them
    pdf = by_class.fit(stopping, 1, *parts, CPU).model.predict_pdf(TEST.features)
    assert TRAIN.zspec.max() < pdf.upper < zspec.max()


def test_classes_are_found_and_stars_lie_at_zero(model):
    probability = model.class_probabilities(TEST.features)
    assert (CLASSES[probability.argmax(axis=1)] == TEST.spec_class).mean() > 0.85
    stars = model.predict_pdf(TEST.features[probability[:, 2] > 0.9])
    assert len(stars) > 20
    assert np.abs(stars.quantiles([0.5])).max() < 0.001


def test_it_is_better_than_one_ensemble_for_all(model):
    plain = MixtureEnsemble(**SETTINGS.model_dump(exclude={"kind"}), kind="mixture_ensemble")
    train = replace(TRAIN, zspec=np.maximum(TRAIN.zspec, 0))
    other = ensemble_training.fit(plain, 1, train, VALIDATION.subset(slice(0)), CPU)
    pdfs = [each.predict_pdf(TEST.features) for each in (model, other.loaded(TEST.feature_names))]
    ours, theirs = (pdf_scores(pdf, TEST.zspec)["crps"] for pdf in pdfs)
    difference = ours - theirs
    assert difference.mean() < -2 * difference.std() / np.sqrt(len(difference))


def test_it_is_loaded_as_it_was_saved(trained, model, tmp_path):
    path = tmp_path / "fold_0.safetensors"
    trained.save(path)
    loaded = by_class.load(path, SETTINGS, TRAIN.feature_names)
    ours, theirs = (each.predict_pdf(TEST.features) for each in (model, loaded))
    for name in ("weights", "means", "scales", "lower", "upper"):
        np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name))
    for changed in ({"components": 3}, {"hidden": [8]}):
        with pytest.raises(ValueError, match="not the networks that card.json"):
            by_class.load(path, SETTINGS.model_copy(update=changed), TRAIN.feature_names)
    ensemble_training.fit(
        MixtureEnsemble(kind="mixture_ensemble", members=1, max_epochs=1),
        1, survey.part(100), survey.part(0), CPU,
    ).save(path)  # fmt: skip
    with pytest.raises(ValueError, match="not the networks that card.json"):
        by_class.load(path, SETTINGS, TRAIN.feature_names)


def test_a_killed_training_goes_on_to_the_same_networks(trained, model, tmp_path, monkeypatch):
    settings = SETTINGS.model_copy(update={"checkpoint_epochs": 10})
    checkpoint, epochs = tmp_path / "fold_0", []
    run_epoch = by_class.EnsembleProgram.run_epoch

    def dying(program, state, epoch):
        epochs.append(epoch)
        if len(epochs) == 55:  # among those of the galaxies
            raise KeyboardInterrupt
        run_epoch(program, state, epoch)

    monkeypatch.setattr(by_class.EnsembleProgram, "run_epoch", dying)
    with pytest.raises(KeyboardInterrupt):
        by_class.fit(settings, 1, TRAIN, VALIDATION, CPU, checkpoint)
    again = by_class.fit(settings, 1, TRAIN, VALIDATION, CPU, checkpoint)
    assert len(epochs) < 55 + 3 * 30
    assert again.history == trained.history and again.best_epoch == trained.best_epoch
    ours, theirs = (each.predict_pdf(TEST.features) for each in (again.model, model))
    np.testing.assert_array_equal(ours.weights, theirs.weights)


def test_without_stars_pdf_begins_at_zero():
    train, rest = (part.subset(part.spec_class != "STAR") for part in (TRAIN, VALIDATION))
    short = SETTINGS.model_copy(update={"max_epochs": 2})
    model = by_class.fit(short, 1, train, rest, CPU).model
    assert model.classes.names == ("GALAXY", "QSO")
    pdf = model.predict_pdf(TEST.features)
    assert pdf.lower == 0
    np.testing.assert_allclose(pdf.cdf(np.full((len(TEST), 1), pdf.upper)), 1, atol=1e-6)
    assert (model.class_probabilities(TEST.features)[:, 2] == 0).all()


def test_missing_features_are_taken_only_where_training_missed_them(model):
    features = TEST.features[:2].copy()
    features[0, 0] = np.nan
    assert model.usable(features).tolist() == [False, True]
    with pytest.raises(ValueError, match="never missing in training"):
        model.predict_pdf(features)


def test_the_search_judges_what_is_summed_over_classes():
    settings = SETTINGS.model_copy(
        update={"search": SettingsSearch(noise=[0.0], components=[1], first_epochs=2, members=1)}
    )
    chosen, table = search_settings(settings, 1, TRAIN, VALIDATION, CPU)
    assert isinstance(chosen, MixtureByClass)
    assert table["crps"].notna().all()


def renamed(part, name):
    return replace(part, spec_class=np.where(part.spec_class == "QSO", name, part.spec_class))


@pytest.mark.parametrize(
    ("train", "validation", "words"),
    [
        (replace(TRAIN, spec_class=None), VALIDATION, "the sample has no spec_class"),
        (renamed(TRAIN, ""), VALIDATION, "spec_class is '' for row_id"),
        (TRAIN.subset(TRAIN.spec_class != "QSO"), VALIDATION, "spec_class is 'QSO' for row_id"),
        (TRAIN.subset(TRAIN.spec_class == "STAR"), TRAIN.subset(slice(0)), "all training objects"),
        (
            TRAIN.subset((TRAIN.spec_class != "QSO") | (np.arange(len(TRAIN)) < 12)),
            TRAIN.subset(slice(0)),
            "QSO: . training objects can't be cut into 4 blocks",
        ),
        (
            replace(TRAIN, zspec=np.where(TRAIN.spec_class == "QSO", -0.5, TRAIN.zspec)),
            VALIDATION,
            "QSO: zspec is below -0.00",
        ),
    ],
)
def test_what_cant_be_learnt_from_is_refused(train, validation, words):
    with pytest.raises(ValueError, match=words):
        by_class.fit(SETTINGS, 1, train, validation, CPU)
