"""Changes in a language model after instruction tuning, in three views."""
