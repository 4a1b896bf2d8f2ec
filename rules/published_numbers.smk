# Inputs and parameters of check_published.


@functools.cache
def published():
    """Return JSON texts and paths for check_published; read only if that rule runs."""
    from sdssflow.configuration import comparisons as entries

    try:
        numbers = entries.load_published()
        reasons = entries.reasons_not_run(numbers, RUN)
    except loading.ConfigurationError as error:
        failures.refuse(error, failures.MISTAKEN)
    tables = entries.score_tables(numbers, SAMPLES)
    trained = {
        (name, split): models_of(name)
        for name, task, split in PARTS
        if task == "regress"
    }
    predicting = entries.predicting_models(numbers, trained)
    return {
        "predicting": json.dumps(predicting),
        "predictions": [
            f"results/{sample}/regress/{split}/{model}/predictions.parquet"
            for sample, split, model in predicting
        ],
        "numbers": definitions(numbers),
        "tables": json.dumps(tables),
        "reasons": json.dumps(reasons, sort_keys=True),
        "scores": [f"results/{'/'.join(table)}/scores.csv" for table in tables],
    }
