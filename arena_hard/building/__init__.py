"""Conversations → a benchmark: read, cleaned, put into topics, labelled, filtered, drawn.

For the scripts and the other rooms:

criteria         the qualities that prompts are labelled by, from a file
label_prompt     what an annotator is asked, and what makes two labels comparable
label_reading    the criteria in an annotator's reply
filters          thresholds of prompts and topics
"""
