"""Contains the commands that send, list, explain and change jobs, pause them, and manage schedules."""
