"""From files to rows that may be trained on: reading, cleaning, splitting, comparing."""
