"""Networks in worker processes, so that sessions use all processors and outlive a crash in there."""
