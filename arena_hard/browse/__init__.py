"""What the web page shows, as plain functions without Gradio: an address goes in, safe HTML comes out.

index    where every record lies in its file, so that no text is held in memory
address  the state of a page and its query string
games    which games a filter leaves, and the texts of one
markup   what models wrote, as HTML in which nothing can run
site     address → page, with the templates in pages/
"""
