"""What would help, and who can do it: one part for each reason that stands in the way."""
