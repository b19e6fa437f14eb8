"""Has the pipeline's tables: their migrations, and the only code that runs SQL on them."""
