"""Has the migrations of the pipeline's tables, and the only code that runs SQL on these tables."""
