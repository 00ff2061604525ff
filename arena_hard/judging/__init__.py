"""Answers → judgments: what is to be judged, what the judge is shown, how its verdict is read, when to stop.

For the scripts and the other rooms:

stage            one judge's part of a run
plan             which judgments exist, are missing or have changed
quoting          what missing judgments would cost
shown            the answers that a judge sees, in their order
prompts          the messages of a game
game             one game: ask, ask again, ask for the label alone
verdict_reading  the verdict in a judge's text
shortening       answers that are too long for the judge, shortened alike
label_question   the question for the label alone, where the text holds none
label_in_words   the label in its answer, where the server takes no constraint
verdict_ways     how the verdicts of a run were had, counted and said
flags            --retry-unreadable, --until-width, --until-decided
stopping         looks at what is known after each wave
cache_order      the order that prompt caches like

Inside:

unchanged            which judgments are of other texts than today's
label_probabilities  those of the five labels, from the tokens at the place of the verdict
"""
