# evaluate, continued: learning curves of the models named in the configuration


rule measure_learning:
    input:
        developments=each_seed(
            "results/{sample}/split/{split}/{seed}/development.parquet"
        ),
        tests=each_seed("results/{sample}/split/{split}/{seed}/test.parquet"),
    output:
        curves=reported("results/{sample}/learning/{split}/curves.csv"),
        fits=reported("results/{sample}/learning/{split}/fits.csv"),
    wildcard_constraints:
        sample=one_of(LEARNING_SAMPLES),
    resources:
        **needs(800, 12, minutes=240, minutes_per_mb=1),
    params:
        seeds=RUN.seeds,
        models=learning_models,
        learning=as_text(RUN.learning_curves.canonical()),
        classes=as_text(RUN.class_scores.canonical()),
        redshifts=as_text(RUN.redshift_scores.canonical()),
        bootstrap=as_text(RUN.bootstrap.canonical()),
    message:
        "Learning curves of {wildcards.sample}, split {wildcards.split}"
    script:
        "../scripts/measure_learning.py"


rule plot_learning:
    input:
        curves="results/{sample}/learning/{split}/curves.csv",
        fits="results/{sample}/learning/{split}/fits.csv",
    output:
        figure=reported(f"results/{{sample}}/learning/{{split}}/curves.{FIGURE}"),
    wildcard_constraints:
        sample=one_of(LEARNING_SAMPLES),
    resources:
        **needs(600, minutes=10),
    params:
        title="{sample}, split {split}",
        settings=FIGURES,
    message:
        "Drawing the learning curves of {wildcards.sample}, split {wildcards.split}"
    script:
        "../scripts/plot_learning.py"
