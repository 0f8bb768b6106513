"""Enrolment from photos: pictures are read safely, judged one by one, and saved all together or not at all."""
