"""What the web page shows, as plain functions without Gradio: an address goes in, safe HTML comes out.

For the scripts and the other rooms:

site              address → page, with the templates in pages/
export            the pages as static files
web_guard         what the web server answers
listening         the address and port to listen on

Inside:

address           the state of a page and its query string
index             where every record lies in its file, so that no text is held in memory
judged            what one judge has judged, as matrices
question_file     the questions, as they are in their file now
reading           reads record files, while pages are shown where they are large
record_file       one record file: offsets and facts of its rows
search            text search over files
tables            the index as a table of games
game_selection    which games a filter leaves, and the texts of one
commands          the commands that pages suggest
game_words        what is said of one judgment: who won, and why something is missing
markdown_rules    Markdown in which nothing that was written is lost
formula_rules     formulas of LaTeX in Markdown
markup            what models wrote, as HTML in which nothing can run
leaderboard_page  the page Leaderboard
games_page        the page Games
compare_page      the page Compare
breakdown_page    the page Breakdown
judge_page        the page Judge
blind_page        the page Blind check
blind_check       drawing and storing a blind check
numbers           numbers with a true minus
"""
