"""What lies on disk between the stages: typed tables, arrays, kept work; all of it written atomically."""
