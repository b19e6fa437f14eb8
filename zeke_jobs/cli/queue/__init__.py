"""Contains the commands that send, list, explain and change jobs, pause tasks, and manage schedules."""
