# evaluate: our scores and published numbers


rule check_published:
    input:
        scores=lambda wildcards: published()["scores"],
        predictions=lambda wildcards: published()["predictions"],
    output:
        published=reported("results/published.csv"),
        curves=reported(f"results/published_curves.{FIGURE}"),
    localrule: True
    resources:
        **needs(600, minutes=10),
    params:
        numbers=lambda wildcards: published()["numbers"],
        tables=lambda wildcards: published()["tables"],
        predicting=lambda wildcards: published()["predicting"],
        bootstrap=as_text(RUN.bootstrap.canonical()),
        reasons=lambda wildcards: published()["reasons"],
        settings=FIGURES,
    message:
        "Comparing the scores with published numbers"
    script:
        "../scripts/check_published.py"
