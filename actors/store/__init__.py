"""The pipeline's tables: their migrations, and the one place that runs SQL on them."""
