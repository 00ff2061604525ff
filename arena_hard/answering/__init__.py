"""Questions → requests: which answers are missing, and what a model is asked.

For the scripts and the other rooms:

requests  system prompt, messages, the settings that shape an answer
plan      which answers exist and which are missing
"""
