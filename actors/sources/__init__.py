"""Has the tasks that read feeds and store their entries as stories."""
