"""The second listener: health and counters, beside the relay and never through it. I/O."""
