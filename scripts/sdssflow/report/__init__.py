"""The report: HTML pages, model cards, data sheets and LaTeX tables."""
