"""Commands about jobs: send, list, explain, cancel, pause, schedules."""
