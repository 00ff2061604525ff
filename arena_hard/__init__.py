"""What the scripts of the pipeline share: record shapes, providers, verdicts, ratings, pages."""
