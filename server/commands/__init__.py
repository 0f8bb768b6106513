"""Commands that measure: ``visavis evaluate …`` for accuracy, ``visavis bench …`` for speed."""
