"""Defines the tasks that read feeds and store the entries as stories."""
