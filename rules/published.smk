# evaluate: our scores beside published numbers


rule check_published:
    input:
        scores=published_scores,
    output:
        published=reported("results/published.csv"),
    log:
        "logs/check_published/check_published.log",
    benchmark:
        "benchmarks/runs/check_published/check_published.jsonl"
    localrule: True
    conda:
        "../environment.yml"
    threads: 1
    resources:
        mem_mb=by_attempt(500),
        runtime=by_attempt(10),
    params:
        numbers=lambda wildcards: published()["numbers"],
        tables=lambda wildcards: published()["tables"],
        reasons=lambda wildcards: published()["reasons"],
        code=code_digest("check_published.py"),
    message:
        "Comparing the scores with published numbers"
    script:
        "../scripts/check_published.py"
