"""Judgments → games → battles → ratings, with intervals and all statistics: arrays in, named results out.

For the scripts and the other rooms:

arrays           the kinds of arrays, with their types
games            judgments as integer codes
game_codes       what is read of judgment files
game_records     the judgments of one file: known by its index, or read
game_rows        a game as rows of battles, certain or expected
same_records     which of several records of one judgment counts
battles          games as rows of the fit
battle_files     such rows on disk
ratings          the Bradley–Terry fit
intervals        confidence intervals by three rules
separation       bounds of models without a finite rating
caches           battles and rounds on disk
category_mean    the mean of several categories
categories       a bench cut into what is rated on its own
question_categories  the category of each question, and whether it is still so
coverage         which questions each model was judged on
outcomes         what each model's games came to by question
paired           differences on common questions, ranks
breakdown        a model by cluster and category
discrimination   which questions tell models apart
planning         how many questions a difference takes
sequential       boundaries for stopping early
stopped          what is known after such looks
same_place       verdicts by place, which say nothing of a model
judge_stats      position bias, consistency, agreement of judges
judge_trust      whether a judge can be trusted, with the thresholds
blind_agreement  how a person and the judge agree
style_control    style control on a bench
metrics          separability, agreement, correlations
benchmarks       sources for --correlate, matched by model

Inside:

itself           how games came out that name no baseline
halves           judgment files read in two processes
pair_rule        interval and p-value of paired differences
group_rule       interval and p-value of groups of questions
unseen           bounds where games have no spread
bootstrap        resampled ratings
sandwich         standard errors clustered by question
style_fit        its formulas, fit and rounds
backends         rounds on several processes or a cluster
style_newton     the fit's maximum, from sums over pairs of models
"""
