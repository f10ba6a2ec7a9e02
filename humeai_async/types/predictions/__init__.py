"""What a job's results hold, with their rows and tables."""
