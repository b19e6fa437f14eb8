"""Has commands about jobs: send, list, explain, cancel, pause, schedules."""
