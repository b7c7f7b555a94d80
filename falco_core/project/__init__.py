"""The project folder: its parameters, its stages, what each of them ran with."""
