"""The terminal as a face: it draws a run's events and writes a person's answers to the run's inbox."""
