"""Ratings → what a reader sees: rows, footnotes, tables, CSV, JSON, Markdown, HTML, figures.

For the scripts and the other rooms:

leaderboard        the rows, as table, CSV and Markdown
notes              notes with long lists, cut or whole
footnotes          what has to be said below a table
caveats            scores that look surer than they are
analyses           the further analyses as small tables
comparisons        who is really better, as such tables
breakdowns         models by cluster and category
formats            a result in each printed form
figures            intervals drawn into a file
correlation_table  the table of --correlate
kept_page          the page of a large benchmark as it was printed last
category_files     which battle files of categories belong together, and which are left over
csv_files          the CSV files of --output, a name for each case
config_values      what the judge's config says where no flag does
sections           a small table with a title and remarks, and how its numbers are written
flags              the flags of show_result.py
unequal_sets       what different questions do to comparisons and ranks
rounds_bar         a bar for rounds that take long
html_page          one self-contained page; its look is report.css, its sorting report.js
html_tables        tables and bars that fit every width
"""
