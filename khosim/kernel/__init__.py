"""What happens: generator paths with Linux's file and function names."""
