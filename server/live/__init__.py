"""One live session: frames in, results and answers out; what it enrols, knows and says."""
